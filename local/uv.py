"""uv, which fills the environments: the one on PATH or one that pip fetches, and what we have it do. Standard library
only.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from local.installer import Say, installer_environment, run

AT_LEAST = (0, 5)


def on_path() -> Path | None:
    """The uv on PATH, if it is recent enough."""
    found = shutil.which("uv")
    return Path(found) if found and _version(found) >= AT_LEAST else None


def fetch(folder: Path, python: Path, lock: Path, log: Path, say: Say) -> None:
    """Make a virtual environment of that Python with uv in it, by pip; raises SetUpError."""
    run([python, "-m", "venv", folder], log, say)
    pip: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run([*pip, "install", "--require-hashes", "--only-binary", ":all:", "-r", lock], log, say)


def fill(uv: Path, folder: Path, python: Path, lock: Path, log: Path, say: Say, *, wheels_only: bool) -> None:
    """Make a virtual environment of that Python with exactly what the hashed lock lists; raises SetUpError."""
    run([uv, "venv", "--quiet", "--python", python, folder], log, say)
    install: list[str | Path] = [uv, "pip", "install", "--python", folder / "bin" / "python"]
    wheels = ["--only-binary", ":all:"] if wheels_only else []
    run([*install, "--require-hashes", "--no-deps", *wheels, "--requirement", lock], log, say)


def holds(uv: Path, folder: Path, lock: Path) -> bool:
    """Whether a virtual environment has exactly what the lock lists."""
    sync: list[str | Path] = [uv, "pip", "sync", "--dry-run", "--python", folder / "bin" / "python", lock]
    result = subprocess.run(sync, env=installer_environment(), capture_output=True, text=True, check=False)
    return result.returncode == 0 and "Would make no changes" in result.stderr


def _version(uv: str) -> tuple[int, ...]:
    try:
        reply = subprocess.run([uv, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.match(r"uv (\d+)\.(\d+)", reply)
    return tuple(map(int, found.groups())) if found else ()
