"""The images of the train, val and test parts of a data.yaml: folders, or text files that list images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from optml.errors import Refusal
from vision import documents, images
from vision.folder import Folder, is_file, is_folder, shortened

SPLITS = {"train": "train", "val": "validation", "test": "test"}


def read(settings: Mapping[str, Any], file: Path, folder: Folder) -> Iterator[tuple[str, list[Path]]]:
    """(split, images) of each part that the `settings` of data.yaml `file` name; with none, all of images/ as one.

    Refusal for a part that does not exist, and for a train or val part without images.
    """
    root, shown = _root(settings, file), folder.show(file)
    declared = {key: settings[key] for key in SPLITS if settings.get(key)}
    for key, value in (declared or {"": "images"}).items():
        found: list[Path] = []
        for entry in map(str, value if isinstance(value, list) else [value]):
            found += _images(entry, root, _shown(key, entry, shown), folder)
        if not found and key != "test":
            otherwise = ", or leave val out to have some of train set aside" if key == "val" else ""
            raise Refusal(
                f"{_shown(key, value, shown)} holds no images", f"put images there, or correct the path{otherwise}"
            )
        yield SPLITS.get(key, ""), found


def _shown(key: str, value: object, shown: str) -> str:
    """What errors call an entry of a part; without a key, it is the folder that is taken then."""
    return f'"{key}: {shortened(str(value))}" of {shown}' if key else f"a folder images/ beside {shown}"


def _root(settings: Mapping[str, Any], file: Path) -> Path:
    """`path` of data.yaml where that folder exists beside it, else the folder of data.yaml (it was made elsewhere)."""
    declared = settings.get("path")
    here = file.absolute().parent
    return here / declared if isinstance(declared, str) and is_folder(here / declared) else here


def _images(entry: str, root: Path, what: str, folder: Folder) -> Iterator[Path]:
    """The images of an entry, a folder or a list, which errors call `what`."""
    path = _existing(root, entry)
    if path is None:
        raise Refusal(f"{what} does not exist (looked in {folder.show(root)})", "write the path relative to data.yaml")
    if is_folder(path):
        yield from images.find(path)
        return
    if path.suffix.lower() in images.SUFFIXES:
        raise Refusal(f"{what} is a single image", "name its folder, or a text file with the path of an image a line")
    shown = folder.show(path)
    text = documents.read_text(path, shown, "write the path of an image a line, as UTF-8")
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line:
            continue
        image = _existing(path.parent, line) or _existing(root, line)
        if image is None:
            raise Refusal(f"no image {shortened(line)} ({shown}:{number})", "correct the line or add the image")
        yield image


def _existing(root: Path, entry: str) -> Path | None:
    """The path of an entry below `root`; `../images`, which Roboflow writes for `images`, counts as such."""
    for candidate in (root / entry, root / entry.removeprefix("../")):
        if is_file(candidate) or is_folder(candidate):
            return Path(os.path.normpath(candidate))
    return None
