"""Images that are the same file byte for byte, found without reading more of a data set than that takes."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from vision.record import Dataset, Sample

HEAD = 1 << 16  # bytes


def find(paths: Iterable[Path]) -> list[list[Path]]:
    """Files of equal content, two at least in each list. Of one size first, then of one beginning, last read whole."""
    found = _alike([list(dict.fromkeys(paths))], _size)
    found = _alike(found, lambda path: _digest(path, HEAD))
    longer = [group for group in found if (_size(group[0]) or 0) > HEAD]
    return [group for group in found if group not in longer] + _alike(longer, lambda path: _digest(path, -1))


def together(dataset: Dataset) -> tuple[Dataset, int]:
    """The data set with its groups joined where they share a file, and how many images repeat another."""
    ordered = sorted(dataset.samples, key=lambda sample: sample.name)
    groups = {sample.image: sample.group or sample.name for sample in ordered}
    leader = {group: group for group in groups.values()}

    def first(group: str) -> str:
        while leader[group] != group:
            group = leader[group]
        return group

    same = find(groups)
    for paths in same:
        for path in paths[1:]:
            leader[first(groups[path])] = first(groups[paths[0]])
    samples: Sequence[Sample] = [replace(one, group=first(groups[one.image])) for one in dataset.samples]
    return (dataset.subset(samples), sum(len(paths) - 1 for paths in same)) if same else (dataset, 0)


def across(train: Dataset, validation: Dataset) -> int:
    """How many images of a validation set are in the training set too."""
    learnt, asked = ({sample.image for sample in part.samples} for part in (train, validation))
    return sum(len(asked.intersection(paths)) for paths in find(learnt | asked) if learnt.intersection(paths))


def _alike(groups: Iterable[list[Path]], of: Callable[[Path], Hashable]) -> list[list[Path]]:
    """Each group parted by what is found `of` its files; single files, and those of None, are left out."""
    found = []
    for group in groups:
        parted: dict[Hashable, list[Path]] = defaultdict(list)
        for path in group:
            parted[of(path)].append(path)
        found += [paths for key, paths in parted.items() if key is not None and len(paths) > 1]
    return found


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None  # training names it when it reads it


def _digest(path: Path, length: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            return hashlib.sha256(file.read(length)).digest()
    except OSError:
        return None
