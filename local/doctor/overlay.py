"""Reads an image where the engine keeps it, if this user may: folders of Docker's overlay2 driver, one for each layer.

Saving an image of 6 GB takes the engine minutes; here only what the checks ask about is read.
"""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.doctor.image import Image, with_history
from local.doctor.layer import OPAQUE, WHITEOUT, Entry, Kind, Layer, file_entry

_DRIVER = "overlay2"
_CONFIGURATIONS = f"image/{_DRIVER}/imagedb/content"
_OPAQUE_ATTRIBUTE = "trusted.overlay.opaque"
_CAP_SYS_ADMIN = 21


def of_engine(api: Any, reference: str) -> Image | None:
    """The image of that name, or None if the engine keeps it otherwise, or out of this user's reach."""
    found = api.inspect_image(reference)
    driver = found.get("GraphDriver") or {}
    if driver.get("Name") != _DRIVER or not _sees_marks():
        return None
    data = driver.get("Data") or {}
    folders = [Path(name) for name in reversed([data.get("UpperDir", ""), *filter(None, _lower(data))])]
    try:
        place = Path(api.info()["DockerRootDir"]) / _CONFIGURATIONS / Path(*found["Id"].split(":"))
        config = json.loads(place.read_text(encoding="utf-8"))
        digests = config["rootfs"]["diff_ids"]
        if len(digests) != len(folders):
            return None
        layers = [Layer(digest, dict(_entries(folder))) for digest, folder in zip(digests, folders, strict=True)]
    except OSError:
        return None
    return Image(reference, config, with_history(config, layers), reference)


def _lower(data: dict[str, str]) -> list[str]:
    return data.get("LowerDir", "").split(":")


def _entries(root: Path) -> Iterator[tuple[str, Entry]]:
    """Every path of a layer's folder; the driver's marks of what is deleted become whiteouts."""
    first: dict[int, str] = {}
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        with os.scandir(folder) as found:
            children = sorted(found, key=lambda child: child.name)
        for child in children:
            place, facts = Path(child.path), child.stat(follow_symlinks=False)
            path = place.relative_to(root).as_posix()
            if stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0:
                yield str(Path(path).with_name(WHITEOUT + child.name)), Entry(Kind.file, 0)
                continue
            if stat.S_ISDIR(facts.st_mode):
                waiting.append(place)
                if _is_opaque(place):
                    yield f"{path}/{OPAQUE}", Entry(Kind.file, 0)
            elif facts.st_nlink > 1 and first.setdefault(facts.st_ino, path) != path:
                yield path, Entry(Kind.hardlink, stat.S_IMODE(facts.st_mode), target=first[facts.st_ino])
                continue
            yield path, _entry(place, path, facts)


def _entry(place: Path, path: str, facts: os.stat_result) -> Entry:
    mode = stat.S_IMODE(facts.st_mode)
    if stat.S_ISDIR(facts.st_mode):
        return Entry(Kind.folder, mode)
    if stat.S_ISLNK(facts.st_mode):
        return Entry(Kind.symlink, mode, target=str(place.readlink()))
    if not stat.S_ISREG(facts.st_mode):
        return Entry(Kind.other, mode)
    with place.open("rb") as content:
        return file_entry(content, path, mode, facts.st_size, can_seek=True)


def _sees_marks() -> bool:
    """Whether this process has CAP_SYS_ADMIN, without which the kernel hides the driver's attributes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> _CAP_SYS_ADMIN & 1)


def _is_opaque(folder: Path) -> bool:
    try:
        return os.getxattr(folder, _OPAQUE_ATTRIBUTE) == b"y"
    except OSError:
        return False
