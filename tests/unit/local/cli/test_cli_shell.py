import subprocess

import pytest

from local.cli.shell import Shell, shell_lines, stray_variables, variables

URL = "http://127.0.0.1:4567"


def evaluated(lines: list[str], **environ: str) -> dict[str, str]:
    """What a POSIX shell's environment is after evaluating the lines."""
    script = "\n".join(lines) + "\nenv -0"
    output = subprocess.check_output(["/bin/sh", "-euc", script], env={"PATH": "/usr/bin:/bin", **environ}, text=True)
    return dict(entry.split("=", 1) for entry in output.split("\0") if entry)


def lines_for(environ: dict[str, str], shell: Shell = Shell.bash) -> list[str]:
    return shell_lines(variables(URL, environ), stray_variables(environ), shell)


def test_a_shell_that_evaluates_the_lines_points_at_the_emulator() -> None:
    after = evaluated(lines_for({}))

    assert after["AWS_ENDPOINT_URL"] == URL
    assert after["AWS_REGION"] == after["AWS_DEFAULT_REGION"] == "us-east-1"


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_callers_region_is_kept(name: str) -> None:
    after = evaluated(lines_for({name: "eu-west-1"}), **{name: "eu-west-1"})

    assert after["AWS_REGION"] == after["AWS_DEFAULT_REGION"] == "eu-west-1"


def test_real_keys_never_stay() -> None:
    real = {
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_SESSION_TOKEN": "real",
        "AWS_PROFILE": "work",
    }
    after = evaluated(lines_for(real), **real)

    assert "real" not in {value.lower() for value in after.values()}
    assert "AWS_SESSION_TOKEN" not in after
    assert "AWS_PROFILE" not in after


def test_what_would_lead_past_the_endpoint_is_unset() -> None:
    stray = {"AWS_ENDPOINT_URL_S3": "https://s3.example.com", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    after = evaluated(lines_for(stray), **stray)

    assert not stray.keys() & after.keys()


def test_a_proxy_is_told_to_leave_the_loopback_address_alone() -> None:
    settings = variables(URL, {"https_proxy": "http://p:1", "http_proxy": "http://p:1", "no_proxy": "intranet"})

    assert settings["NO_PROXY"] == settings["no_proxy"] == "intranet,127.0.0.1,localhost"
    assert "NO_PROXY" not in variables(URL, {})


def test_values_are_quoted() -> None:
    lines = shell_lines({"A": "two words; $(rm -rf x) 'q'"}, [], Shell.bash)

    assert evaluated(lines)["A"] == "two words; $(rm -rf x) 'q'"


def test_fish_has_its_own_words() -> None:
    lines = lines_for({"AWS_PROFILE": "work"}, Shell.fish)

    assert "set -e AWS_PROFILE;" in lines
    assert f"set -gx AWS_ENDPOINT_URL {URL};" in lines
