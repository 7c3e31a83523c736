"""Splits of a data set: stratified by the set of classes of a sample, decided by names and a seed, not by order.

The classes are those of its instances and of the image as a whole. Samples without any are a stratum of their own, so
negatives are shared out like every class. Samples that the data set sets aside for testing go into neither part.
Samples of one group, and those whose images are the same file byte for byte, stay together: what is said of a sample
here holds of the group as one.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from optml.errors import Refusal
from vision import copies
from vision.record import Dataset, Sample


def given(dataset: Dataset) -> tuple[Dataset, Dataset] | None:
    """The (train, validation) parts that the data set itself declares, None where it declares no validation part."""
    validation = [sample for sample in dataset.samples if sample.split == "validation"]
    if not validation:
        return None
    return dataset.subset([s for s in dataset.samples if s.split in {"train", ""}]), dataset.subset(validation)


def split(dataset: Dataset, fraction: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
    """(train, validation); every stratum gives its `fraction` to validation, within one sample.

    The only sample of a stratum stays in train. Refusal if either part would be empty.
    """
    if not 0 < fraction < 1:
        raise Refusal(f"validation fraction {fraction} is not between 0 and 1", "use 0.2, for one sample in five")
    dataset, chosen = _with_copies_together(dataset), set[str]()
    pool = [group for stratum in _strata(dataset, seed) if len(stratum) > 1 for group in stratum]
    for position, group in enumerate(pool):
        if math.floor((position + 1) * fraction + 0.5) > math.floor(position * fraction + 0.5):
            chosen |= {sample.name for sample in group}
    if not chosen and pool:
        chosen |= {sample.name for sample in pool[0]}
    parts = _parts(dataset, chosen)
    if not parts[0].samples or not parts[1].samples:
        groups = sum(map(len, _strata(dataset, seed)))
        alike = f" that show {groups} things" if groups < len(_usable(dataset)) else ""
        raise Refusal(
            f"{len(_usable(dataset))} samples{alike} are too few to set some aside for validation",
            "add images, or give a validation channel",
        )
    return parts


def k_folds(dataset: Dataset, k: int = 5, seed: int = 0) -> list[tuple[Dataset, Dataset]]:
    """K (train, validation) pairs; every sample is in one validation part, strata and totals even within one sample."""
    if not 2 <= k <= len(_usable(dataset)):
        raise Refusal(
            f"{len(_usable(dataset))} samples cannot make {k} folds", "use 2 folds or more, at most one a sample"
        )
    dataset = _with_copies_together(dataset)
    ordered = [group for stratum in _strata(dataset, seed) for group in stratum]
    return [_parts(dataset, {sample.name for group in ordered[fold::k] for sample in group}) for fold in range(k)]


def write_split(path: Path, train: Dataset, validation: Dataset, *, seed: int, fraction: float | None = None) -> None:
    """Write down who went where, as JSON; `fraction` is None where the data set declared the split itself."""
    record = {
        "seed": seed,
        "fraction": fraction,
        "classes": list(train.classes),
        "train": sorted(sample.name for sample in train.samples),
        "validation": sorted(sample.name for sample in validation.samples),
    }
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def _with_copies_together(dataset: Dataset) -> Dataset:
    joined, repeats = copies.together(dataset)
    note = f"{repeats} images repeat another byte for byte, and stay on its side of the split"
    return replace(joined, notes=(*joined.notes, note)) if repeats else joined


def _strata(dataset: Dataset, seed: int) -> list[list[list[Sample]]]:
    """Groups of samples by the classes that they hold, in an order of their names and the seed."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in _usable(dataset):
        groups[sample.group or sample.name].append(sample)
    strata: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, samples in groups.items():
        found = {i.class_id for sample in samples for i in sample.instances}
        found |= {sample.label for sample in samples if sample.label is not None}
        strata[tuple(sorted(dataset.classes[class_id] for class_id in found))].append(name)
    return [
        [groups[name] for name in sorted(strata[classes], key=lambda name: _rank(name, seed))]
        for classes in sorted(strata)
    ]


def _rank(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _usable(dataset: Dataset) -> list[Sample]:
    return [sample for sample in dataset.samples if sample.split != "test"]


def _parts(dataset: Dataset, validation: set[str]) -> tuple[Dataset, Dataset]:
    samples = _usable(dataset)
    train, held_out = ([s for s in samples if (s.name in validation) == part] for part in (False, True))
    return dataset.subset(train), dataset.subset(held_out)
