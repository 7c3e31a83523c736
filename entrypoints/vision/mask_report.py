"""What a person wants to see of a finished segmenter: curves, precision and recall, ROC, predictions."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vision import charts, images, label_report, label_scores, pictures
from vision.label_scores import Floats
from vision.mask_scores import BINS, Tally
from vision.record import Dataset

SHOWN = 24
"""Images on the contact sheet at most, with a defect and without in turn."""


def write(
    out: Path,
    dataset: Dataset,
    tally: Tally,
    answers: Sequence[dict[str, Any]],
    threshold: float,
    image_threshold: float,
) -> None:
    """Write predictions.json and the pictures to `out`, where results.csv lies already.

    `answers` are what docs/contract.md says of an image, without its name and size.
    """
    rows = [
        {"image": sample.name, "width": sample.width, "height": sample.height, **answer}
        for sample, answer in zip(dataset.samples, answers, strict=True)
    ]
    (out / "predictions.json").write_text(json.dumps(rows, allow_nan=False))
    if (out / "results.csv").is_file():  # not in a run that was resumed after its last epoch
        with (out / "results.csv").open(newline="") as lines:
            charts.curves(out / "curves.png", list(csv.DictReader(lines)))
    precision_recall(out / "precision-recall.png", tally, threshold)
    anomalous = np.array([bool(sample.instances) for sample in dataset.samples])
    if anomalous.any() and not anomalous.all():
        scores: Floats = np.array([answer["image_score"] for answer in answers])
        label_report.roc(out / "roc.png", label_scores.curves(scores, anomalous), image_threshold)
    contact_sheet(out / "predictions.jpg", dataset, answers)


def precision_recall(path: Path, tally: Tally, threshold: float) -> None:
    """Write a PNG of precision over recall of defective pixels, the threshold marked."""
    recall, precision = tally.precision_recall()
    at = BINS - 1 - round(threshold * BINS)
    figure, (axis,) = charts.new_figure(1, width=5.2)
    area = tally.average_precision()
    axis.plot(recall, precision, color=pictures.COLORS[1], lw=2, label=f"average precision {area:.3f}")
    axis.scatter(recall[at], precision[at], color=pictures.COLORS[0], zorder=3, label=f"threshold {threshold:.3f}")
    axis.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axis.set_title("precision and recall of defective pixels", loc="left", fontsize=11)
    axis.legend(frameon=False, loc="best")
    figure.savefig(path, dpi=110)


def contact_sheet(path: Path, dataset: Dataset, answers: Sequence[dict[str, Any]]) -> None:
    """Write images with their masks (left) and what was found (right)."""
    pairs = list(zip(dataset.samples, answers, strict=True))
    broken, sound = ([pair for pair in pairs if bool(pair[0].instances) == there] for there in (True, False))
    rows = [
        pictures.Row(
            f"{sample.name}  {answer['image_score']:.2f}",
            images.open_image(sample.image),
            pictures.truth(sample, dataset.classes),
            pictures.predictions(answer["predictions"]),
        )
        for sample, answer in pictures.in_turn([broken, sound])[:SHOWN]
    ]
    pictures.contact_sheet(path, rows)
