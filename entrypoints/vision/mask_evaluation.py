"""What is said of a segmenter over a data set: its pixels, its images as a whole, and trivial answers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision import label_scores
from vision.label_scores import Floats
from vision.mask_scores import Tally

Flags = NDArray[np.bool_]


def of_pixels(tally: Tally, threshold: float) -> dict[str, float]:
    """Metrics of the pixels of a data set that holds a defect."""
    return {
        "validation:dice": tally.dice(threshold),
        "validation:iou": tally.iou(threshold),
        "validation:pixel_average_precision": tally.average_precision(),
    }


def of_images(judged: Floats, anomalous: Flags) -> dict[str, float]:
    """How well scores (N,) tell images with a defect from others; nothing where all are of one kind."""
    if anomalous.all() or not anomalous.any():
        return {}
    curves = label_scores.curves(judged, anomalous)
    return {
        "validation:auroc": label_scores.auroc(curves),
        "validation:average_precision": label_scores.average_precision(curves),
    }


def image_threshold(judged: Floats, anomalous: Flags) -> float:
    """The threshold of the highest balanced accuracy; a half where all images are of one kind."""
    if anomalous.all() or not anomalous.any():
        return 0.5
    return label_scores.best_threshold(label_scores.curves(judged, anomalous))


def whole(
    tally: Tally, classes: Sequence[str], threshold: float, answers: Sequence[dict[str, Any]], anomalous: Flags
) -> dict[str, Any]:
    """Every metric, each class on its own, and what calling nothing or everything defective gives.

    `answers` are those to the images of which `anomalous` (N,) hold a defect; a metric that they leave undefined is
    left out.
    """
    judged = np.array([answer["image_score"] for answer in answers])
    told = np.array([answer["anomalous"] for answer in answers])
    dice, iou, held = tally.of_classes(threshold)
    values: dict[str, Any] = of_pixels(tally, threshold) if anomalous.any() else {}
    values |= of_images(judged, anomalous)
    if "validation:auroc" in values:
        values["average_precision_trapezoid"] = label_scores.trapezoid(label_scores.curves(judged, anomalous))
    return values | {
        "threshold": threshold,
        "images": len(answers),
        "anomalous_images": int(anomalous.sum()),
        "image_accuracy": float((told == anomalous).mean()),
        "per_class": {
            name: {"dice": float(dice[i]), "iou": float(iou[i]), "images": int(held[i])}
            for i, name in enumerate(classes)
            if held[i]
        },
        "nothing_defective": {"dice": 0.0, "image_accuracy": float((~anomalous).mean())},
        "everything_defective": {
            "dice": tally.everywhere() if anomalous.any() else 0.0, "image_accuracy": float(anomalous.mean())
        },
    }  # fmt: skip


def mean_mask(train: NDArray[np.uint8], validation: NDArray[np.uint8], classes: int) -> float:
    """The Dice of always answering with the mean of the training masks, at the threshold that suits it best.

    Both are label maps (N, H, W) in pixels of a network's input.
    """
    mean = np.stack([(train == index + 1).mean(0, dtype=np.float32) for index in range(classes)], axis=-1)
    tally = Tally(classes)
    for labels in validation:
        tally.add(labels, mean)
    return tally.dice(tally.best_threshold())
