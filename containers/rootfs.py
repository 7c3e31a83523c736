"""The base of all images where no registry answers: Debian 12, bootstrapped from Debian's archive as slim as the public
image. Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

SUITE = "bookworm"
_PIN = r"Package: usrmerge\nPin: release *\nPin-Priority: -1\n"
HOOKS = (
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    f"--setup-hook=printf '{_PIN}' >\"$1/etc/apt/preferences.d/drydock\"",
    '--customize-hook=rm "$1/etc/apt/preferences.d/drydock"',
)
"""The root is made with /usr merged, rather than merged afterwards by a package that brings all of Perl."""
LEFT_OUT = ("doc", "groff", "info", "linda", "lintian", "locale", "man")
"""Of /usr/share; copyright files stay."""
REGISTRY_TIMEOUT_S = 20


class NoBaseError(Exception):
    """Neither a registry nor mmdebstrap gives a base."""


def public_name(dockerfile: Path) -> str:
    """The public image that the base is made from: the first FROM."""
    found = re.search(r"^FROM (\S+)", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"{dockerfile} has no FROM")
    return found[1]


def registry_has(image: str) -> bool:
    """Whether the engine has the image or a registry answers for it, mirrors and proxies of the host included."""
    for command in (["image", "inspect"], ["buildx", "imagetools", "inspect"]):
        try:
            result = subprocess.run(
                ["docker", *command, image], capture_output=True, timeout=REGISTRY_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            continue
        if result.returncode == 0:
            return True
    return False


def bootstrap(folder: Path, say: Callable[[str], None]) -> Path:
    """A folder with `rootfs.tar`, made once for each recipe; raises NoBaseError."""
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
    options += ["--dpkgopt=path-include=/usr/share/doc/*/copyright", "--aptopt=APT::Install-Recommends false"]
    recipe = ["mmdebstrap", "--variant=minbase", *HOOKS, *options, SUITE]
    place = folder / f"{SUITE}-{hashlib.sha256(' '.join(recipe).encode()).hexdigest()[:12]}"
    if (place / "rootfs.tar").exists():
        return place
    if not shutil.which("mmdebstrap"):
        raise NoBaseError("no registry answers, and mmdebstrap is not there to make a base from Debian's archive")
    place.mkdir(parents=True, exist_ok=True)
    say(f"bootstrapping Debian ({SUITE}) from its archive, once")
    unfinished, log = place / "part.tar", place / "log.txt"
    with log.open("w") as file:
        command = [*recipe, str(unfinished)]
        environ = {"SOURCE_DATE_EPOCH": "0", **os.environ}
        result = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environ, check=False)
    if result.returncode != 0:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("E:")]
        raise NoBaseError(
            f"no registry answers, and mmdebstrap failed: {lines[0][:200] if lines else 'no reason'} ({log})"
        )
    unfinished.replace(place / "rootfs.tar")
    return place
