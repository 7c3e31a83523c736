"""Images of another machine are refused where they cannot run. A fake docker stands for the engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from containers import emulate
from tests.support.emulator import ROOT

HANDLER = (
    "enabled\ninterpreter /usr/libexec/qemu\nflags: POF\noffset 0\nmagic 7f454c460201010000000000000000000200b700\n"
)


@pytest.fixture
def docker(tmp_path: Path) -> Path:
    """A folder for PATH whose docker knows an arm64 image, runs it for ever, and records what it is asked."""
    program = tmp_path / "docker"
    answer = '[{"Architecture": "\'"$ARCHITECTURE"\'"}]'
    program.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\ncase $1 in\nimage) [ "$ARCHITECTURE" ] && echo \'{answer}\' ;;\n'
        "run) exec sleep 60 ;;\nesac\n"
    )
    program.chmod(0o755)
    return tmp_path


def ask(docker: Path, architecture: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PATH": f"{docker}:/usr/bin:/bin", "ARCHITECTURE": architecture}
    command = [sys.executable, "-m", "containers.emulate", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60)


def test_an_image_of_another_machine(docker: Path) -> None:
    done = ask(docker, "amd64", "some/image", "verify")
    assert done.returncode == 2
    assert done.stderr.startswith("error: some/image is made for amd64, not for arm64\n\nhint: ")


def test_an_image_that_is_not_there(docker: Path) -> None:
    done = ask(docker, "", "some/image", "verify")
    assert done.returncode == 2
    assert "make images IMAGES=runtime-arm64 builds drydock/runtime-arm64" in done.stderr


def test_a_machine_without_a_handler(docker: Path, tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\nfrom containers import emulate\n"
        "try: emulate.check('some/image', pathlib.Path(sys.argv[1]))\n"
        "except emulate.CannotEmulateError as error: print(error, error.hint)\n"
    )
    environ = {**os.environ, "PATH": f"{docker}:/usr/bin:/bin", "ARCHITECTURE": "arm64"}
    command = [sys.executable, "-c", code, str(tmp_path / "nothing")]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    assert "this machine has no handler for arm64 programs" in done.stdout
    assert "sudo .ci/engine" in done.stdout


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (HANDLER, True),
        (HANDLER.replace("enabled", "disabled"), False),
        (HANDLER.replace("POF", "P"), False),
        (HANDLER.replace("b700", "3e00"), False),
    ],
)
def test_a_handler_counts_if_it_is_enabled_for_arm64_and_works_in_containers(
    tmp_path: Path, text: str, found: bool
) -> None:
    (tmp_path / "qemu").write_text(text)
    assert emulate.has_handler(tmp_path) == found


@pytest.mark.skipif(not emulate.has_handler(), reason="no handler for arm64 programs here: .ci/engine registers one")
def test_one_that_hangs_is_ended_and_removed(docker: Path) -> None:
    done = ask(docker, "arm64", "--limit", "0.5", "some/image", "verify")
    assert done.returncode == emulate.TIMED_OUT
    assert "did not end within 0.5 s on cortex-a53" in done.stderr
    asked = (docker / "asked").read_text().splitlines()
    name = asked[1].split("--name ")[1].split()[0]
    assert asked[-1] == f"rm --force --volumes {name}"


@pytest.mark.skipif(not emulate.has_handler(), reason="no handler for arm64 programs here: .ci/engine registers one")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--limit", "0"], "error: --limit is 0 s"),
        (["--limit", "nan"], "error: --limit is nan s"),
        (["--limit", "inf"], "error: --limit is inf s"),
        (["--mount", "nowhere:/model"], "error: there is no nowhere to mount at /model"),
        (["--mount", "tests"], "error: --mount is 'tests'"),
        (["--mount", "tests:model"], "error: --mount is 'tests:model'"),
    ],
)
def test_wrong_limits_and_mounts(docker: Path, arguments: list[str], says: str) -> None:
    done = ask(docker, "arm64", *arguments, "some/image", "verify")
    assert done.returncode == 2
    assert done.stderr.startswith(f"{says}\n\nhint: ")
    assert "run " not in (docker / "asked").read_text()


@pytest.mark.skipif(not emulate.has_handler(), reason="no handler for arm64 programs here: .ci/engine registers one")
def test_one_that_is_stopped_leaves_no_container(docker: Path) -> None:
    environ = {**os.environ, "PATH": f"{docker}:/usr/bin:/bin", "ARCHITECTURE": "arm64"}
    command = [sys.executable, "-m", "containers.emulate", "some/image", "verify"]
    with subprocess.Popen(command, cwd=ROOT, env=environ) as process:
        while "--name " not in (asked := (docker / "asked").read_text() if (docker / "asked").exists() else ""):
            time.sleep(0.02)
        process.terminate()
        assert process.wait(timeout=30) == 128 + signal.SIGTERM
    name = asked.split("--name ")[1].split()[0]
    assert (docker / "asked").read_text().splitlines()[-1] == f"rm --force --volumes {name}"
