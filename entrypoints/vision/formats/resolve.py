"""Where the file is that an annotation refers to (standard library only).

A reference is an S3 URI, a file URI, an absolute or a relative path. It is looked for, within the channel only: by the
exact key or path, in the annotation file's folder, in that folder's parents, and last as the longest path suffix that
one file of the channel has. Two files with the longest suffix are an error, never a guess.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from optml.errors import Refusal
from vision.folder import Folder, is_file, shortened, visible


class Resolver:
    """Finds references of one annotation file in one channel; the channel is listed once, when a suffix is needed."""

    def __init__(self, file: Path, folder: Folder) -> None:
        self._folder, self._channel = folder, folder.root
        self._folders = [self._channel, *_between(file.absolute().parent, self._channel)]
        self._by_name: dict[str, list[Path]] | None = None
        self.by_suffix: list[str] = []  # references that only a suffix found

    def find(self, reference: str, where: str, kind: str = "image") -> Path:
        """The file of a reference that stands at `where` ("file:line"); Refusal if none or several fit."""
        parts = _parts(reference)
        if not parts:
            raise Refusal(f"{kind} reference {reference!r} names no file ({where})", "write the path of a file")
        for folder in self._folders:
            candidate = Path(os.path.normpath(folder.joinpath(*parts)))
            if candidate.is_relative_to(self._channel) and is_file(candidate):
                return candidate
        return self._find_suffix(reference, parts, where, kind)

    def _find_suffix(self, reference: str, parts: tuple[str, ...], where: str, kind: str) -> Path:
        parts = tuple(part for part in parts if part != "..")
        named = self._index().get(parts[-1], []) if parts else []
        best = max((_shared(path, parts) for path in named), default=0)
        fitting = [path for path in named if _shared(path, parts) == best]
        if not fitting:
            raise Refusal(
                f"no {kind} {shortened(reference)} ({where}; looked in {self._folder})",
                f"add the file to {self._folder} or correct {where}",
            )
        if len(fitting) > 1:
            names = ", ".join(self._folder.show(path) for path in fitting)
            raise Refusal(
                f"{kind} {shortened(reference)} could be any of {names} ({where})",
                "write enough of the path to tell them apart",
            )
        self.by_suffix.append(reference)
        return fitting[0]

    def _index(self) -> dict[str, list[Path]]:
        if self._by_name is None:
            self._by_name = defaultdict(list)
            for path in visible(self._channel):
                self._by_name[path.name].append(path)
        return self._by_name


def _parts(reference: str) -> tuple[str, ...]:
    """The path of a reference in its bucket, file system or folder, without a leading slash."""
    text = reference.strip()
    if text.startswith("s3://"):
        text = text[len("s3://") :].partition("/")[2]
    elif text.startswith("file://"):
        text = unquote(text[len("file://") :].partition("/")[2])
    return tuple(part for part in PurePosixPath(text.replace("\\", "/")).parts if part != "/")


def _between(folder: Path, top: Path) -> list[Path]:
    """A folder and its parents up to `top`; the folder alone if it does not lie below `top`."""
    if not folder.is_relative_to(top):
        return [folder]
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(top))]


def _shared(path: Path, parts: tuple[str, ...]) -> int:
    """How many trailing parts a path has in common with `parts`."""
    pairs = zip(reversed(path.parts), reversed(parts), strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(path.parts), len(parts)))
