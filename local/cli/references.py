"""Finds the files that an annotation manifest (JSON Lines) refers to, and the folder that holds them all."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from local.cli.refusal import Refusal

SUFFIXES = (".manifest", ".jsonl")
ANCESTORS = 6
"""How far above the manifest a reference is looked up as the path it is."""
SEARCHED_ANCESTORS = 3
"""How far above it files are searched for by name."""
SEARCHED_FILES = 100_000

Reference = tuple[int, PurePosixPath]
"""Line of the manifest, path or key that stands there."""


@dataclass(frozen=True)
class Bundle:
    """A manifest with everything it refers to."""

    folder: Path
    """The nearest ancestor of the manifest that holds all of it."""
    manifest: str
    """The manifest's place below ``folder``."""
    files: tuple[Path, ...]
    """The manifest and each file it refers to, once."""


def is_manifest(path: Path) -> bool:
    """Whether a file given as data is read as a manifest."""
    return path.suffix in SUFFIXES


def bundle(manifest: Path) -> Bundle:
    """Reads the manifest and finds its files below the nearest folder that has them all.

    First as the paths that the references are (of a key, also its end parts), then anywhere below by name: which of
    several files of one name is meant is for the program to say. Raises Refusal naming the first reference that no
    folder has, with its line.
    """
    manifest = manifest.absolute()
    references = list(_references(manifest))
    parents = [folder for folder in manifest.parents if folder not in (Path(folder.anchor), Path.home())]
    for folder in parents[:ANCESTORS]:
        located = [_locate(path, folder) for _, path in references]
        if all(located):
            return _bundle(manifest, folder, [path for path in located if path])
    missing = references[0]
    for folder in parents[:SEARCHED_ANCESTORS]:
        named = _files_by_name(folder)
        lost = next((reference for reference in references if reference[1].name not in named), None)
        if lost is None:
            return _bundle(manifest, folder, [path for _, wanted in references for path in named[wanted.name]])
        missing = max(missing, lost)
    raise Refusal(
        f"{manifest}:{missing[0]}: {missing[1]} is in none of the folders around the manifest",
        "put the images beside the manifest under the paths it names",
    )


def _bundle(manifest: Path, folder: Path, files: list[Path]) -> Bundle:
    return Bundle(folder, manifest.relative_to(folder).as_posix(), tuple(dict.fromkeys([manifest, *files])))


def _references(manifest: Path) -> Iterator[Reference]:
    """Each ``…-ref`` key's value, with its line."""
    try:
        lines = manifest.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"{manifest} cannot be read: {error}", "a manifest is a text file with JSON Lines") from error
    if not any(line.strip() for line in lines):
        raise Refusal(f"{manifest} is empty", 'each line of a manifest is an object with a "source-ref"')
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield from ((number, _path(value)) for value in _references_of(line, f"{manifest}:{number}"))


def _references_of(line: str, place: str) -> list[str]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise Refusal(f"{place} is not JSON: {error}", "each line of a manifest is one object") from error
    if not isinstance(record, dict) or not isinstance(record.get("source-ref"), str):
        raise Refusal(f'{place} has no "source-ref"', "each line of a manifest names its image under that key")
    return [value for key, value in record.items() if key.endswith("-ref") and isinstance(value, str)]


def _path(reference: str) -> PurePosixPath:
    """The key of an ``s3://`` address, or the path itself, without what leads upwards."""
    path = reference.removeprefix("s3://").partition("/")[2] if reference.startswith("s3://") else reference
    return PurePosixPath(*(part for part in PurePosixPath(path).parts if part not in ("/", "..")))


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
    for count, path in enumerate(folder.rglob("*")):
        if count == SEARCHED_FILES:
            return {}
        named.setdefault(path.name, []).append(path)
    return named
