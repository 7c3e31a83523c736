"""A copy of this checkout, as a clone of it would be, for commands that write into the checkout they belong to."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.emulator import ROOT

TIMEOUT_S = 280
ROOTFS = Path(".drydock/images")
"""Where the base of the images is kept that was bootstrapped from Debian's archive."""


@dataclass(frozen=True)
class Checkout:
    """`folder` holds the copy; environments are shared with this checkout."""

    folder: Path

    def run(self, script: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a script of bash there, stdout and stderr in one, with no variable of AWS's or of ours from outside."""
        ours = ("AWS_", "DRYDOCK_", "MAKE", "PYTHONPATH")
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, env=inherited | environ,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            timeout=TIMEOUT_S,
        )  # fmt: skip

    def shell(self, script: str, **environ: str) -> str:
        """What a script prints that must succeed."""
        done = self.run(script, **environ)
        assert done.returncode == 0, done.stdout
        return done.stdout


def copy(folder: Path) -> Checkout:
    """What git tracks or would track, in a new folder, beside the environments that are there already."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    (folder / ".venvs").symlink_to(ROOT / ".venvs")
    if (ROOT / ROOTFS).is_dir():
        (folder / ROOTFS).parent.mkdir()
        (folder / ROOTFS).symlink_to(ROOT / ROOTFS)  # images of the copy share the layers of ours
    return Checkout(folder)
