"""What a person wants to see of a finished detector: curves, precision and recall, confusion, predictions."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision import boxes, charts, images, pictures
from vision.record import Dataset, Sample

SHOWN = 24
"""Images on the contact sheet at most, of each class in turn, and without objects."""
IOU = 0.5
Found = Sequence[list[dict[str, Any]]]
"""Predictions of each image, schema in docs/contract.md."""


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision over recall at IoU 0.5, for the classes that the data holds."""

    classes: Sequence[str]
    recall: NDArray[np.float64]
    """(N,), 0 to 1"""
    precision: NDArray[np.float64]
    """(C, N), 0 to 1"""
    average_precision: Sequence[float]


def write(out: Path, dataset: Dataset, found: Found, curves: PrecisionRecall, results: Path) -> None:
    """Write what was `found` in every image of `dataset`, predictions.json and pictures, to `out`.

    `results` is the run's results.csv; without it (a run resumed after its last epoch) there are no training curves.
    """
    _write_predictions(out / "predictions.json", dataset, found)
    if results.is_file():
        with results.open(newline="") as lines:
            charts.curves(out / "curves.png", list(csv.DictReader(lines, skipinitialspace=True)))
    if len(curves.classes):
        charts.precision_recall(
            out / "precision-recall.png", curves.recall, curves.precision, curves.classes, curves.average_precision
        )
    charts.confusion(out / "confusion.png", confusion(dataset, found), dataset.classes)
    rows = [
        pictures.Row(
            sample.name,
            images.open_image(sample.image),
            pictures.truth(sample, dataset.classes),
            pictures.predictions(predictions),
        )
        for sample, predictions in shown(dataset, found)
    ]
    pictures.contact_sheet(out / "predictions.jpg", rows)


def confusion(dataset: Dataset, found: Sequence[Sequence[dict[str, Any]]]) -> NDArray[np.int64]:
    """Counts `(C + 1, C + 1)`, [predicted, true]; the last row is "missed", the last column "nothing there".

    A prediction takes the free object that it overlaps most, best score first, from IoU 0.5 on and of any class.
    """
    nothing = len(dataset.classes)
    matrix = np.zeros((nothing + 1, nothing + 1), np.int64)
    for sample, predictions in zip(dataset.samples, found, strict=True):
        taken = _matches(sample, predictions)
        for prediction, match in zip(predictions, taken, strict=True):
            true = nothing if match is None else sample.instances[match].class_id
            matrix[prediction["class_id"], true] += 1
        for index, instance in enumerate(sample.instances):
            if index not in taken:
                matrix[nothing, instance.class_id] += 1
    return matrix


def shown(dataset: Dataset, found: Found) -> list[tuple[Sample, list[dict[str, Any]]]]:
    """The images of the contact sheet, each with what was found in it."""
    groups: dict[int, list[tuple[Sample, list[dict[str, Any]]]]] = defaultdict(list)
    for sample, predictions in zip(dataset.samples, found, strict=True):
        label = min((one.class_id for one in sample.instances), default=len(dataset.classes))
        groups[label].append((sample, predictions))
    return pictures.in_turn([groups[label] for label in sorted(groups)])[:SHOWN]


def _matches(sample: Sample, predictions: Sequence[dict[str, Any]]) -> list[int | None]:
    """For each prediction the index of the instance that it is taken for."""
    taken: list[int | None] = [None] * len(predictions)
    if not sample.instances or not predictions:
        return taken
    overlap = boxes.iou([p["box"] for p in predictions], [i.box for i in sample.instances])
    for index in sorted(range(len(predictions)), key=lambda i: -predictions[i]["score"]):
        best = int(overlap[index].argmax())
        if overlap[index, best] >= IOU:
            taken[index] = best
            overlap[:, best] = -1
    return taken


def _write_predictions(path: Path, dataset: Dataset, found: Sequence[Sequence[dict[str, Any]]]) -> None:
    rows = [
        {"image": sample.name, "width": sample.width, "height": sample.height, "predictions": list(predictions)}
        for sample, predictions in zip(dataset.samples, found, strict=True)
    ]
    path.write_text(json.dumps(rows, allow_nan=False))
