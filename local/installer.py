"""Runs what fills an environment (venv, pip, uv) with the machine's own index and certificates, and says in one line
why it failed. Standard library only.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # openSUSE
)

Say = Callable[[str], None]

_LARGE_DOWNLOAD = re.compile(r"Downloading \S+ \((?:[5-9]\d|\d{3,})\.\dMiB|Downloading \S+ \([\d.]+GiB")


class SetUpError(Exception):
    """An environment cannot be made. ``hint`` says what to type next."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def system_ca_bundle() -> str | None:
    """The host's own bundle of certificate authorities."""
    return next((path for path in CA_BUNDLES if Path(path).exists()), None)


def check_compiler() -> None:
    """SetUpError if source distributions in C cannot be built on this machine."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "gcc").split()[0]
    header = Path(sysconfig.get_path("include"), "Python.h")
    found = {f"no C compiler ({compiler})": shutil.which(compiler), f"no {header}": header.exists()}
    lacking = [lack for lack, there in found.items() if not there]
    if lacking:
        raise SetUpError(
            f"a part of it is compiled, and this machine has {' and '.join(lacking)}", "apt install gcc python3-dev"
        )


def run(command: Sequence[str | Path], log: Path, say: Say) -> None:
    """Runs an installer, tells of each large download and keeps its output in ``log``.

    Raises SetUpError with the reason if it fails.
    """
    lines: list[str] = []
    with (
        log.open("a") as file,
        subprocess.Popen(
            [str(word) for word in command],
            env=installer_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            with suppress(OSError):
                file.write(line)
            if _LARGE_DOWNLOAD.match(line):
                say(f"  d{line.strip()[1:]}")
    if process.returncode != 0:
        raise _explain("".join(lines), log)


def installer_environment() -> dict[str, str]:
    """Our variables, with the system's CA bundle and the index that pip is configured for, unless uv has its own."""
    environ = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}}
    environ |= {"UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
    environ.setdefault("UV_HTTP_TIMEOUT", "120")
    bundle = environ.get("SSL_CERT_FILE") or system_ca_bundle()
    if bundle:
        environ["SSL_CERT_FILE"] = bundle
        environ.setdefault("PIP_CERT", bundle)
    if not any(key in environ for key in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")):
        pip = _pip_settings()
        if pip.get("index-url"):
            environ["UV_DEFAULT_INDEX"] = pip["index-url"]
        if pip.get("extra-index-url"):
            environ["UV_INDEX"] = " ".join(pip["extra-index-url"].split())
            environ["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # what pip does; safe here, every file is hashed
    return environ


def _pip_settings() -> dict[str, str]:
    home = Path.home()
    config = Path(os.environ.get("XDG_CONFIG_HOME", home / ".config"))
    chosen = os.environ.get("PIP_CONFIG_FILE")
    files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip/pip.conf", config / "pip/pip.conf"]
    reader = configparser.RawConfigParser()
    with suppress(configparser.Error, UnicodeDecodeError):
        reader.read([*files, Path(chosen)] if chosen else files)
    settings: dict[str, str] = {}
    for section in ("global", "install"):
        if reader.has_section(section):
            settings |= dict(reader.items(section))
    for name in ("index-url", "extra-index-url"):
        value = os.environ.get("PIP_" + name.upper().replace("-", "_"))
        if value:
            settings[name] = value
    return settings


_REASONS = (
    (
        r"No space left on device",
        "the disk is full",
        "free some space, or set DRYDOCK_VENVS to a folder on another disk",
    ),
    (
        r"ensurepip is not|No module named .?(ensurepip|venv)",
        "this Python comes without its venv module",
        "apt install python3-venv (or the python3.X-venv of your version), or put uv on your PATH",
    ),
    (
        r"certificate|UnknownIssuer",
        "the package index's certificate is not trusted",
        "set SSL_CERT_FILE to your organisation's CA bundle",
    ),
    (
        r"[Hh]ash mismatch|DO NOT MATCH THE HASHES",
        "the package index serves another file than the lock names",
        "use an index that mirrors the public one: UV_DEFAULT_INDEX=https://…",
    ),
    (
        r"no wheels|no (usable|compatible) wheels|doesn't have a .*wheel|not supported on this platform",
        "the locked packages have no wheels for this machine",
        "use glibc Linux on x86-64 or aarch64 with Python 3.11, 3.12 or 3.13: ./drydock check",
    ),
    (
        r"error sending request|dns error|[Cc]onnect|[Tt]imed? ?out|Failed to fetch|No matching distribution",
        "the package index cannot be reached",
        "check the network; name another index with UV_DEFAULT_INDEX=https://…, a proxy with HTTPS_PROXY",
    ),
)


def _explain(output: str, log: Path) -> SetUpError:
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "no output")
    for pattern, reason, hint in _REASONS:
        if re.search(pattern, output):
            return SetUpError(f"{reason} ({log})", hint)
    return SetUpError(f"the installation failed: {last}", f"the whole output is in {log}")
