"""What a person wants to see of a finished classifier: curves, ROC, precision and recall, confusion, predictions."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vision import charts, classification, images, label_scores, pictures
from vision.label_scores import Curves, Floats
from vision.record import Dataset, Sample

SHOWN = 24
"""Images on the contact sheet at most: those that were told wrongly first."""


def write(
    out: Path,
    dataset: Dataset,
    found: Floats,
    answers: Sequence[list[dict[str, Any]]],
    positive: int | None = None,
    threshold: float | None = None,
) -> None:
    """Write predictions.json and the pictures to `out`, where results.csv lies already.

    `found` are the probabilities (N, C), `answers` what docs/contract.md calls predictions, the chosen class first.
    """
    labels = np.array(classification.labels(dataset))
    rows = [
        {"image": sample.name, "width": sample.width, "height": sample.height, "predictions": answer}
        for sample, answer in zip(dataset.samples, answers, strict=True)
    ]
    (out / "predictions.json").write_text(json.dumps(rows, allow_nan=False))
    if (out / "results.csv").is_file():  # not in a run that was resumed after its last epoch
        with (out / "results.csv").open(newline="") as lines:
            charts.curves(out / "curves.png", list(csv.DictReader(lines)))
    chosen = np.array([answer[0]["class_id"] for answer in answers])
    matrix = label_scores.confusion(labels, chosen, len(dataset.classes))
    charts.confusion(out / "confusion.png", matrix, dataset.classes, of="images")
    contact_sheet(out / "predictions.jpg", dataset, answers)
    if positive is not None and threshold is not None:
        roc(out / "roc.png", label_scores.curves(found[:, positive], labels == positive), threshold)


def roc(path: Path, found: Curves, threshold: float) -> None:
    """Write a PNG of ROC, and of precision over recall, with the chosen threshold marked on both."""
    figure, (left, right) = charts.new_figure(2, width=4.4, height=4.2)
    color = pictures.COLORS[1]
    at = max(0, int(np.searchsorted(-found.thresholds, -threshold, side="right")) - 1)
    rate, recall, precision = found.false_positive_rate, found.recall, found.precision
    left.plot([0, 1], [0, 1], color=pictures.FAINT, lw=1, ls=":")
    left.plot(rate, recall, color=color, lw=2, label=f"AUROC {label_scores.auroc(found):.3f}")
    left.set(xlim=(-0.02, 1.02), ylim=(0, 1.04), xlabel="false positive rate", ylabel="recall")
    left.set_title("ROC", loc="left", fontsize=11)
    area = label_scores.average_precision(found)
    right.step(recall, precision, where="pre", color=color, lw=2, label=f"average precision {area:.3f}")
    right.set(xlim=(0, 1.04), ylim=(0, 1.04), xlabel="recall", ylabel="precision")
    right.set_title("precision and recall", loc="left", fontsize=11)
    for axis, x, y in ((left, rate[at], recall[at]), (right, recall[at], precision[at])):
        axis.scatter(x, y, color=pictures.COLORS[0], zorder=3, label=f"threshold {threshold:.3f}")
        axis.legend(frameon=False, loc="lower right" if axis is left else "best", fontsize=9)
    figure.savefig(path, dpi=110)


def contact_sheet(path: Path, dataset: Dataset, found: Sequence[list[dict[str, Any]]]) -> None:
    """Write images with their class (left) and what was predicted (right), wrong ones first, then class by class."""
    pairs = list(zip(dataset.samples, found, strict=True))
    wrong = [pair for pair in pairs if pair[1][0]["class_id"] != pair[0].label]
    right = [pair for pair in pairs if pair[1][0]["class_id"] == pair[0].label]
    by_class = [[pair for pair in right if pair[0].label == label] for label in range(len(dataset.classes))]
    shown = (wrong[: SHOWN // 2] + pictures.in_turn(by_class))[:SHOWN]
    rows = [_row(*pair, dataset.classes) for pair in shown]
    pictures.contact_sheet(path, rows)


def _row(sample: Sample, found: list[dict[str, Any]], classes: Sequence[str]) -> pictures.Row:
    whole, label = (0.0, 0.0, float(sample.width), float(sample.height)), sample.label or 0
    truth = pictures.Mark(label, classes[label], whole)
    name = found[0]["class"]
    said = f"{name}:" if name.isdecimal() else name  # a number and its score would read as one
    predicted = pictures.Mark(found[0]["class_id"], said, whole, score=found[0]["score"])
    return pictures.Row(sample.name, images.open_image(sample.image), [truth], [predicted])
