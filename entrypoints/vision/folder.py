"""A folder of images and their annotations, and what errors call its files (standard library only).

A job's channel is a private copy, so its files are named as `CHANNEL/PATH`; those of a folder that a user typed keep
the path as typed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folder:
    path: Path
    channel: str = ""
    """Name of the job's channel that it is; empty for a folder that was typed."""

    def __str__(self) -> str:
        return f'channel "{self.channel}"' if self.channel else str(self.path)

    @property
    def label(self) -> str:
        """What stands before the path of a file in it."""
        return self.channel or str(self.path)

    @property
    def root(self) -> Path:
        """Its path, absolute and without `..`."""
        return Path(os.path.abspath(self.path))  # noqa: PTH100  (Path.resolve would follow links out of the folder)

    def show(self, path: Path) -> str:
        """What errors call a file of it, `train/images/a.jpg`, or the folder itself."""
        relative = os.path.relpath(path, self.root)
        return str(self) if relative == "." else f"{self.label}/{relative}"

    def name(self, path: Path) -> str:
        """The path below `root` of a file there, "/" between parts; ValueError for any other."""
        return path.relative_to(self.root).as_posix()


def visible(folder: Path) -> list[Path]:
    """Every file below a folder, sorted; hidden files and folders are skipped, linked folders are not."""
    return sorted(_walk(folder, ()))


def _walk(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """`above` identifies the folders around it, which a link may lead back to: that one is not entered again."""
    try:
        found = os.stat(folder)  # noqa: PTH116
        entries = list(os.scandir(folder))
    except OSError:
        return
    identity = (found.st_dev, found.st_ino)
    if identity in above:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if is_folder(folder / entry.name) if entry.is_symlink() else entry.is_dir():
            yield from _walk(folder / entry.name, (*above, identity))
        else:
            yield folder / entry.name


def is_file(path: Path) -> bool:
    """Whether that file exists; False also for a path no system takes, where Path.is_file raises (too long, say)."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether that folder exists; False also for a path that no system takes."""
    return os.path.isdir(path)  # noqa: PTH112


def shortened(text: str, longest: int = 160) -> str:
    """What errors quote of a text: all of it, or its two ends."""
    return text if len(text) <= longest else f"{text[: longest // 2]}…{text[-longest // 2 :]}"


def reason(error: Exception) -> str:
    """What an exception says, without the path that the system adds to it."""
    return getattr(error, "strerror", None) or str(error)
