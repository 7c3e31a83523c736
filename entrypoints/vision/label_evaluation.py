"""What is said of a classifier's probabilities over a data set: the decisions, the metrics, every class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from vision import classification, label_scores
from vision.label_scores import Floats, Ints


def decided(found: Floats, positive: int | None, threshold: float | None) -> Ints:
    """Class ids (N,) for probabilities (N, C): the most probable, or of two the positive one from the threshold on."""
    if positive is None or threshold is None:
        return np.asarray(found.argmax(1))
    return np.where(found[:, positive] >= threshold, positive, 1 - positive)


def threshold(found: Floats, labels: Ints, positive: int) -> float:
    """The threshold of the highest balanced accuracy."""
    return label_scores.best_threshold(label_scores.curves(found[:, positive], labels == positive))


def metrics(found: Floats, labels: Ints, positive: int | None, threshold: float | None = None) -> dict[str, float]:
    """Metrics of probabilities (N, C) and class ids (N,); without a threshold the most probable class is taken.

    Those of a curve are left out where all images are of one kind, which leaves them undefined.
    """
    values = {}
    if positive is not None and len(np.unique(labels == positive)) == 2:
        curves = label_scores.curves(found[:, positive], labels == positive)
        values = {
            "validation:auroc": label_scores.auroc(curves),
            "validation:average_precision": label_scores.average_precision(curves),
        }
    matrix = label_scores.confusion(labels, decided(found, positive, threshold), found.shape[1])
    return values | {
        "validation:accuracy": label_scores.accuracy(matrix),
        "validation:balanced_accuracy": label_scores.balanced_accuracy(matrix),
    }


def whole(
    found: Floats, labels: Ints, classes: Sequence[str], positive: int | None, threshold: float | None
) -> dict[str, Any]:
    """The metrics, every class on its own, the confusion [predicted, true], and what naming the largest class gives."""
    matrix = label_scores.confusion(labels, decided(found, positive, threshold), len(classes))
    precision, recall, f1 = label_scores.of_classes(matrix)
    return {
        **metrics(found, labels, positive, threshold),
        "threshold": threshold,
        "majority_accuracy": classification.majority(Counter(labels.tolist())),
        "images": len(labels),
        "per_class": {
            name: {"precision": precision[i], "recall": recall[i], "f1": f1[i], "images": int(matrix[:, i].sum())}
            for i, name in enumerate(classes)
        },
        "confusion": matrix.tolist(),
    }
