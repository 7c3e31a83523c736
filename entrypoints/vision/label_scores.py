"""How good scores are that tell classes apart: accuracies, ROC, precision and recall, the threshold between two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Curves:
    """What every threshold would give; the first point accepts nothing, the last everything."""

    thresholds: Floats
    """Descending; a score from here on is positive. The first is infinite."""
    false_positive_rate: Floats
    recall: Floats
    precision: Floats
    """1 where nothing is accepted."""


def curves(scores: Floats, positive: NDArray[np.bool_]) -> Curves:
    """Curves over the distinct `scores` (N,) of samples of which `positive` (N,) are the ones to find."""
    order = np.argsort(-scores, kind="stable")
    ranked, found = scores[order], np.cumsum(positive[order])
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # equal scores are accepted together
    hits = np.append(0, found[ends])
    accepted = np.append(0, ends + 1)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    return Curves(
        np.append(np.inf, ranked[ends]),
        (accepted - hits) / max(negatives, 1),
        hits / max(positives, 1),
        np.where(accepted > 0, hits / np.maximum(accepted, 1), 1.0),
    )


def auroc(found: Curves) -> float:
    """Area under the ROC curve: how often a positive scores higher than a negative, ties counted half."""
    return float(np.trapezoid(found.recall, found.false_positive_rate))


def average_precision(found: Curves) -> float:
    """Σ (Rₙ − Rₙ₋₁) Pₙ, the step integral; the trapezoid that some papers print is higher."""
    return float(np.sum(np.diff(found.recall) * found.precision[1:]))


def trapezoid(found: Curves) -> float:
    """The area under precision over recall by straight lines, which some papers print as average precision."""
    return float(np.trapezoid(found.precision, found.recall))


def best_threshold(found: Curves) -> float:
    """The threshold of the highest balanced accuracy, half way to the next lower score; of equals, the middle one."""
    balanced = (found.recall + 1 - found.false_positive_rate) / 2
    best = np.flatnonzero(np.isclose(balanced, balanced.max()))
    index = int(best[len(best) // 2])
    below = found.thresholds[index + 1] if index + 1 < len(found.thresholds) else found.thresholds[index]
    above = found.thresholds[index]
    return float(below if np.isinf(above) else (above + below) / 2)


def confusion(true: Ints, predicted: Ints, classes: int) -> Ints:
    """Counts (C, C), [predicted, true]."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (predicted, true), 1)
    return matrix


def of_classes(matrix: Ints) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 (C,) of each class; 0 where nothing was predicted, or is there, of it."""
    right = np.diag(matrix).astype(float)
    precision = right / np.maximum(matrix.sum(axis=1), 1)
    recall = right / np.maximum(matrix.sum(axis=0), 1)
    return precision, recall, 2 * precision * recall / np.maximum(precision + recall, 1e-12)


def balanced_accuracy(matrix: Ints) -> float:
    """The mean recall of the classes that the data holds."""
    present = matrix.sum(axis=0) > 0
    return float(of_classes(matrix)[1][present].mean())


def accuracy(matrix: Ints) -> float:
    return float(np.trace(matrix) / max(matrix.sum(), 1))
