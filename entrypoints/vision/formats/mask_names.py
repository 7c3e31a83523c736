"""Which images are masks of which, by folders and names: `masks/a.png`, `a_GT.png`, `a_label.bmp` (no packages)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

IMAGE_FOLDERS = frozenset({"images", "image", "imgs", "img"})
MASK_FOLDERS = frozenset({"masks", "mask", "labels", "label", "annotations", "ground_truth", "groundtruth", "gt"})
MASK_NAME = re.compile(r"(?P<stem>.+)_(?:gt|label|mask)(?P<copy> \(copy(?: \d+)?\))?", re.IGNORECASE)
COPY = re.compile(r"(?P<stem>.+) \(copy(?: \d+)?\)")
KOLEKTOR_ITEM = re.compile(r"(?:.*/)?(kos\d+)[_/]Part\d+")


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


def item(key: str) -> str:
    """The thing that an image shows: several of one KolektorSDD item show one, and a copy what its original shows."""
    named = KOLEKTOR_ITEM.fullmatch(key)
    return named[1] if named else COPY.sub(r"\g<stem>", key)
