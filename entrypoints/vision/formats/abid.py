"""The Amazon Bin Image Dataset: images `00042.jpg`, metadata `00042.json` with EXPECTED_QUANTITY, and lists of ids.

| list | content |
|---|---|
| `file_list.json` | `{"3": ["data/metadata/100313.json", "00668.jpg"]}`: count → files of that id |
| `counting_train.json` | `[[41, 3]]`: index from 0 and count, of image 00042.jpg |
| `random_train.txt` | `42`: an id from 1 a line, whose count is in its metadata |

Without a list every metadata file counts. An id is a number: 00042 and 42 are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from optml.errors import Refusal
from vision import documents, images
from vision.folder import Folder, shortened
from vision.formats.resolve import visible
from vision.record import Dataset, Sample, build

QUANTITY = "EXPECTED_QUANTITY"
HINT = 'write {"3": ["00042.jpg", …], …}: count and files'
Row = tuple[int, int, str]
"""Id, count and where it stands."""


def lists(folder: Path) -> list[Path]:
    """The files below a folder that list ids, sorted."""
    return [path for path in visible(folder) if _is_list(path)]


def metadata_files(folder: Path) -> list[Path]:
    """The metadata below a folder, sorted."""
    return [path for path in visible(folder) if path.suffix == ".json" and path.stem.isdecimal()]


def load(file: Path | None, folder: Folder) -> Dataset:
    """The data set of a list, or of all metadata; its classes are the counts, in ascending order."""
    found = _metadata(folder) if file is None or file.suffix == ".txt" else {}
    rows = list(_rows(file, folder, found))
    shown = folder.show(file) if file else str(folder)
    if not rows:
        raise Refusal(f"{shown} names no image with a count", HINT)
    by_id, counts, samples = _images(folder), sorted({count for _, count, _ in rows}), []
    for number, count, where in rows:
        if number not in by_id:
            raise Refusal(f"no image of id {number} ({where}; looked in {folder})", f"add {number:05d}.jpg to {folder}")
        path = by_id[number]
        width, height = images.image_size(path, folder.show(path))
        samples.append(Sample(path, folder.name(path), width, height, (), where, label=counts.index(count)))
    without = sum(count is None for count, _ in found.values())
    notes = [f"{without} metadata files without {QUANTITY} left out"] if without else []
    return build([str(count) for count in counts], samples, notes, folder.label, shown)


def _is_list(path: Path) -> bool:
    if path.suffix == ".txt":
        return bool(re.fullmatch(rb"\s*(\d+\s+)*\d+\s*", path.read_bytes()))
    if path.suffix != ".json" or path.stem.isdecimal():
        return False
    return bool(re.match(rb'\s*(\{\s*"\d+"\s*:\s*\[|\[\s*\[\s*\d)', path.read_bytes()[:4096]))


def _rows(file: Path | None, folder: Folder, found: dict[int, tuple[int | None, str]]) -> Iterator[Row]:
    if file is None:
        yield from ((number, count, where) for number, (count, where) in found.items() if count is not None)
        return
    shown = folder.show(file)
    text = documents.read_text(file, shown, "save it as UTF-8")
    if file.suffix == ".txt":
        for line, word in enumerate(text.split("\n"), 1):
            if word.strip():
                yield from _known(int(word), found, f"{shown}:{line}")
        return
    content = documents.from_json(text, shown, HINT)
    for key, entries in content.items() if isinstance(content, dict) else [(None, content)]:
        for place, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            where = f"{shown}, [{place}]" if key is None else f'{shown}, "{key}"[{place}]'
            yield (_id(entry, where), _count(key, where), where) if key is not None else _pair(entry, where)


def _known(number: int, found: dict[int, tuple[int | None, str]], where: str) -> Iterator[Row]:
    """The row of an id whose count is in its metadata; nothing where that has none."""
    if number not in found:
        raise Refusal(f"no metadata of id {number} ({where})", f"add {number:05d}.json, which has the count")
    count, _ = found[number]
    if count is not None:
        yield number, count, where


def _pair(entry: Any, where: str) -> Row:
    """`[41, 3]`: an index from 0 and a count."""
    if not isinstance(entry, list) or len(entry) != 2 or not all(type(value) is int and value >= 0 for value in entry):
        raise Refusal(f"{shortened(repr(entry))} is no index with its count ({where})", "write [index from 0, count]")
    return entry[0] + 1, entry[1], where


def _id(entry: Any, where: str) -> int:
    stem = PurePosixPath(entry).stem if isinstance(entry, str) else ""
    if not stem.isdecimal():
        raise Refusal(f"{shortened(repr(entry))} names no image by its number ({where})", HINT)
    return int(stem)


def _count(key: str, where: str) -> int:
    if not key.isdecimal():
        raise Refusal(f"{shortened(repr(key))} is no count ({where})", HINT)
    return int(key)


def _metadata(folder: Folder) -> dict[int, tuple[int | None, str]]:
    """Count and place by id; None for metadata that Amazon could not make, which is `{}`."""
    found: dict[int, tuple[int | None, str]] = {}
    for path in metadata_files(folder.root):
        shown = folder.show(path)
        content = documents.from_json(documents.read_text(path, shown, "save it as UTF-8"), shown, "download it again")
        count = content.get(QUANTITY) if isinstance(content, dict) else content
        if count is not None and (type(count) is not int or count < 0):
            raise Refusal(f"{QUANTITY} is {shortened(repr(count))} ({shown})", "write the number of objects")
        if int(path.stem) in found:
            raise Refusal(f"{shown} and {found[int(path.stem)][1]} are of one id", "keep one of them")
        found[int(path.stem)] = (count, shown)
    return found


def _images(folder: Folder) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in images.find(folder.root):
        if not path.stem.isdecimal():
            continue
        other = found.setdefault(int(path.stem), path)
        if other != path:
            raise Refusal(f"{folder.show(path)} and {folder.show(other)} are of one id", "keep one of them")
    return found
