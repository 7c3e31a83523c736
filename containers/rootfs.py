"""What images stand on, bootstrapped from Debian's archive: the base of all where no registry answers, Debian 12 as
slim as the public image; and the roots of the runtime images, for any architecture. Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

SUITE = "bookworm"
REGISTRY_TIMEOUT_S = 20
LEFT_OUT = ("doc", "groff", "info", "linda", "lintian", "locale", "man")
"""Of /usr/share; copyright files stay."""
_PIN = r"Package: usrmerge\nPin: release *\nPin-Priority: -1\n"
_MERGED = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
"""The root is made with /usr merged, rather than merged afterwards by a package that brings all of Perl."""
_LISTED = """
mkdir -p "$1/var/lib/dpkg/status.d"
for deb in "$1"/var/cache/apt/archives/*.deb; do
  dpkg-deb --field "$deb" >"$1/var/lib/dpkg/status.d/$(dpkg-deb --field "$deb" Package)"
done"""
_UNNEEDED = "dpkg original-awk tar libacl1 libmd0 libpcre2-8-0 libselinux1 libzstd1"
"""What readline and base-files ask for to be installed by, and what only that needs."""
_REDUCED = f"""
cd "$1"
for name in {_UNNEEDED}; do
  dpkg-deb --fsys-tarfile var/cache/apt/archives/"$name"_*.deb | tar --list | grep -v /$ | xargs -d '\\n' rm -f
  rm -f "var/lib/dpkg/status.d/$name"
done"""
_USERS = r"""
printf 'root:x:0:0:root:/tmp:/usr/sbin/nologin\ndrydock:x:1000:1000:drydock:/tmp:/usr/sbin/nologin\n' >"$1/etc/passwd"
printf 'root:x:0:\ndrydock:x:1000:\n' >"$1/etc/group"
"""
_TRIMMED = """
cd "$1/usr/share"
find doc ! -type d ! -name copyright -delete
find doc -type d -empty -delete
rm -rf doc-base info lintian locale man menu python3 perl5 bug
cd "$1" && rm -rf usr/lib/*/gconv usr/lib/python3.*/test usr/lib/python3.*/pydoc_data usr/lib/python3.*/lib2to3 \
  usr/share/dict usr/bin/pydoc* var/lib/dpkg/available"""


@dataclass(frozen=True)
class Recipe:
    name: str
    options: tuple[str, ...]
    """Of mmdebstrap."""
    suite: str = SUITE


BASE = Recipe(
    SUITE,
    (
        "--variant=minbase",
        _MERGED,
        f"--setup-hook=printf '{_PIN}' >\"$1/etc/apt/preferences.d/drydock\"",
        '--customize-hook=rm "$1/etc/apt/preferences.d/drydock"',
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        "--aptopt=APT::Install-Recommends false",
    ),
)


def runtime(name: str, architecture: str, suite: str = SUITE, python: str = "3.11") -> Recipe:
    """Python and what its packages link, unpacked and nothing run: no shell, no package manager, no emulator needed."""
    packages = f"base-files,original-awk,python{python}-minimal,libpython{python}-stdlib,libstdc++6"
    links = f'--extract-hook=ln -s python{python} "$1/usr/bin/python3"'
    hooks = [f"--extract-hook={script}" for script in (_LISTED, _REDUCED, _USERS, _TRIMMED)]
    return Recipe(
        name,
        ("--variant=extract", f"--architectures={architecture}", f"--include={packages}", _MERGED, links, *hooks),
        suite,
    )


RUNTIMES: Mapping[str, Recipe] = {
    "amd64": runtime("runtime-amd64", "amd64"),
    "arm64": runtime("runtime-arm64", "arm64"),
    "jetpack-5": runtime("jetpack-5", "arm64", "bullseye", "3.9"),
    "jetpack-6": runtime("jetpack-6", "arm64"),
}
"""Those of JetPack stand in for NVIDIA's bases: with their C library or the next newer, not with their Python."""


class NoBaseError(Exception):
    """Debian's archive or mmdebstrap gives no root."""


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


def bootstrap(recipe: Recipe, folder: Path, say: Callable[[str], None]) -> Path:
    """A folder with `rootfs.tar`, made once for each recipe; raises NoBaseError."""
    command = ["mmdebstrap", *recipe.options, recipe.suite]
    place = folder / f"{recipe.name}-{hashlib.sha256(' '.join(command).encode()).hexdigest()[:12]}"
    if (place / "rootfs.tar").exists():
        return place
    if not shutil.which("mmdebstrap"):
        raise NoBaseError(f"mmdebstrap is not there to make {recipe.name} from Debian's archive")
    place.mkdir(parents=True, exist_ok=True)
    say(f"bootstrapping {recipe.name} from Debian's archive, once")
    unfinished, log = place / "part.tar", place / "log.txt"
    with log.open("w") as file:
        environ = {"SOURCE_DATE_EPOCH": "0", **os.environ}
        result = subprocess.run(
            [*command, str(unfinished), *_sources(recipe.suite)],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environ,
            check=False,
        )
    if result.returncode != 0:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("E:")]
        raise NoBaseError(
            f"mmdebstrap failed to make {recipe.name}: {lines[0][:200] if lines else 'no reason'} ({log})"
        )
    unfinished.replace(place / "rootfs.tar")
    return place


def _sources(suite: str) -> list[str]:
    """Where a release is that Debian supports no more: in the machine's own mirror, without its security updates."""
    if suite == SUITE:
        return []
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", f"Codename: {SUITE}", "Created-By: Packages"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    if not listed:
        raise NoBaseError(f"this machine has no mirror of Debian 12 to take {suite} from")
    return [f"deb {listed[0]} {suite} main"]
