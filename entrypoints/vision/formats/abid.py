"""The Amazon Bin Image Dataset: images `00042.jpg`, metadata `00042.json` with EXPECTED_QUANTITY, and lists of ids.

| list | content |
|---|---|
| `file_list.json` | `{"3": ["data/metadata/100313.json", "00668.jpg"]}`: count → files of that id |
| `counting_train.json` | `[[41, 3]]`: index from 0 and count, of image 00042.jpg |
| `random_train.txt` | `42`: an id from 1 a line, whose count is in its metadata |

Without a list every metadata file counts. An id is a number: 00042 and 42 are the same. A count is held against the
metadata of its image where that is there, and a list of `[number, count]` whose numbers turn out to begin at 1 is read
so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from optml.errors import Refusal
from vision import documents, images
from vision.folder import Folder, shortened, visible
from vision.record import Dataset, Sample, build

QUANTITY = "EXPECTED_QUANTITY"
HINT = 'write {"3": ["00042.jpg", …], …}: count and files'
Row = tuple[int, int, str]
"""Id, count and where it stands."""


class _Metadata:
    """The counts that a folder's metadata has, each file read when it is asked for."""

    def __init__(self, folder: Folder) -> None:
        self._folder, self._files, self._read = folder, dict[int, Path](), dict[int, int | None]()
        for path in metadata_files(folder.root):
            other = self._files.setdefault(int(path.stem), path)
            if other != path:
                raise Refusal(f"{folder.show(path)} and {folder.show(other)} are of one id", "keep one of them")

    @property
    def ids(self) -> Collection[int]:
        return self._files.keys()

    @property
    def without(self) -> set[int]:
        """Those read that have no count."""
        return {number for number, count in self._read.items() if count is None}

    def where(self, number: int) -> str:
        return self._folder.show(self._files[number])

    def count(self, number: int) -> int | None:
        """None where there is no such file, and for one that Amazon could not make, which is `{}`."""
        if number in self._files and number not in self._read:
            self._read[number] = _quantity(self._files[number], self.where(number))
        return self._read.get(number)

    def contradicts(self, row: Row) -> bool:
        return self.count(row[0]) not in (None, row[1])

    def check(self, rows: Iterable[Row]) -> None:
        """Refuse the first row that says another count than the metadata of its image."""
        for number, count, where in filter(self.contradicts, rows):
            raise Refusal(
                f"image {number:05d} has {count} objects by {where}, but {self.count(number)} by {QUANTITY} in "
                f"{self.where(number)}",
                "correct the one that is wrong, or remove the metadata file",
            )


def lists(folder: Path) -> list[Path]:
    """The files below a folder that list ids, sorted."""
    return [path for path in visible(folder) if _is_list(path)]


def metadata_files(folder: Path) -> list[Path]:
    """The metadata below a folder, sorted."""
    return [path for path in visible(folder) if path.suffix == ".json" and path.stem.isdecimal()]


def load(file: Path | None, folder: Folder) -> Dataset:
    """The data set of a list, or of all metadata; its classes are the counts, in ascending order."""
    metadata, by_id = _Metadata(folder), _images(folder)
    rows, notes = _rows(file, folder, metadata)
    shown = folder.show(file) if file else str(folder)
    if not rows:
        raise Refusal(f"{shown} names no image with a count", HINT)
    counts, samples = sorted({count for _, count, _ in rows}), []
    for number, count, where in rows:
        if number not in by_id:
            raise Refusal(f"no image of id {number} ({where}; looked in {folder})", f"add {number:05d}.jpg to {folder}")
        path = by_id[number]
        width, height = images.image_size(path, folder.show(path))
        samples.append(Sample(path, folder.name(path), width, height, (), where, label=counts.index(count)))
    known = {number for number, _, _ in rows} | metadata.without
    left = len(images.find(folder.root)) - len(known & by_id.keys())
    notes += [f"{left} images {f'that {shown} does not name' if file else 'without metadata'} left out"] * bool(left)
    return build([str(count) for count in counts], samples, notes, folder.label, shown)


def in_count_folders(folder: Folder) -> bool:
    """Whether all images lie in folders named by a count, `3/00042.jpg`, of at least two counts."""
    names = {path.parent.name for path in images.find(folder.root)}
    return len(names) > 1 and all(name.isdecimal() and name == str(int(name)) for name in names)


def check(dataset: Dataset, folder: Folder) -> None:
    """Refuse labels of another format that contradict the metadata beside them; classes are counts."""
    metadata = _Metadata(folder)
    for sample in dataset.samples:
        if sample.label is None or not sample.image.stem.isdecimal() or not sample.image.is_relative_to(folder.root):
            continue
        name = dataset.show(sample)
        where = name if name.startswith(f"{sample.source}/") else sample.source  # a folder says no more than where
        metadata.check([(int(sample.image.stem), int(dataset.classes[sample.label]), where)])


def _is_list(path: Path) -> bool:
    if path.suffix == ".txt":
        return bool(re.fullmatch(rb"\s*(\d+\s+)*\d+\s*", path.read_bytes()))
    if path.suffix != ".json" or path.stem.isdecimal():
        return False
    return bool(re.match(rb'\s*(\{\s*"\d+"\s*:\s*\[|\[\s*\[\s*\d)', path.read_bytes()[:4096]))


def _rows(file: Path | None, folder: Folder, metadata: _Metadata) -> tuple[list[Row], list[str]]:
    """The rows of a list, or of all metadata, and notes."""
    if file is None or file.suffix == ".txt":
        ids = [(number, metadata.where(number)) for number in metadata.ids]
        if file is not None:
            ids = list(_ids(file, folder.show(file), metadata))
        found = [(number, metadata.count(number), where) for number, where in ids]
        rows = [(number, count, where) for number, count, where in found if count is not None]
        without = len(found) - len(rows)
        return rows, [f"{without} metadata files without {QUANTITY} left out"] if without else []
    shown = folder.show(file)
    content = documents.from_json(documents.read_text(file, shown, "save it as UTF-8"), shown, HINT)
    if isinstance(content, dict):
        rows = [
            (_id(entry, where), _count(key, where), where)
            for key, entries in content.items()
            for place, entry in enumerate(entries if isinstance(entries, list) else [entries])
            for where in [f'{shown}, "{key}"[{place}]']
        ]
        metadata.check(rows)
        return rows, []
    return _by_base([_pair(entry, f"{shown}, [{place}]") for place, entry in enumerate(content)], metadata, shown)


def _by_base(pairs: Sequence[Row], metadata: _Metadata, shown: str) -> tuple[list[Row], list[str]]:
    """Rows of `[number, count]`: numbers from 0, as ABID's lists have them, unless only from 1 fits the metadata."""
    from_0 = [(number + 1, count, where) for number, count, where in pairs]
    wrong = [sum(map(metadata.contradicts, rows)) for rows in (from_0, pairs)]
    right = [sum(metadata.count(number) == count for number, count, _ in rows) for rows in (from_0, pairs)]
    if not wrong[1] and right[1] > right[0] and (wrong[0] or right[1] == len(pairs)):
        return list(pairs), [f"the numbers of {shown} are taken as ids from 1: so they agree with the metadata"]
    metadata.check(from_0)
    return from_0, []


def _ids(file: Path, shown: str, metadata: _Metadata) -> Iterator[tuple[int, str]]:
    """The ids that a text file lists, and where; each has metadata, which holds its count."""
    for line, word in enumerate(documents.read_text(file, shown, "save it as UTF-8").split("\n"), 1):
        for number in map(int, word.split()):
            if number not in metadata.ids:
                raise Refusal(
                    f"no metadata of id {number} ({shown}:{line})", f"add {number:05d}.json, which has the count"
                )
            yield number, f"{shown}:{line}"


def _pair(entry: Any, where: str) -> Row:
    """`[41, 3]`: a number of an image and a count."""
    if not isinstance(entry, list) or len(entry) != 2 or not all(type(value) is int and value >= 0 for value in entry):
        raise Refusal(f"{shortened(repr(entry))} is no index with its count ({where})", "write [index from 0, count]")
    return entry[0], entry[1], where


def _id(entry: Any, where: str) -> int:
    if not isinstance(entry, str):
        raise Refusal(
            f'{shortened(repr(entry))} names no image: entries are texts such as "data/metadata/00001.json" ({where})',
            'write {"1": ["00001.jpg", …]}; a list of numbers is [[index from 0, count], …]',
        )
    stem = PurePosixPath(entry).stem
    if not stem.isdecimal():
        raise Refusal(f"{shortened(repr(entry))} names no image by its number ({where})", HINT)
    return int(stem)


def _count(key: str, where: str) -> int:
    if not key.isdecimal():
        raise Refusal(f"{shortened(repr(key))} is no count ({where})", HINT)
    return int(key)


def _quantity(path: Path, shown: str) -> int | None:
    content = documents.from_json(documents.read_text(path, shown, "save it as UTF-8"), shown, "download it again")
    count = content.get(QUANTITY) if isinstance(content, dict) else content
    if count is not None and (type(count) is not int or count < 0):
        raise Refusal(f"{QUANTITY} is {shortened(repr(count))} ({shown})", "write the number of objects")
    return count


def _images(folder: Folder) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in images.find(folder.root):
        if not path.stem.isdecimal():
            continue
        other = found.setdefault(int(path.stem), path)
        if other != path:
            raise Refusal(f"{folder.show(path)} and {folder.show(other)} are of one id", "keep one of them")
    return found
