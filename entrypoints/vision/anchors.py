"""The sizes of the boxes that a detector starts from, fitted to the objects of a data set."""

from __future__ import annotations

import numpy as np

from vision import boxes
from vision.record import Dataset

SMALLEST_PX, SMALLEST_INPUT_PX = 8.0, 96
ENDS = (0.05, 0.95)
"""Quantiles of the objects' sizes between which anchors are spread: neither one speck nor one frame decides."""


def sizes(dataset: Dataset, side_px: int, count: int) -> list[float]:
    """`count` sizes in pixels of the letterboxed input, from small to large, each as much larger than the one before.

    The size of a box is the root of its area. They reach from the smallest to the largest objects, and over a factor
    of 2 at least.
    """
    found = []
    for sample in dataset.samples:
        box = boxes.fit((sample.width, sample.height), (side_px, side_px))
        found += [float(boxes.area(boxes.to_input(instance.box, box))[0]) ** 0.5 for instance in sample.instances]
    low, high = np.quantile(found, ENDS)
    middle = (low * high) ** 0.5
    low, high = max(SMALLEST_PX, min(low, middle / 2**0.5)), min(float(side_px), max(high, middle * 2**0.5))
    return [round(float(size), 2) for size in np.geomspace(low, max(high, low * 2), count)]


def input_size(dataset: Dataset, largest_px: int, multiple: int = 16) -> int:
    """The side of the input that images of this size deserve: twice their longer side, at most `largest_px`.

    The longer side is that of nine images in ten. Enlarging more adds cost and no detail.
    """
    longer = float(np.quantile([max(sample.width, sample.height) for sample in dataset.samples], 0.9))
    return int(min(largest_px, max(SMALLEST_INPUT_PX, 2 * longer // multiple * multiple)))
