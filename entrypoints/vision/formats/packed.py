"""Labels of objects as MXNet's im2rec packs them into a row of numbers, in `.lst` and RecordIO files.

    A  B  (A - 2 more numbers: width and height, often)  then B numbers an object: class x1 y1 x2 y2 (…)

A is how many numbers the head has, B how many an object; corners are shares of the image's width and height, from 0 to
1. An object of class -1 is padding. A sixth number of an object is 1 where it is difficult, as in Pascal VOC, else 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from optml.errors import Refusal
from vision.formats import corners
from vision.record import Instance, Sample

HEAD, OBJECT = 4, 5
HINT = "pack it with im2rec --pack-label: A, B, width, height, then class x1 y1 x2 y2 from 0 to 1 for each object"
Found = tuple[int, corners.Box, bool]
"""Class id, box in shares of the image, and whether it is difficult."""


def objects(row: Sequence[float], where: str) -> list[Found]:
    """Each object that a row holds; Refusal for one that breaks the format."""
    whole = [int(value) if float(value).is_integer() else -1 for value in row[:2]]
    head, each = whole if len(whole) == 2 else (-1, -1)
    if head < 2 or each < OBJECT or len(row) < head or (len(row) - head) % each:
        raise Refusal(f"{len(row)} numbers that say A={row[0]:g}, B={row[1] if len(row) > 1 else 0:g} ({where})", HINT)
    found = []
    for start in range(head, len(row), each):
        label, *box = row[start : start + OBJECT]
        if label == -1:
            continue
        if label < 0 or not float(label).is_integer():
            raise Refusal(f"class {label:g} of an object ({where})", "number the classes from 0")
        if not all(-0.05 <= value <= 1.05 for value in box):
            said = ", ".join(f"{value:g}" for value in box)
            raise Refusal(f"a box from {said}, which are no shares of the image ({where})", HINT)
        difficult = row[start + OBJECT] if each > OBJECT else 0
        if difficult not in (0, 1):
            raise Refusal(
                f"the sixth number of an object is {difficult:g} ({where})", "write 1 if it is difficult, else 0"
            )
        found.append((int(label), (box[0], box[1], box[2], box[3]), bool(difficult)))
    return found


def size(row: Sequence[float]) -> tuple[float, float] | None:
    """The width and height in the head of a row that `objects` takes; None where that has none, or zeros."""
    return (row[2], row[3]) if row[0] >= HEAD and (row[2] or row[3]) else None


def classes(rows: Iterable[Iterable[Found]]) -> list[int]:
    """The class ids of all rows, ascending."""
    return sorted({label for row in rows for label, *_ in row})


def labelled(sample: Sample, found: Iterable[Found], ids: Sequence[int]) -> tuple[Sample, int]:
    """`sample` with its objects, class ids as indices of `ids`; and how many boxes were cut at its edges."""
    instances, cut, size = [], 0, (sample.width, sample.height)
    for label, box, difficult in found:
        pixels = [share * size[i % 2] for i, share in enumerate(box)]
        placed, clipped = corners.placed(pixels, size, sample.source, HINT)
        cut += clipped
        instances.append(Instance(ids.index(label), placed, (size[1], size[0]), difficult=difficult))
    return replace(sample, instances=tuple(instances)), cut


def notes(samples: Iterable[Sample], cut: int) -> dict[str, int]:
    """What is to be said of samples that were read, and how often."""
    difficult = sum(instance.difficult for sample in samples for instance in sample.instances)
    return {"boxes clipped to their image": cut, "objects marked difficult": difficult}


def object_width(samples: Iterable[Sample]) -> int:
    """How many numbers the objects of a data set take: MXNet wants as many in all of its rows."""
    return OBJECT + any(instance.difficult for sample in samples for instance in sample.instances)


def row(sample: Sample, width: int) -> list[float]:
    """The numbers that say what a sample holds, for `objects` to read; `width` an object, as `object_width` tells."""
    sides = [sample.width, sample.height] * 2
    found: list[float] = [HEAD, width, sample.width, sample.height]
    for instance in sample.instances:
        box = [value / side for value, side in zip(instance.box, sides, strict=True)]
        found += [instance.class_id, *box, float(instance.difficult)][:width]
    return found
