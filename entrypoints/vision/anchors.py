"""The sizes of the boxes that a detector starts from, fitted to the objects of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vision import boxes
from vision.record import Dataset

SMALLEST_PX, SMALLEST_INPUT_PX = 8.0, 96
ENDS = (0.05, 0.95)
"""Quantiles of the objects' sizes between which anchors are spread: neither one speck nor one frame decides."""
STARTS, GROWTHS = (0.05, 0.2, 0.35, 0.5, 0.65), (1.25, 1.4, 1.6, 1.8, 2.1)
"""Tried for an SSD: the quantile of the objects' sizes where its boxes begin, and how they grow from grid to grid."""
LOOKED_AT = 120
"""Objects that are asked how well a spread of boxes covers them."""


class Grid(NamedTuple):
    """The places at which one feature map of an SSD looks for objects."""

    cells: int  # across and down
    ratios: tuple[float, ...]  # of width to height, beside the square; each upright too


def sizes(dataset: Dataset, side_px: int, count: int) -> list[float]:
    """`count` sizes in pixels of the letterboxed input, from small to large, each as much larger than the one before.

    The size of a box is the root of its area. They reach from the smallest to the largest objects, and over a factor
    of 2 at least.
    """
    low, high = np.quantile(_roots(_objects(dataset, side_px)), ENDS)
    middle = (low * high) ** 0.5
    low, high = max(SMALLEST_PX, min(low, middle / 2**0.5)), min(float(side_px), max(high, middle * 2**0.5))
    return [round(float(size), 2) for size in np.geomspace(low, max(high, low * 2), count)]


def grid_sizes(dataset: Dataset, side_px: int, grids: Sequence[Grid]) -> list[float]:
    """A size in pixels of the letterboxed input for each grid of an SSD, from small to large.

    Those whose boxes overlap the objects best, on average. A coarse grid is as good as blind to what is smaller than
    its cells: sizes that only follow those of the objects leave most of them without a box (IoU 0.5) to learn from.
    """
    found = _objects(dataset, side_px)
    low, high = (float(end) for end in np.quantile(_roots(found), ENDS))
    some = found[np.random.default_rng(0).permutation(len(found))[:LOOKED_AT]]
    best: list[float] = []
    fit = -1.0
    for start in np.quantile(np.clip(_roots(found), low, high), STARTS):
        for growth in GROWTHS:
            tried = _spread(float(start), growth, side_px, grids)
            overlap = float(boxes.iou(some, default_boxes(tried, side_px, grids)).max(axis=1).mean())
            best, fit = (tried, overlap) if overlap > fit else (best, fit)
    return best


def default_boxes(sizes_: Sequence[float], side_px: int, grids: Sequence[Grid]) -> boxes.Boxes:
    """(A, 4) xyxy pixels: where an SSD of such sizes starts from, as torchvision lays its default boxes.

    At each place a square of the size, one halfway to the next grid's size (the last: a quarter larger), and each
    ratio, none wider or higher than the input.
    """
    made = []
    for index, (grid, size) in enumerate(zip(grids, sizes_, strict=True)):
        after = sizes_[index + 1] if index + 1 < len(grids) else size * 1.25
        shapes = [(size, size), ((size * after) ** 0.5,) * 2]
        shapes += [(size * r**0.5, size / r**0.5) for ratio in grid.ratios for r in (ratio, 1 / ratio)]
        half = np.minimum(shapes, side_px) / 2
        places = (np.arange(grid.cells) + 0.5) * side_px / grid.cells
        centres = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 1, 2)
        made.append(np.concatenate([centres - half, centres + half], axis=2).reshape(-1, 4))
    return np.concatenate(made)


def input_size(dataset: Dataset, largest_px: int, smallest_px: int = 0, multiple: int = 16) -> int:
    """The side of the input that images of this size deserve: twice their longer side, within what a model takes.

    The longer side is that of nine images in ten. Enlarging more adds cost and no detail.
    """
    longer = float(np.quantile([max(sample.width, sample.height) for sample in dataset.samples], 0.9))
    return int(min(largest_px, max(SMALLEST_INPUT_PX, smallest_px, 2 * longer // multiple * multiple)))


def _spread(start: float, growth: float, side_px: int, grids: Sequence[Grid]) -> list[float]:
    """From `start` on, by `growth` from grid to grid; as large as a cell at least and the input at most."""
    wanted = (max(SMALLEST_PX, start * growth**index, side_px / grid.cells) for index, grid in enumerate(grids))
    return [round(min(float(side_px), size), 2) for size in wanted]


def _objects(dataset: Dataset, side_px: int) -> boxes.Boxes:
    """(N, 4) xyxy pixels of the letterboxed input: every object of the data set."""
    found = []
    for sample in dataset.samples:
        box = boxes.fit((sample.width, sample.height), (side_px, side_px))
        found += [boxes.to_input(instance.box, box) for instance in sample.instances]
    return np.concatenate(found)


def _roots(found: boxes.Boxes) -> NDArray[np.float64]:
    return boxes.area(found) ** 0.5
