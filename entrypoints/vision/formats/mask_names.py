"""Which images are masks of which, by folders and names: `masks/a.png`, `a_GT.png`, `a_label.bmp` (no packages)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

IMAGE_FOLDERS = frozenset({"images", "image", "imgs", "img"})
MASK_FOLDERS = frozenset({"masks", "mask", "labels", "label", "annotations", "ground_truth", "groundtruth", "gt"})
MASK_NAME = re.compile(r"(?P<stem>.+)_(?:gt|label|mask)(?P<copy> \(copy(?: \d+)?\))?", re.IGNORECASE)
COPY = re.compile(r"(?P<stem>.+) \(copy(?: \d+)?\)")
KOLEKTOR_ITEM = re.compile(r"(?:.*/)?(kos\d+)[_/]Part\d+")

EXPOSURE = re.compile(r"(?:.*/)?exp(\d+)_num_(\d+)")
NEXT_FRAMES, WITHIN_TILE = 100, 400
"""How far apart the numbers of frames of one tile are at most: of any two, and of a higher exposure after a lower."""


def is_mask(name: str) -> bool:
    """Whether an image is a mask by its path, "/" between parts: the innermost folder that says so decides."""
    *parents, file = name.lower().split("/")
    inner = next((part for part in reversed(parents) if part in MASK_FOLDERS | IMAGE_FOLDERS), "")
    return inner in MASK_FOLDERS or (inner not in IMAGE_FOLDERS and bool(MASK_NAME.fullmatch(PurePosixPath(file).stem)))


def key(name: str, *, suffixed: bool = True) -> str:
    """What an image and its mask have in common: the path without such folders and, if `suffixed`, suffixes."""
    *parents, file = name.split("/")
    stem = PurePosixPath(file).stem
    named = MASK_NAME.fullmatch(stem) if suffixed and is_mask(name) else None
    if named:
        stem = named["stem"] + (named["copy"] or "")
    return "/".join([*(part for part in parents if part.lower() not in MASK_FOLDERS | IMAGE_FOLDERS), stem])


def groups(keys: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """What of several images is one thing, by key, and notes. No split parts them.

    An item of KolektorSDD, a copy and its original, the exposures of a magnetic tile.
    """
    keys = list(keys)
    tiles = _tiles(keys)
    items = {key: tiles.get(key) or _item(key) for key in keys}
    several = Counter(items.values())
    note = f"{len(tiles)} images exp…_num_… taken for exposures of {len(set(tiles.values()))} tiles by their numbers"
    return {key: item for key, item in items.items() if several[item] > 1}, [note] if tiles else []


def _item(key: str) -> str:
    named = KOLEKTOR_ITEM.fullmatch(key)
    return named[1] if named else COPY.sub(r"\g<stem>", key)


def _tiles(keys: Iterable[str]) -> dict[str, str]:
    """The tile of each image of the magnetic tiles, `MT_Crack/exp3_num_276387`, also across classes.

    The set does not name its tiles. They were photographed one after another, each under exposures 1 to 6, and frames
    are numbered throughout: in 258 images of the set runs of close numbers are six exposures in 35 cases of 45.
    """
    found = sorted((int(named[2]), int(named[1]), key) for key in keys if (named := EXPOSURE.fullmatch(key)))
    tiles: dict[str, str] = {}
    tile, last, exposure = "", 0, 0
    for number, now, key in found:
        if not tile or number - last > (WITHIN_TILE if now > exposure else NEXT_FRAMES):
            tile = f"tile {number}"
        tiles[key], last, exposure = tile, number, now
    return tiles
