"""How well label maps agree: Dice, IoU, pixel average precision, from one pass over the pixels of a data set.

A pixel is called defective where the probabilities of all classes add up to the threshold or more, and then of the
class with the highest. Counts are kept by 256 steps of that sum, so every threshold n/256 can be judged afterwards.

Conventions: a class counts in the images that hold it, and in those only (elsewhere Dice is 0/0 or punishes the size
of the image); Dice and IoU are the mean over these images, then over the classes, NaN where none holds any.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vision.label_scores import Floats, Ints

BINS = 256
IGNORED = 255
"""In a label map: a pixel beside the image, which nothing is asked of."""


def combined(found: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """(…) how defective, 0 to 1, and (…) the likeliest class, 1 and up, from class probabilities (…, C)."""
    return np.minimum(found.sum(-1), 1.0), (found.argmax(-1) + 1).astype(np.uint8)


def most(found: NDArray[np.float32]) -> float:
    """How defective an image is by its most suspicious pixels: the mean of a thousandth of them, 8 at least.

    `found` are class probabilities (N, C) of the pixels that show the image.
    """
    defect = combined(found)[0]
    count = min(defect.size, max(8, defect.size // 1000))
    return float(np.partition(defect, -count)[-count:].mean())


class Tally:
    """Counts of pixels, image by image."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self._called: list[Ints] = []  # (C, BINS) pixels whose likeliest class it is, by how defective they seem
        self._right: list[Ints] = []  # (C, BINS) those among them that are of it
        self._there: list[Ints] = []  # (C,)
        self._all, self._defective = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)

    def add(self, labels: NDArray[np.uint8], found: NDArray[np.float32]) -> None:
        """Count an image: its labels (H, W), 0 for background, and class probabilities (H, W, C)."""
        asked = labels != IGNORED
        true, (defect, likeliest) = labels[asked], combined(found[asked])
        step = np.minimum((defect * BINS).astype(np.int64), BINS - 1)
        called, right = np.zeros((2, self.classes, BINS), np.int64)
        for index in range(self.classes):
            mine = likeliest == index + 1
            called[index] = np.bincount(step[mine], minlength=BINS)
            right[index] = np.bincount(step[mine & (true == index + 1)], minlength=BINS)
        self._called.append(called)
        self._right.append(right)
        self._there.append(np.bincount(true, minlength=self.classes + 1)[1 : self.classes + 1])
        self._all += np.bincount(step, minlength=BINS)
        self._defective += np.bincount(step[true > 0], minlength=BINS)

    def dice(self, threshold: float) -> float:
        return _mean(self.of_classes(threshold)[0])

    def iou(self, threshold: float) -> float:
        return _mean(self.of_classes(threshold)[1])

    def of_classes(self, threshold: float) -> tuple[Floats, Floats, Ints]:
        """Dice and IoU (C,), NaN for a class that no image holds, and how many images hold each."""
        dice, iou, images = self._curves()
        at = round(threshold * BINS)
        return dice[:, at], iou[:, at], images[:, at]

    def everywhere(self) -> float:
        """Dice of calling every pixel defective, of each class in turn."""
        there, pixels = np.array(self._there), np.array(self._called).sum((1, 2))[:, None]  # (N, C), (N, 1)
        held = there > 0
        images = held.sum(0)
        dice = np.where(held, 2 * there / np.maximum(pixels + there, 1), 0).sum(0) / np.maximum(images, 1)
        return _mean(np.where(images > 0, dice, np.nan))

    def best_threshold(self) -> float:
        """The n/256 of the highest Dice; of equals, the middle one."""
        dice = np.array([_mean(column) for column in self._curves()[0].T[1:]])
        best = np.flatnonzero(np.isclose(dice, dice.max(initial=0.0)))
        return float(best[len(best) // 2] + 1) / BINS if best.size else 0.5

    def average_precision(self) -> float:
        """Step integral of precision over recall of defective pixels, the steps the 256 of the probability."""
        recall, precision = self.precision_recall()
        return float(np.sum(np.diff(recall, prepend=0.0) * precision))

    def precision_recall(self) -> tuple[Floats, Floats]:
        """Recall and precision (256,) of defective pixels as the threshold falls from 255/256 to 0."""
        hits, accepted = np.cumsum(self._defective[::-1]), np.cumsum(self._all[::-1])
        return hits / max(int(self._defective.sum()), 1), hits / np.maximum(accepted, 1)

    def _curves(self) -> tuple[Floats, Floats, Ints]:
        """Dice, IoU and number of images (C, BINS) for every threshold."""
        called, right = (_from_above(np.array(counts)) for counts in (self._called, self._right))  # (N, C, BINS)
        there = np.array(self._there)[..., None]
        held = np.broadcast_to(there > 0, called.shape)
        both = called + there
        images = held.sum(0)
        dice = np.where(held, 2 * right / np.maximum(both, 1), 0).sum(0) / np.maximum(images, 1)
        iou = np.where(held, right / np.maximum(both - right, 1), 0).sum(0) / np.maximum(images, 1)
        return np.where(images > 0, dice, np.nan), np.where(images > 0, iou, np.nan), images


def _from_above(counts: Ints) -> Ints:
    """Along the last axis: what a threshold at each step accepts."""
    return np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
