"""The training and the validation set of a segmenter by pixels, read, split, checked and told about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from optml.errors import Refusal
from vision import formats, sets
from vision.record import Dataset, Sample

STEP_PX = 32
"""A network's input has sides of whole steps."""


def load_sets(
    channels: Mapping[str, Path], *, manifest: str, fraction: float, seed: int, split_file: Path
) -> tuple[Dataset, Dataset]:
    """The sets of a job from its channels, checked; what the readers noticed is printed.

    Without `validation` the data set's own part is held out, else a seeded, stratified `fraction`; either way before
    anything is augmented, and written to `split_file`. `manifest` chooses the annotation file where there are several.
    """
    reader = sets.Reader(formats.load_masks, formats.annotation_files)
    parts = sets.load(channels["train"], channels.get("validation"), reader, manifest, fraction, seed, split_file)
    for part, role in zip(parts, ("train", "validation"), strict=True):
        _tell(part, role)
        check(part, role)
    return parts


def check_classes(dataset: Dataset, wanted: int | None) -> None:
    """Refuse data that does not have the `wanted` number of classes, of which the background is one."""
    found = len(dataset.classes) + 1
    if wanted not in (None, found):
        raise Refusal(
            f"num-classes={wanted}, but the data has {found}, the background and {', '.join(dataset.classes)}",
            f"set num-classes to {found}, or leave it out",
        )


def labels(sample: Sample) -> NDArray[np.uint8]:
    """(H, W) of the image as displayed: 0 background, else class id + 1; of two instances the later one."""
    found = np.zeros((sample.height, sample.width), np.uint8)
    for instance in sample.instances:
        mask = instance.mask
        if mask is not None:
            found[mask] = instance.class_id + 1
    return found


def input_size(dataset: Dataset, longer_px: int, shape: str) -> tuple[int, int]:
    """(width, height) of the input: square, or with `shape` fit in the proportions of the median image."""
    ratio = median(sample.width / sample.height for sample in dataset.samples) if shape == "fit" else 1.0
    shorter = max(STEP_PX, round(longer_px * min(ratio, 1 / ratio) / STEP_PX) * STEP_PX)
    return (longer_px, shorter) if ratio >= 1 else (shorter, longer_px)


def check(dataset: Dataset, role: str) -> None:
    """Refuse a set that nothing can be learnt from, or said of."""
    if not dataset.samples:
        raise Refusal(
            f"the {role} set is empty: {dataset.file} puts no image into it", f"name the images of its {role} part"
        )
    if len(dataset.classes) > 254:
        raise Refusal(f"{dataset.file} has {len(dataset.classes)} classes, and 254 are the most", "join some of them")
    if not any(sample.instances for sample in dataset.samples):
        raise Refusal(
            f"none of the {len(dataset.samples)} masks of the {role} set marks anything ({dataset.file})",
            "mark some defects, or give a larger validation-fraction",
        )
    if not dataset.has_masks:
        raise Refusal(
            f"the {role} set has boxes without masks, and pixels cannot be learnt from them ({dataset.file})",
            "mark the defects by masks or polygons, or train yolo with task=detect",
        )


def _tell(dataset: Dataset, role: str) -> None:
    negatives = sum(not sample.instances for sample in dataset.samples)
    print(
        f"{role}: {len(dataset.samples)} images, {len(dataset.samples) - negatives} with {', '.join(dataset.classes)}, "
        f"{negatives} without",
        flush=True,
    )
    if role == "train":
        for note in dataset.notes:
            print(f"note: {note}")
