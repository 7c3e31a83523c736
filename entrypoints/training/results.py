"""What a training run leaves beside its weights: metadata.json, metrics.json, results.csv and pictures."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata as installed
from typing import TYPE_CHECKING, Any

from optml.metrics import Registry
from optml.program import Stopped
from training.run import Run

if TYPE_CHECKING:
    from vision.record import Dataset
    from vision.report import Found, PrecisionRecall

SCORES = ("precision", "recall", "mAP50", "mAP50-95")
"""Of boxes as `validation:NAME`, of masks as `validation:mask_NAME`."""

BEST = "best.safetensors"
"""In the folder of a run: the weights of its best epoch so far."""

PANELS = ("loss", "accuracy", "rmse")
"""Metrics with a chart of their own, training and validation in one; so has every part of the loss, `NAME_loss`."""


def declare_scores(metrics: Registry, *, masks: bool) -> None:
    """What every detector reports beside its losses; those of masks where the program segments too."""
    for name in SCORES:
        metrics.metric(f"validation:{name}", f"{name} of boxes on the validation set")
        if masks:
            metrics.metric(f"validation:mask_{name}", f"{name} of masks on the validation set")
    of_masks = " (masks when task=segment)" if masks else ""
    metrics.metric("validation:best_mAP50", f"mAP50 of the epoch whose weights are kept{of_masks}")
    metrics.metric("train:epoch_seconds", "wall time of the epoch", unit="s")


def declare_training(metrics: Registry) -> None:
    """What every classifier reports of an epoch; the accuracies carry the names of AWS's built-in algorithm."""
    metrics.metric("train:loss", "mean loss over the epoch")
    metrics.metric("train:accuracy", "accuracy on the augmented images of the epoch")
    metrics.metric("validation:loss", "loss on the validation set")
    metrics.metric("validation:accuracy", "accuracy on the validation set")
    metrics.metric("train:epoch_seconds", "wall time of the epoch", unit="s")


@dataclass(frozen=True)
class Scores:
    """A model's evaluation on one data set."""

    values: dict[str, float]
    """By metric name."""
    curves: PrecisionRecall


def main_score(values: Mapping[str, float], name: str = "mAP50") -> float:
    """A score of masks where `values` has it, else of boxes."""
    of_masks = f"validation:mask_{name}"
    return values[of_masks if of_masks in values else f"validation:{name}"]


def describe_model(run: Run[Any], program: str, task: str, packages: Sequence[str], **details: Any) -> dict[str, Any]:
    """metadata.json, see docs/contract.md; `details` are what the program says of its own models."""
    return {
        "program": program,
        "task": task,
        "classes": list(run.classes),
        **details,
        "versions": {name: installed.version(name) for name in packages},
        "hyperparameters": run.settings,
    }


def report(run: Run[Any], scores: Scores, found: Found, validation_set: Dataset) -> None:
    """Write the numbers of the kept weights and the pictures of what they predict (`found`) to output/data."""
    from vision import report as pictures

    best = {"validation:best_mAP50": main_score(scores.values)}
    run.metrics.report(best)
    write_numbers(run, scores.values | best)
    out = run.env.output_data_dir
    pictures.write(out, validation_set, found, scores.curves, out / "results.csv")
    print(f"best epoch: mAP50 {best['validation:best_mAP50']:.3f}", flush=True)


@contextmanager
def kept(run: Run[Any], save: Callable[[], None]) -> Iterator[None]:
    """Save the best epoch when the training within ends, that of a run that is told to stop too."""
    try:
        yield
    except Stopped:
        if (run.folder / BEST).is_file():
            save()
        if run.hosts.first:
            stopped(run)
        raise
    if run.hosts.first:
        save()


def stopped(run: Run[Any]) -> None:
    """The numbers of a run that was told to stop, and what is kept of it."""
    write_numbers(run, {})
    kept = run.store.newest()
    said = f"epoch {kept.epoch} is kept" if kept and kept.epoch else "no epoch was finished"
    print(f"stopped on request; {said}", flush=True)


def write_row(run: Run[Any], epoch: int, values: Mapping[str, float]) -> None:
    """Add an epoch to results.csv, whose columns are those that the training curves know."""
    path, row = run.folder / "results.csv", {"epoch": float(epoch)}
    for name, value in values.items():
        part, _, word = name.partition(":")
        if word in PANELS or word.endswith("_loss"):
            row[f"{'train' if part == 'train' else 'val'}/{word}"] = value
        elif part == "validation":
            row[f"metrics/{word}"] = value
    new = not path.is_file()
    with path.open("a", newline="") as file:
        table = csv.DictWriter(file, list(row))
        if new:
            table.writeheader()
        table.writerow(row)


def write_numbers(run: Run[Any], best: Mapping[str, float]) -> None:
    """results.csv and metrics.json: `best` of the kept weights, and the last values reported."""
    out, results = run.env.output_data_dir, run.folder / "results.csv"
    out.mkdir(parents=True, exist_ok=True)
    if results.is_file():
        shutil.copyfile(results, out / "results.csv")
    values = {"best": dict(best), "last": dict(run.metrics.final)}
    (out / "metrics.json").write_text(json.dumps(values, indent=2, allow_nan=False))
