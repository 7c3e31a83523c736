"""Reads what an annotation file refers to: a manifest (JSON Lines), a .lst file, COCO JSON, or a YOLO data.yaml."""

import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from local.cli.folders import walk
from local.cli.refusal import Refusal

MANIFESTS = (".manifest", ".jsonl")
YOLO = ("data.yaml", "data.yml")
LIST = ".lst"
KNOWN = "*.manifest, *.jsonl, *.lst, COCO *.json or data.yaml"

_PARTS = ("train", "val", "test")


class Reference(NamedTuple):
    """A path or key that an annotation file names, and where in it."""

    where: str
    path: PurePosixPath


def is_known(path: Path) -> bool:
    """Whether a file given as data is read as one of these."""
    return path.suffix in (*MANIFESTS, LIST, ".json") or is_yolo(path)


def is_yolo(path: Path) -> bool:
    """Whether it is the data.yaml of a YOLO folder."""
    return path.name in YOLO


def references(file: Path) -> list[Reference]:
    """What a manifest, a list or a COCO file names. Raises Refusal for a file that does not parse, with the line."""
    if file.suffix == LIST:
        return list(_of_list(file))
    return list(_of_coco(file) if file.suffix == ".json" else _of_manifest(file))


def yolo_files(file: Path) -> list[Path]:
    """The images that a data.yaml names, by folder, list or path, and their labels; all exist.

    Raises Refusal for an entry that is not there, or a file that does not parse.
    """
    settings = _settings(file)
    here, declared = file.absolute().parent, settings.get("path")
    root = here / declared if isinstance(declared, str) and (here / declared).is_dir() else here
    entries = [(f"{file}: {part}", entry) for part in _PARTS for entry in _listed(settings.get(part))]
    found: list[Path] = []
    for where, entry in entries or [(str(file), "images")]:
        found += _images(where, entry, root)
    return [path for image in dict.fromkeys(found) for path in (image, _label(image)) if path.is_file()]


def _of_manifest(file: Path) -> Iterator[Reference]:
    """Each ``…-ref`` key's value, with its line."""
    lines = _text(file, "a manifest is a text file with JSON Lines").split("\n")
    if not any(line.strip() for line in lines):
        raise Refusal(f"{file} is empty", 'each line of a manifest is an object with a "source-ref"')
    for number, line in enumerate(lines, start=1):
        if line.strip():
            where = f"{file}:{number}"
            yield from (Reference(where, _path(value)) for value in _references_of(line, where))


def _of_list(file: Path) -> Iterator[Reference]:
    """The last column of each line, with its line."""
    for number, line in enumerate(_text(file, "save it as UTF-8").split("\n"), start=1):
        if line.strip():
            yield Reference(f"{file}:{number}", _path(line.split("\t")[-1].strip()))


def _references_of(line: str, where: str) -> list[str]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{where} is not JSON: {error}", "each line of a manifest is one object") from error
    if not isinstance(record, dict) or not isinstance(record.get("source-ref"), str):
        raise Refusal(f'{where} has no "source-ref"', "each line of a manifest names its image under that key")
    return [value for key, value in record.items() if key.endswith("-ref") and isinstance(value, str)]


def _of_coco(file: Path) -> Iterator[Reference]:
    try:
        content = json.loads(_text(file, "save it as UTF-8"))
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{file} is not JSON: {error}", "write the file anew") from error
    images = content.get("images") if isinstance(content, dict) and "annotations" in content else None
    if not isinstance(images, list) or not images:
        raise Refusal(f'{file} is no COCO JSON: it has no "images" and "annotations"', f"--data takes {KNOWN}")
    for number, image in enumerate(images):
        name = image.get("file_name") if isinstance(image, dict) else None
        if not isinstance(name, str):
            raise Refusal(f'{file}, images[{number}] has no "file_name"', "add it")
        yield Reference(f"{file}, images[{number}]", _path(name))


def _settings(file: Path) -> dict[str, Any]:
    import yaml

    try:
        settings = yaml.safe_load(_text(file, "save it as UTF-8"))
    except (yaml.YAMLError, RecursionError) as error:
        raise Refusal(f"{file} does not parse: {' '.join(str(error).split())}", "write it as YAML") from error
    if not isinstance(settings, dict):
        raise Refusal(f"{file} is no mapping", "write names: and train: at least")
    return settings


def _listed(value: object) -> list[str]:
    return [str(entry) for entry in (value if isinstance(value, list) else [value] if value else [])]


def _images(where: str, entry: str, root: Path) -> list[Path]:
    place = _existing(root, entry)
    if place is None:
        raise Refusal(f"{where} names {entry}, which does not exist in {root}", "write the path relative to data.yaml")
    if place.is_dir():
        return list(walk(place))
    if place.suffix != ".txt":
        return [place]
    found = [place]
    for number, line in enumerate(_text(place, "a list has one image a line").split("\n"), start=1):
        if line.strip():
            image = _existing(place.parent, line.strip()) or _existing(root, line.strip())
            if image is None:
                raise Refusal(f"{place}:{number}: there is no image {line.strip()}", "correct the line")
            found.append(image)
    return found


def _existing(root: Path, entry: str) -> Path | None:
    """The path of an entry below ``root``; ``../images``, which Roboflow writes for ``images``, counts as such."""
    candidates = (Path(os.path.normpath(root / name)) for name in (entry, entry.removeprefix("../")))
    return next((path for path in candidates if path.exists()), None)


def _label(image: Path) -> Path:
    """The label file of an image: the last ``images`` of its path is ``labels`` there."""
    parts = list(image.parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index("images")] = "labels"
    return Path(*parts).with_suffix(".txt")


def _path(reference: str) -> PurePosixPath:
    """The key of an ``s3://`` address, or the path itself, without what leads upwards."""
    path = reference.removeprefix("s3://").partition("/")[2] if reference.startswith("s3://") else reference
    return PurePosixPath(*(part for part in PurePosixPath(path).parts if part not in ("/", "..")))


def _text(file: Path, hint: str) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"{file} cannot be read: {error}", hint) from error
