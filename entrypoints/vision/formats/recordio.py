"""RecordIO as MXNet's im2rec writes it for AWS's built-in algorithms: images with one label each, or with objects.

A file is records one after another, each padded to 4 bytes:

    4 bytes  0xced7230a
    4 bytes  3 bits: 0 whole, 1 first part, 2 middle part, 3 last part; 29 bits: length of the data
    the data; where it holds the magic number at a multiple of 4, it is cut there, and the number left out

The data of an image: flag (uint32), label (float32), id and id2 (uint64), then `flag` float32 numbers which are the
label in place of the one before (`packed`), then the image file. All little-endian.
"""

from __future__ import annotations

import atexit
import math
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from optml.errors import Refusal
from vision import images
from vision.folder import Folder
from vision.formats import box_lst, packed
from vision.record import Dataset, Sample, build

MAGIC = struct.pack("<I", 0xCED7230A)
LENGTH_BITS = 29
HEADER = struct.Struct("<IfQQ")
HINT = "write the file anew with im2rec, and upload it whole"
WHOLE, FIRST, MIDDLE, LAST = range(4)
Label = Sequence[float]


def read(file: Path, shown: str) -> Iterator[tuple[Label, bytes, str]]:
    """Label, image file and place of each record; Refusal that names the byte for one that breaks the format."""
    with file.open("rb") as stream:
        for offset, data in _records(stream.read, shown):
            where = f"{shown}, byte {offset}"
            if len(data) < HEADER.size:
                raise Refusal(f"a record of {len(data)} bytes, too short for a label ({where})", HINT)
            flag, label, _, _ = HEADER.unpack_from(data)
            end = HEADER.size + 4 * flag
            if len(data) <= end:
                raise Refusal(f"a label of {flag} numbers and no image behind it ({where})", HINT)
            numbers = struct.unpack_from(f"<{flag}f", data, HEADER.size) if flag else (label,)
            if not all(map(math.isfinite, numbers)):
                raise Refusal(f"a label that is no number ({where})", HINT)
            yield numbers, data[end:], where


def load_boxes(file: Path, folder: Folder) -> Dataset:
    """The data set of a file whose records have objects; its images are unpacked into a temporary folder."""
    shown, samples, rows, cut = folder.show(file), [], [], 0
    for sample, numbers in _unpacked(file, folder):
        if len(numbers) == 1:
            raise Refusal(f"one label, without boxes ({sample.source})", "it is read by the program classification")
        samples.append(sample)
        rows.append(packed.objects(numbers, sample.source))
    ids = packed.classes(rows)
    for index, found in enumerate(rows):
        samples[index], clipped = packed.labelled(samples[index], found, ids)
        cut += clipped
    notes = [f"{count} {text}" for text, count in packed.notes(samples, cut).items() if count]
    return build([str(label) for label in ids], samples, notes, folder.label, shown)


def load_labels(file: Path, folder: Folder) -> Dataset:
    """The data set of a file whose records have one label each; images as those of `load_boxes`."""
    found = list(_unpacked(file, folder))
    for sample, numbers in found:
        if len(numbers) != 1 or numbers[0] < 0 or not float(numbers[0]).is_integer():
            said = f"{len(numbers)} numbers as its label" if len(numbers) != 1 else f"the label {numbers[0]:g}"
            raise Refusal(f"{said} ({sample.source})", "give each image one class, a whole number from 0")
    ids = sorted({int(numbers[0]) for _, numbers in found})
    samples = [
        Sample(s.image, s.name, s.width, s.height, (), s.source, label=ids.index(int(numbers[0])))
        for s, numbers in found
    ]
    return build([str(label) for label in ids], samples, (), folder.label, folder.show(file))


def save(file: Path, dataset: Dataset) -> None:
    """Write a data set as `file` (.rec), with the .idx and .lst that im2rec leaves beside it. Images go in whole."""
    lines, offsets, width = [], [], packed.object_width(dataset.samples)
    with file.open("wb") as stream:
        for index, sample in enumerate(dataset.samples):
            offsets.append(f"{index}\t{stream.tell()}\n")
            label = [sample.label] if sample.label is not None else packed.row(sample, width)
            lines.append(box_lst.line(index, label, sample.name) + "\n")
            write(stream.write, pack(label, index, sample.image.read_bytes()))
    file.with_suffix(".idx").write_text("".join(offsets), encoding="utf-8")
    file.with_suffix(".lst").write_text("".join(lines), encoding="utf-8")


def pack(label: Label, index: int, image: bytes) -> bytes:
    """The data of a record."""
    if len(label) == 1:
        return HEADER.pack(0, label[0], index, 0) + image
    return HEADER.pack(len(label), 0.0, index, 0) + struct.pack(f"<{len(label)}f", *label) + image


def write(out: Callable[[bytes], object], data: bytes) -> None:
    """Write one record; ValueError for 512 MB and more."""
    if len(data) >= 1 << LENGTH_BITS:
        raise ValueError(f"a record of {len(data)} bytes; RecordIO takes less than {1 << LENGTH_BITS}")
    parts, start = [], 0
    at = data.find(MAGIC)
    while at >= 0:
        if at % 4 == 0:
            parts.append(data[start:at])
            start = at + 4
        at = data.find(MAGIC, at + (4 if at % 4 == 0 else 1))
    parts.append(data[start:])
    for number, part in enumerate(parts):
        kind = WHOLE if len(parts) == 1 else FIRST if number == 0 else LAST if number == len(parts) - 1 else MIDDLE
        out(MAGIC + struct.pack("<I", kind << LENGTH_BITS | len(part)) + part + bytes(-len(part) % 4))


def _records(take: Callable[[int], bytes], shown: str) -> Iterator[tuple[int, bytes]]:
    """Offset and data of each record, its parts joined."""
    offset, begun, parts = 0, 0, list[bytes]()
    while head := take(8):
        where = f"{shown}, byte {offset}"
        if head[:4] != MAGIC or len(head) < 8:
            raise Refusal(f"no record begins here ({where})", HINT)
        word = struct.unpack("<I", head[4:])[0]
        kind, length = word >> LENGTH_BITS, word & ((1 << LENGTH_BITS) - 1)
        padded = length + -length % 4
        data = take(padded)
        if len(data) < padded:
            raise Refusal(f"the file ends within a record of {length} bytes ({where})", HINT)
        if kind > LAST or (kind in (WHOLE, FIRST)) == bool(parts):
            raise Refusal(f"part {kind} of a record where another belongs ({where})", HINT)
        begun = offset if not parts else begun
        parts.append(data[:length])
        offset += 8 + padded
        if kind in (WHOLE, LAST):
            yield begun, MAGIC.join(parts)
            parts = []
    if parts:
        raise Refusal(f"the file ends within a record ({shown}, byte {begun})", HINT)


def _unpacked(file: Path, folder: Folder) -> Iterable[tuple[Sample, Label]]:
    """A sample without objects and the label for each record, its image in a folder that is gone with the process."""
    out = Path(tempfile.mkdtemp(prefix="drydock-records-"))
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    shown, found = folder.show(file), []
    for number, (label, content, where) in enumerate(read(file, shown)):
        path = out / f"{number:06d}.{'png' if content[:4] == bytes([0x89]) + b'PNG' else 'jpg'}"
        path.write_bytes(content)
        width, height = images.image_size(path, f"of the record at {where}")
        found.append((Sample(path, f"{folder.name(file)}/{path.name}", width, height, (), where), label))
    if not found:
        raise Refusal(f"{shown} holds no record", HINT)
    return found
