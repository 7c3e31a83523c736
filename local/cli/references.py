"""Finds the files that an annotation file refers to, and the folder that holds them all."""

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from local.cli import annotations
from local.cli.folders import walk
from local.cli.refusal import Refusal

ANCESTORS = 6
"""How far above the annotation file a reference is looked up as the path it is."""
SEARCHED_ANCESTORS = 3
"""How far above it files are searched for by name."""
SEARCHED_FILES = 100_000


@dataclass(frozen=True)
class Bundle:
    """An annotation file with everything it refers to."""

    folder: Path
    """Its nearest ancestor that holds all of it."""
    manifest: str
    """Its place below ``folder``."""
    files: tuple[Path, ...]
    """Itself and each file it refers to, once."""


def bundle(file: Path) -> Bundle:
    """Reads an annotation file and finds its files below the nearest folder that has them all.

    First as the paths that the references are (of a key, also its end parts), then anywhere below by name: which of
    several files of one name is meant is for the program to say. Raises Refusal naming the first reference that no
    folder has, with its line.
    """
    file = file.absolute()
    parents = [folder for folder in file.parents if folder not in (Path(folder.anchor), Path.home())]
    if annotations.is_yolo(file):
        return _bundle_yolo(file, parents)
    references = annotations.references(file)
    for folder in parents[:ANCESTORS]:
        located = [_locate(reference.path, folder) for reference in references]
        if all(located):
            return _bundle(file, folder, [path for path in located if path])
    missing = 0
    for folder in parents[:SEARCHED_ANCESTORS]:
        named = _files_by_name(folder)
        lost = next((i for i, reference in enumerate(references) if reference.path.name not in named), None)
        if lost is None:
            return _bundle(file, folder, [path for _, wanted in references for path in named[wanted.name]])
        missing = max(missing, lost)
    where, path = references[missing]
    raise Refusal(
        f"{where}: {path} is in none of the folders around the file that names it",
        f"put the images beside {file.name} under the paths it names",
    )


def _bundle_yolo(file: Path, parents: list[Path]) -> Bundle:
    files = annotations.yolo_files(file)
    folder = Path(os.path.commonpath([file.parent, *files]))
    if folder not in parents:
        raise Refusal(f"{file} and its images have no folder of their own in common", "move them into one")
    return _bundle(file, folder, files)


def _bundle(file: Path, folder: Path, files: list[Path]) -> Bundle:
    return Bundle(folder, file.relative_to(folder).as_posix(), tuple(dict.fromkeys([file, *files])))


def _locate(wanted: PurePosixPath, folder: Path) -> Path | None:
    """``folder/a/b/c.jpg`` or ``folder/b/c.jpg`` for ``a/b/c.jpg``; a bare name only if that is all there is."""
    parts = wanted.parts
    for start in range(max(1, len(parts) - 1)):
        path = folder.joinpath(*parts[start:])
        if path.is_file():
            return path
    return None


def _files_by_name(folder: Path) -> dict[str, list[Path]]:
    """Every file below a folder; nothing for a folder too large to be a data set."""
    named: dict[str, list[Path]] = {}
    paths = list(islice(walk(folder), SEARCHED_FILES))
    for path in paths if len(paths) < SEARCHED_FILES else ():
        named.setdefault(path.name, []).append(path)
    return named
