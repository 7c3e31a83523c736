"""Pascal VOC's split lists, `ImageSets/Main/train.txt`, `val.txt`, `test.txt`: an image a line, by its name.

A name has its suffix or not, and what follows the first space is left aside, as in lists of one class (`000032 -1`),
unless an image has the whole line as its name.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from optml.errors import Refusal
from vision import documents, images
from vision.folder import Folder, shortened, visible
from vision.formats.parts import PARTS

HINT = "write the names of images, one a line, or remove the list"


@dataclass
class Lists:
    """What the lists of a data set say."""

    parts: dict[str, str] = field(default_factory=dict)
    """The split by the name of an image, without suffix; of names that no image has, too."""
    unknown: set[str] = field(default_factory=set)
    """Names that no image has."""


def read(folder: Folder, stems: Collection[str]) -> Lists:
    """The lists below a folder whose images have these names, without suffixes.

    Refusal for a name in two parts, and for a list none of whose lines names an image, by file and line.
    """
    lists = Lists()
    for path in visible(folder.root):
        if path.suffix == ".txt" and path.parent.parts[-2:] == ("ImageSets", "Main") and path.stem in PARTS:
            _read(path, folder.show(path), stems, lists)  # not trainval, and no list of one class
    return lists


def _read(path: Path, shown: str, stems: Collection[str], lists: Lists) -> None:
    """Add what one list says."""
    lines = documents.read_text(path, shown, "save it as UTF-8").split("\n")
    written = [(line.strip(), f"{shown}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    part, any_known = PARTS[path.stem], False
    for text, where in written:
        name = _stem(text, stems)
        any_known |= name in stems
        if name not in stems:
            lists.unknown.add(name)
        if lists.parts.setdefault(name, part) != part:
            raise Refusal(
                f"{name} is in the {lists.parts[name]} and the {part} part ({where})", "keep it in one of them"
            )
    if written and not any_known:
        text, where = written[0]
        raise Refusal(f"no line names an image, {shortened(text)} for instance ({where})", HINT)


def _stem(text: str, stems: Collection[str]) -> str:
    """The name in a line without suffix: the whole line if an image has it, else the first word."""
    for name in (text, text.split(maxsplit=1)[0]):
        for stem in (name, _bare(name)):
            if stem in stems:
                return stem
    return _bare(text.split(maxsplit=1)[0])


def _bare(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in images.SUFFIXES and path.name == name else name
