"""Looks at this machine: ``check`` says what is missing to train here, and what to do about each finding."""

import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from local import environments
from local.cli.emulator import USUAL_PORTS
from local.cli.endpoint import find
from local.cli.terminal import put, put_json, say
from local.home import Home
from local.installer import SetUpError, system_ca_bundle

PYTORCH_GB = 8.0
"""The pytorch environment and what its installation takes while it runs."""
WORK_GB = 1.0


class State(StrEnum):
    ok = "ok"
    absent = "absent"
    """Not there, and not needed."""
    missing = "missing"
    """Needed: ``check`` fails."""


@dataclass(frozen=True)
class Finding:
    name: str
    state: State
    detail: str
    remedy: str = ""
    """What to do; empty when nothing is to be done."""


def check(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> int:
    """Look at this machine: what is there, what is missing, and what to do about it."""
    findings = [look() for look in LOOKS]
    lacking = [finding for finding in findings if finding.state is State.missing]
    if as_json:
        put_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            put(f"{finding.state:<8} {finding.name:<12} {finding.detail}")
            if finding.remedy:
                put(f"{'':<21} → {finding.remedy}")
    say(f"{len(lacking)} to do" if lacking else "this machine can train")
    return 1 if lacking else 0


def host() -> Finding:
    """Linux with glibc on x86-64 or aarch64: what the locked wheels are built for."""
    system, machine, (libc, version) = platform.system(), platform.machine(), platform.libc_ver()
    detail = f"{system} {machine} {libc or 'no glibc'} {version}".strip()
    if system == "Linux" and machine in {"x86_64", "aarch64"} and libc == "glibc":
        return Finding("host", State.ok, detail)
    return Finding(
        "host", State.missing, detail, "use glibc Linux on x86-64 or aarch64 (on Windows: WSL 2, on a Mac: a VM)"
    )


def python() -> Finding:
    detail = f"{platform.python_version()} at {environments.python_path('python')}"
    if sys.version_info[:2] in environments.PYTHONS:
        return Finding("python", State.ok, detail)
    return Finding("python", State.missing, detail, "install Python 3.11, 3.12 or 3.13")


def venv() -> Finding:
    """What makes the first environment: uv, or Python's own venv with ensurepip."""
    uv = shutil.which("uv")
    if uv:
        return Finding("venv", State.ok, f"uv at {uv}")
    if all(importlib.util.find_spec(module) for module in ("venv", "ensurepip")):
        return Finding("venv", State.ok, "Python's venv; uv is fetched with it")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return Finding(
        "venv", State.missing, "neither uv nor Python's venv", f"apt install python{version}-venv, or install uv"
    )


def disk() -> Finding:
    """Free space where the environments go: all of it if pytorch is still to be made."""
    folder = environments.python_path("pytorch")
    while not folder.exists():
        folder = folder.parent
    free_gb = shutil.disk_usage(folder).free / 1e9
    needed_gb = WORK_GB if environments.is_ready("pytorch") else PYTORCH_GB + WORK_GB
    detail = f"{free_gb:.0f} GB free, {needed_gb:.0f} GB needed"
    if free_gb >= needed_gb:
        return Finding("disk", State.ok, detail)
    return Finding("disk", State.missing, detail, "free some space, or set DRYDOCK_VENVS to a folder on another disk")


def certificates() -> Finding:
    """The bundle that downloads are checked against."""
    chosen = os.environ.get("SSL_CERT_FILE") or system_ca_bundle()
    if chosen and Path(chosen).exists():
        return Finding("certificates", State.ok, chosen)
    if chosen:
        return Finding(
            "certificates", State.missing, f"SSL_CERT_FILE is {chosen}, which does not exist", "unset SSL_CERT_FILE"
        )
    return Finding("certificates", State.absent, "no system bundle; uv's own is used")


def port() -> Finding:
    running = find(Home.default())
    if running:
        return Finding("port", State.ok, f"the emulator is up at {running.url}")
    free = next((number for number in USUAL_PORTS if _is_free(number)), None)
    if free:
        return Finding("port", State.ok, f"{free} is free")
    return Finding("port", State.ok, f"{USUAL_PORTS[0]} to {USUAL_PORTS[-1]} are taken; any other free one is used")


def engine() -> Finding:
    """Docker, which the process backend does without: whether jobs run in it, and whether images are built with it."""
    if not shutil.which("docker"):
        return Finding("engine", State.absent, "no docker; jobs run as processes")
    from containers.build import CannotBuildError, check_engine
    from local.jobs import engine as engines

    try:
        found = engines.connect()
        found.close()
        check_engine()
    except SetUpError as error:
        return Finding("engine", State.absent, f"{error.message}; jobs run as processes", error.hint)
    except CannotBuildError as error:
        return Finding("engine", State.absent, f"{error.message}; it only runs jobs", error.hint)
    return Finding("engine", State.ok, f"docker {found.version} runs jobs and builds images")


def scripts() -> Finding:
    """What processes need to run scripts of a user's own; containers do without."""
    try:
        environments.check("pytorch-script")
    except SetUpError as error:
        detail = f"your own scripts run in containers only: {error.message} ({error.hint})"
        return Finding("scripts", State.absent, detail)
    return Finding("scripts", State.ok, "your own run as processes too")


def gpu() -> Finding:
    """An NVIDIA GPU, which training uses if there is one."""
    detail = _first_line(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"])
    if detail is None:
        return Finding("gpu", State.absent, f"none; {len(os.sched_getaffinity(0))} CPU cores train")
    return Finding("gpu", State.ok, detail)


LOOKS: tuple[Callable[[], Finding], ...] = (host, python, venv, disk, certificates, port, engine, scripts, gpu)


def _is_free(number: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", number)) != 0


def _first_line(command: list[str]) -> str | None:
    """First line of a command's output, or None if it is not there or fails."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = result.stdout.strip().splitlines()
    return lines[0] if result.returncode == 0 and lines else None
