"""The training and the validation set of a program that counts, what is known of them, and how good counts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from optml.errors import Refusal
from vision import classification, formats, label_scores, record, sets
from vision.folder import Folder
from vision.label_scores import Floats, Ints
from vision.record import Dataset

USUAL_MOST = 5
"""Objects; where nothing else is asked for, images of more are left out."""


def load_sets(
    channels: Mapping[str, Path], *, max_count: int | None, counts: int | None, manifest: str, fraction: float,
    seed: int, split_file: Path,
) -> tuple[Dataset, Dataset]:  # fmt: skip
    """The sets of a job from its channels, checked; other arguments as those of `classification.load_sets`.

    Images of more than `max_count` objects are left out, with a note: by default of more than 5, or with `counts` so
    many that this number of counts is left, from the least one of `train`; 1 to 5 are five, and 0 to 5 six.
    """
    most = max_count

    def read(path: Path, prefer: str, channel: str) -> Dataset:
        nonlocal most
        dataset = load(path, prefer, channel)
        if most is None:  # `train` is read first, and decides for both
            most = int(dataset.classes[0]) + counts - 1 if counts and dataset.classes else USUAL_MOST
        return _up_to(dataset, most)

    reader = sets.Reader(read, annotation_files)
    parts = sets.load(channels["train"], channels.get("validation"), reader, manifest, fraction, seed, split_file)
    classification.tell(parts)
    classification.check_classes(parts[0], counts)
    for role, part in zip(("train", "validation"), parts, strict=True):
        accuracy, rmse = _always_mean(part)
        print(f"{role}: always the mean, {_mean(part)}: accuracy {accuracy:.3f}, RMSE {rmse:.3f}", flush=True)
    return parts


def load(path: Path, prefer: str = "", channel: str = "", max_count: int | None = None) -> Dataset:
    """The data set of a folder whose images have a number of objects each: ABID's formats, or those of labels."""
    from vision.formats import abid

    folder = formats.with_images(path, channel)
    found = annotation_files(folder.root)
    file = formats.choose(folder, found, prefer) if found or prefer else None
    in_folders = file is None and (not abid.metadata_files(folder.root) or abid.in_count_folders(folder))
    if not in_folders and file not in formats.label_files(folder.root):
        return _up_to(abid.load(file, folder), max_count)
    dataset = _in_order(formats.load_labels(path, prefer, channel), folder)
    abid.check(dataset, folder)
    return _up_to(dataset, max_count)


def evaluation_set(path: Path, prefer: str, classes: Sequence[str]) -> Dataset:
    """The images of a folder whose count a model of `classes` knows, class ids as indices of these."""
    largest = max(counts(classes))
    dataset = load(path, prefer, max_count=int(largest))
    if not dataset.samples:
        raise Refusal(
            f"none of the images of {path} has a count that the model knows, {largest} at most",
            "give images of these counts, or train a model with a larger max-count",
        )
    return record.aligned(dataset, classes)


def annotation_files(folder: Path) -> list[Path]:
    """Every file below a folder that gives images a count, sorted; not the metadata of single images."""
    from vision.formats import abid

    return sorted([*abid.lists(folder), *formats.label_files(folder)])


def counts(classes: Sequence[str]) -> Ints:
    """The number that each class stands for (C,)."""
    return np.array([int(name) for name in classes])


def metrics(found: Floats, labels: Ints, classes: Sequence[str]) -> dict[str, float]:
    """Metrics of probabilities (N, C): accuracy of the most probable count, RMSE of the expected one, rounded."""
    numbers = counts(classes)
    matrix = label_scores.confusion(labels, found.argmax(1), len(classes))
    precision, recall, f1 = label_scores.of_classes(matrix)
    present = matrix.sum(axis=0) > 0
    error = np.rint(found @ numbers) - numbers[labels]
    return {
        "validation:accuracy": label_scores.accuracy(matrix),
        "validation:rmse": float(np.sqrt(np.mean(error**2))),
        "validation:precision": float(precision[present].mean()),
        "validation:recall": float(recall[present].mean()),
        "validation:f1": float(f1[present].mean()),
    }


def whole(found: Floats, labels: Ints, dataset: Dataset) -> dict[str, Any]:
    """The metrics, every count on its own, and what naming the most frequent or the mean count gives."""
    classes = dataset.classes
    numbers, matrix = counts(classes), label_scores.confusion(labels, found.argmax(1), len(classes))
    recall, error = label_scores.of_classes(matrix)[1], np.rint(found @ numbers) - numbers[labels]
    usual = int(np.bincount(labels).argmax())
    return {
        **metrics(found, labels, classes),
        "majority": {"accuracy": float((labels == usual).mean()), "rmse": _rmse(numbers[usual], numbers[labels])},
        "mean": dict(zip(("accuracy", "rmse"), _always_mean(dataset), strict=True)),
        "images": len(labels),
        "per_count": {
            name: {
                "accuracy": recall[i],
                "rmse": float(np.sqrt(np.mean(error[labels == i] ** 2))) if (labels == i).any() else None,
                "images": int((labels == i).sum()),
            }
            for i, name in enumerate(classes)
        },
        "confusion": matrix.tolist(),
    }


def _in_order(dataset: Dataset, folder: Folder) -> Dataset:
    """The classes as numbers in ascending order; Refusal for one that is no number."""
    for name in dataset.classes:
        if not name.isdecimal():
            raise Refusal(
                f"class {name!r} of {folder} is no number of objects", "name folders and labels 1, 2, 3, … by the count"
            )
    order = sorted(dataset.classes, key=int)
    index = [order.index(name) for name in dataset.classes]
    samples = [replace(s, label=None if s.label is None else index[s.label]) for s in dataset.samples]
    return replace(dataset, classes=tuple(str(int(name)) for name in order), samples=tuple(samples))


def _up_to(dataset: Dataset, max_count: int | None) -> Dataset:
    kept = [name for name in dataset.classes if max_count is None or int(name) <= max_count]
    samples = [sample for sample in dataset.samples if sample.label is not None and sample.label < len(kept)]
    left = len(dataset.samples) - len(samples)
    notes = (*dataset.notes, f"{left} images of more than {max_count} objects left out") if left else dataset.notes
    return replace(dataset, classes=tuple(kept), samples=tuple(samples), notes=notes)


def _mean(dataset: Dataset) -> int:
    numbers = counts(dataset.classes)
    return round(float(numbers[classification.labels(dataset)].mean()))


def _always_mean(dataset: Dataset) -> tuple[float, float]:
    """Accuracy and RMSE of always naming the rounded mean count."""
    true = counts(dataset.classes)[classification.labels(dataset)]
    return float((true == _mean(dataset)).mean()), _rmse(_mean(dataset), true)


def _rmse(named: int, true: Ints) -> float:
    return float(np.sqrt(np.mean((named - true) ** 2.0)))
