"""What is said of a detector's boxes over a data set: COCO's and VOC's scores, the best confidence, every class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vision import detection_scores as scores
from vision.detection_scores import Curve, Floats, Objects
from vision.record import Dataset
from vision.report import PrecisionRecall

CONFIDENCES = np.linspace(0, 1, 1001)


def truth(dataset: Dataset) -> list[Objects]:
    """The true objects of every image."""
    return [
        scores.objects(
            [instance.box for instance in sample.instances],
            [instance.class_id for instance in sample.instances],
            difficult=[instance.difficult for instance in sample.instances],
        )
        for sample in dataset.samples
    ]


def curves(true: Sequence[Objects], found: Sequence[Objects], classes: int) -> dict[int, Curve]:
    """COCO's curve of every class that the data holds, by class id."""
    made = {label: scores.coco(true, found, label) for label in range(classes)}
    return {label: curve for label, curve in made.items() if curve.wanted}


def main_metrics(made: Mapping[int, Curve]) -> tuple[dict[str, float], float]:
    """What every epoch reports, and the confidence of the highest mean F1, where precision and recall are taken."""
    average = np.stack([scores.coco_average(curve) for curve in made.values()])
    rates = [_at_confidences(curve) for curve in made.values()]
    f1 = np.mean([2 * p * r / np.maximum(p + r, 1e-12) for p, r in rates], axis=0)
    best = int(f1.argmax())
    return {
        "validation:precision": float(np.mean([p[best] for p, _ in rates])),
        "validation:recall": float(np.mean([r[best] for _, r in rates])),
        "validation:mAP50": float(average[:, 0].mean()),
        "validation:mAP50-95": float(average.mean()),
    }, float(CONFIDENCES[best])


def voc_metric(true: Sequence[Objects], found: Sequence[Objects], made: Mapping[int, Curve], iou: float) -> float:
    """Mean over the classes of VOC10's average precision at an IoU: what AWS calls validation:mAP."""
    return float(np.mean([scores.voc10(scores.voc(true, found, label, iou)) for label in made]))


def whole(
    true: Sequence[Objects], found: Sequence[Objects], classes: Sequence[str], overlap: float
) -> tuple[dict[str, Any], PrecisionRecall]:
    """All that is said of a model's detections, with every class on its own; and its curves at IoU 0.5."""
    made = curves(true, found, len(classes))
    values: dict[str, Any] = {**main_metrics(made)[0], "validation:mAP": voc_metric(true, found, made, overlap)}
    values["per_class"] = {classes[label]: _of_class(curve, true, found, label) for label, curve in made.items()}
    for name in ("mAP75", "VOC07", "VOC10"):
        values[name] = float(np.mean([one[name] for one in values["per_class"].values()]))
    values["images"] = len(true)
    precision: Floats = np.stack([scores.precision_at(*curve.rates()[:2]) for curve in made.values()])
    names = [classes[label] for label in made]
    return values, PrecisionRecall(
        names, np.asarray(scores.RECALLS, np.float64), precision, [float(row.mean()) for row in precision]
    )


def _of_class(curve: Curve, true: Sequence[Objects], found: Sequence[Objects], label: int) -> dict[str, float]:
    average, by_voc = scores.coco_average(curve), scores.voc(true, found, label)
    return {
        "mAP50": float(average[0]),
        "mAP75": float(average[5]),
        "mAP50-95": float(average.mean()),
        "VOC07": scores.voc07(by_voc),
        "VOC10": scores.voc10(by_voc),
        "objects": curve.wanted,
    }


def _at_confidences(curve: Curve) -> tuple[Floats, Floats]:
    """Precision and recall (1001,) of the detections from each of CONFIDENCES on."""
    recall, precision, found = curve.rates()
    count = np.searchsorted(-found, -CONFIDENCES, side="right")  # detections that score so much at least
    return np.append(0.0, precision)[count], np.append(0.0, recall)[count]
