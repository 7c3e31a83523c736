"""A Python environment of the script's own on top of the image's, so that any user can install requirements into it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from optml.environment import AWS_BASE
from optml.errors import Refusal

_DISTRUST = re.compile(r"certificate verify failed[^('\n]*")
_UNFETCHED = re.compile(r"No matching distribution|SSLError")


def lay_over(folder: Path) -> Path:
    """Make an environment that sees all of ours and shadows what it installs; its interpreter's path.

    Also makes it this process's: `python`, `pip` and other console scripts on PATH are its own, and `sys.executable`,
    which the toolkit starts scripts and pip with, is its interpreter.
    """
    venv.create(folder, symlinks=True)
    packages = sysconfig.get_path("purelib")
    (site_packages(folder) / "image.pth").write_text(f"import site; site.addsitedir({packages!r})\n", encoding="utf-8")
    python = folder / "bin/python"
    _copy_console_scripts(Path(sys.executable).parent, python)
    os.environ["PATH"] = f"{python.parent}:{os.environ.get('PATH', os.defpath)}"
    os.environ["VIRTUAL_ENV"] = str(folder)
    os.environ.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    os.environ.setdefault("PIP_NO_CACHE_DIR", "1")
    sys.executable = str(python)
    return python


def site_packages(folder: Path) -> Path:
    return Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))


def install(requirements: Path, scratch: Path) -> None:
    """Install what the file names into this process's environment; raises Refusal with pip's own reason."""
    log = scratch / "pip.log"
    command = [sys.executable, "-m", "pip", "install", "--log", str(log), "-r", str(requirements)]
    done = subprocess.run(command, cwd=requirements.parent, check=False)
    if done.returncode != 0:
        raise not_installed("requirements.txt", requirements.parent, log, str(done.returncode))


def not_installed(what: str, folder: Path, log: Path, code: str) -> Refusal:
    """The last error of pip's log file, told as ours. To pip, what an index that it does not trust has is missing."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    said = [line.partition("ERROR: ")[2] for line in text.splitlines() if "ERROR: " in line]
    distrust = _DISTRUST.search(text)
    if distrust and any(_UNFETCHED.search(line) for line in said):
        return Refusal(
            f"{what} does not install: pip does not trust its package index ({distrust[0].strip()}; {folder})",
            f"set PIP_CERT in Environment to a file with the proxy's CA: {AWS_BASE}/input/data/ca/ca.pem of a channel, "
            "or a path of this machine where jobs are processes",
        )
    return Refusal(
        f"{what} does not install: {said[-1] if said else f'pip exited with code {code}'} ({folder})",
        "correct it; if pip reached no package index: EnableNetworkIsolation off, or PIP_INDEX_URL in Environment",
    )


def _copy_console_scripts(scripts: Path, python: Path) -> None:
    """`pip`, `torchrun` and the like name their interpreter in the first line."""
    for script in scripts.iterdir():
        copy = python.parent / script.name
        if not script.is_file() or script.is_symlink() or copy.exists():
            continue
        first, _, rest = script.read_bytes().partition(b"\n")
        if first.startswith(b"#!") and first.endswith(b"/python"):
            copy.write_bytes(f"#!{python}\n".encode() + rest)
            copy.chmod(0o755)
