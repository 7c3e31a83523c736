"""Points other programs at the emulator: ``env`` prints the variables, ``exec`` runs a command under them."""

import os
import shlex
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from local.cli import endpoint as endpoints
from local.cli.refusal import FAILED, Refusal
from local.cli.terminal import put, put_json

SDK = Path(__file__).resolve().parent / "sdk"

STRAY = (  # each of these would lead a client past AWS_ENDPOINT_URL or the dummy keys
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)


class Shell(StrEnum):
    bash = "bash"
    fish = "fish"


def env(
    shell: Annotated[
        Shell, typer.Option(help="The shell that will read the lines; bash serves sh and zsh too.")
    ] = Shell.bash,
    as_json: Annotated[bool, typer.Option("--json", help="Print the variables as JSON.")] = False,
) -> None:
    """Print shell lines that point AWS clients at the emulator: eval "$(drydock env)"."""
    running = endpoints.require()
    settings = variables(running.url, os.environ)
    if as_json:
        put_json(settings)
        return
    for line in shell_lines(settings, stray_variables(os.environ), shell):
        put(line)


def exec_(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after --.")],
) -> None:
    """Run a command under the variables of env, with the SageMaker SDK kept away from AWS."""
    running = endpoints.require()
    environ = {key: value for key, value in os.environ.items() if key not in stray_variables(os.environ)}
    environ |= variables(running.url, os.environ)
    environ |= _sdk_variables(environ)
    environ.pop("DRYDOCK_CALLERS_PYTHONPATH", None)
    try:
        os.execvpe(command[0], command, environ)
    except OSError as error:
        raise Refusal(
            f"cannot run {command[0]}: {error.strerror}", "drydock exec -- COMMAND [ARGUMENTS]", FAILED
        ) from error


def variables(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What a client needs to reach the emulator, and dummy keys so that nothing can reach a real account."""
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or endpoints.DEFAULT_REGION
    settings = {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": endpoints.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": endpoints.ACCESS_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAGEMAKER_VALIDATE_ROLE": "false",  # SDK v3 simulates IAM policies first, which nothing here evaluates
    }
    if any(environ.get(name) for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")):
        excepted = [host for host in environ.get("NO_PROXY", environ.get("no_proxy", "")).split(",") if host]
        hosts = ",".join(dict.fromkeys([*excepted, "127.0.0.1", "localhost"]))
        settings |= {"NO_PROXY": hosts, "no_proxy": hosts}
    return settings


def stray_variables(environ: Mapping[str, str]) -> list[str]:
    """Variables of the caller that would lead a client elsewhere."""
    services = [name for name in environ if name.startswith("AWS_ENDPOINT_URL_")]
    return [name for name in STRAY if name in environ] + sorted(services)


def shell_lines(settings: Mapping[str, str], unset: list[str], shell: Shell) -> list[str]:
    """Lines that the shell evaluates: first what is unset, then what is set."""
    if shell is Shell.fish:
        removed = [f"set -e {name};" for name in unset]
        return removed + [f"set -gx {name} {shlex.quote(value)};" for name, value in settings.items()]
    return [f"unset {name}" for name in unset] + [
        f"export {name}={shlex.quote(value)}" for name, value in settings.items()
    ]


def _sdk_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The folder whose sitecustomize redirects hard-wired AWS addresses, and an SDK config that declines telemetry.

    The SDK merges an administrator's and a user's config file; ours takes the first of the two places that is free.
    """
    callers = environ.get("DRYDOCK_CALLERS_PYTHONPATH", "")
    settings = {"PYTHONPATH": os.pathsep.join(part for part in (str(SDK), callers) if part)}
    config_home = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    places = {
        "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": Path("/etc/xdg/sagemaker/config.yaml"),
        "SAGEMAKER_USER_CONFIG_OVERRIDE": config_home / "sagemaker" / "config.yaml",
    }
    for name, usual in places.items():
        if name not in environ and not usual.exists():
            return settings | {name: str(SDK / "sagemaker.yaml")}
    return settings
