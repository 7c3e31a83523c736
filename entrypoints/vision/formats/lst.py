"""The `.lst` files of AWS's built-in image classification: `index TAB label TAB path of the image`, a line an image."""

from __future__ import annotations

from pathlib import Path

from optml.errors import Refusal
from vision import documents, images
from vision.folder import Folder, shortened
from vision.formats.resolve import Resolver
from vision.record import Dataset, Sample, build

HINT = "write index, label and path, with a tab between them"


def load(file: Path, folder: Folder, shown: str = "") -> Dataset:
    """The data set of a list whose images lie in `folder`; its classes are the labels, in ascending order.

    `shown` is what errors call the file, which may lie in a channel of its own.
    """
    shown = shown or folder.show(file)
    lines = documents.read_text(file, shown, HINT).splitlines()
    rows = [_row(line, f"{shown}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise Refusal(f"{shown} is empty", HINT)
    labels = sorted({label for label, _, _ in rows})
    resolver = Resolver(file, folder)
    samples = []
    for label, reference, where in rows:
        image = resolver.find(reference, where)
        width, height = images.image_size(image, folder.show(image))
        samples.append(Sample(image, folder.name(image), width, height, (), where, label=labels.index(label)))
    notes = [f"{len(resolver.by_suffix)} images found by the end of their path only"] if resolver.by_suffix else []
    return build([str(label) for label in labels], samples, notes, folder.label, shown)


def _row(line: str, where: str) -> tuple[int, str, str]:
    """Label, path and place of a line."""
    columns = line.split("\t")
    if len(columns) != 3:
        several = "; several labels an image are not read" if len(columns) > 3 else ""
        raise Refusal(f"{len(columns)} columns between tabs, not 3{several} ({where})", HINT)
    try:
        label = float(columns[1])
    except ValueError:
        label = -1
    if label < 0 or not label.is_integer():
        raise Refusal(
            f"the label is {shortened(repr(columns[1]))}, not a whole number ({where})", "number the classes from 0"
        )
    return int(label), columns[2].strip(), where
