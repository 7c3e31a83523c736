"""The `.lst` files that im2rec makes detection records of: `index TAB numbers … TAB path`; the numbers in `packed`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from optml.errors import Refusal
from vision import documents, images
from vision.folder import Folder, shortened
from vision.formats import packed
from vision.formats.resolve import Resolver
from vision.record import Dataset, Sample, build

HINT = "write index, A, B, width, height, then class x1 y1 x2 y2 for each object, and the path; tabs between them"


def load(file: Path, folder: Folder) -> Dataset:
    """The data set of a list whose images lie in `folder`; its classes are the ids, in ascending order."""
    shown, rows = folder.show(file), []
    for number, line in enumerate(documents.read_text(file, shown, HINT).split("\n"), 1):
        if line.strip():
            where = f"{shown}:{number}"
            rows.append((*_row(line, where), where))
    if not rows:
        raise Refusal(f"{shown} is empty", HINT)
    resolver, samples, cut, ids = Resolver(file, folder), [], 0, packed.classes(found for found, *_ in rows)
    for found, declared, reference, where in rows:
        image = resolver.find(reference, where)
        size = images.image_size(image, folder.show(image))
        if declared and declared != size:
            raise Refusal(
                f"the image is {size[0]}x{size[1]} as displayed, but declared "
                f"{declared[0]:g}x{declared[1]:g} ({where})",
                "annotate the image as it is, EXIF orientation applied",
            )
        bare = Sample(image, folder.name(image), *size, (), where)
        sample, clipped = packed.labelled(bare, found, ids)
        samples.append(sample)
        cut += clipped
    said = packed.notes(samples, cut) | {"images found by the end of their path only": len(resolver.by_suffix)}
    notes = [f"{count} {text}" for text, count in said.items() if count]
    return build([str(label) for label in ids], samples, notes, folder.label, shown)


def line(index: int, numbers: Sequence[float], name: str) -> str:
    """The line of an image, without its end; its label, or the numbers that say what objects it has."""
    return "\t".join([str(index), *(f"{number:.9g}" for number in numbers), name])


def _row(text: str, where: str) -> tuple[list[packed.Found], tuple[float, float] | None, str]:
    """The objects of a line, the width and height that it declares, None where it has none, and its path."""
    columns = [column.strip() for column in text.rstrip("\r").split("\t")]
    if len(columns) == 3:
        raise Refusal(f"one label an image, without boxes ({where})", "it is read by the program classification")
    try:
        numbers = [float(column) for column in columns[1:-1]]
    except ValueError:
        raise Refusal(f"no numbers between index and path: {shortened(text)} ({where})", HINT) from None
    if len(numbers) < 2:
        raise Refusal(f"{len(columns)} columns between tabs ({where})", HINT)
    return packed.objects(numbers, where), packed.size(numbers), columns[-1]
