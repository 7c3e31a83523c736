"""The training and the validation set of a classifier, read, split, checked and told about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from optml.errors import Refusal
from vision import formats, sets
from vision.folder import Folder
from vision.record import Dataset

NORMAL = frozenset({"normal", "good", "ok", "free", "whole", "pass", "negative", "no_defect", "0"})
"""Class names, in lower case, that mean that nothing is wrong; all but 0 also as words of a name, `Train_OK`."""
NEGATIONS = frozenset({"no", "not", "non"})


def load_sets(
    channels: Mapping[str, Path], *, manifest: str, fraction: float, seed: int, split_file: Path
) -> tuple[Dataset, Dataset]:
    """The sets of a job from its channels, checked; what the readers noticed is printed.

    `train_lst` and `validation_lst` hold lists of the images in `train` and `validation`, as AWS's built-in algorithm
    has them. Without `validation` the data set's own part is held out, else a seeded, stratified `fraction`; either
    way it is written to `split_file`. `manifest` chooses the annotation file of a channel that holds several.
    """

    def load(path: Path, prefer: str, channel: str) -> Dataset:
        lists = f"{channel}_lst"
        return formats.load_labels(path, prefer, channel, Folder(channels[lists], lists) if lists in channels else None)

    if "validation_lst" in channels and "validation" not in channels:
        raise Refusal(
            'channel "validation_lst" lists images of a channel "validation", which the job lacks', "add that channel"
        )
    reader = sets.Reader(load, formats.label_files)
    parts = sets.load(channels["train"], channels.get("validation"), reader, manifest, fraction, seed, split_file)
    tell(parts)
    return parts


def tell(parts: tuple[Dataset, Dataset]) -> None:
    """Say what the training and the validation set hold; Refusal where nothing can be learnt from them."""
    for part, role in zip(parts, ("train", "validation"), strict=True):
        _tell(part, role)
        _check(part, role)


def check_classes(dataset: Dataset, wanted: int | None) -> None:
    """Refuse data that does not have the `wanted` number of classes; the first image beyond it is named."""
    names = dataset.classes
    if wanted is None or wanted == len(names):
        return
    beyond = [sample for sample in dataset.samples if sample.label is not None and sample.label >= wanted]
    where = f"; class {names[wanted]} stands first in {beyond[0].source}" if beyond else ""
    raise Refusal(
        f"num-classes={wanted}, but the data has {len(names)} classes ({', '.join(names)}{where})",
        f"set num-classes to {len(names)}, or leave it out",
    )


def check_samples(sets: tuple[Dataset, Dataset], wanted: int | None) -> None:
    """Refuse a number of training samples that neither the training set nor what it was split from has."""
    train, whole = len(sets[0].samples), len(sets[0].samples) + len(sets[1].samples)
    if wanted not in (None, train, whole):
        raise Refusal(
            f"num-training-samples={wanted}, but there are {train} training images",
            f"set num-training-samples to {train}, or leave it out",
        )


def positive_class(classes: tuple[str, ...], wanted: str) -> int:
    """Which of two classes is the one to find: `wanted`, else the one that is not called normal, else the second.

    Refusal where both are called normal in some way.
    """
    if wanted:
        if wanted not in classes:
            raise Refusal(
                f"positive-class={wanted} is none of the classes ({', '.join(classes)})", f"name {classes[0]}, say"
            )
        return classes.index(wanted)
    others = [index for index, name in enumerate(classes) if not _is_normal(name)]
    if not others:
        raise Refusal(
            f"which class is to be found? Both are called normal: {', '.join(classes)}",
            f"set the hyperparameter positive-class={classes[1]}, say",
        )
    return others[0] if len(others) == 1 else 1


def _is_normal(name: str) -> bool:
    """Whether a class name, or a word in it that no negation precedes, says that nothing is wrong."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
    if name.lower() in NORMAL or "_".join(words) in NORMAL:
        return True
    pairs = zip(["", *words], words, strict=False)
    return any(word in NORMAL - {"0"} and before not in NEGATIONS for before, word in pairs)


def labels(dataset: Dataset) -> list[int]:
    """The class id of every sample."""
    return [sample.label for sample in dataset.samples if sample.label is not None]


def majority(counts: Counter[int]) -> float:
    """The accuracy of always naming the most frequent class."""
    return max(counts.values()) / sum(counts.values())


def _tell(dataset: Dataset, role: str) -> None:
    counts = Counter(labels(dataset))
    of = "of " if all(name.isdecimal() for name in dataset.classes) else ""  # "5 1" would read as one number
    each = ", ".join(f"{counts[index]} {of}{name}" for index, name in enumerate(dataset.classes))
    share = f"; always the largest class: accuracy {majority(counts):.3f}" if counts else ""
    print(f"{role}: {len(dataset.samples)} images, {each}{share}", flush=True)
    if role == "train":
        for note in dataset.notes:
            print(f"note: {note}")


def _check(dataset: Dataset, role: str) -> None:
    if not dataset.samples:
        raise Refusal(
            f"the {role} set is empty: {dataset.file} puts no image into it", f"name the images of its {role} part"
        )
    counts = Counter(labels(dataset))
    if len(dataset.classes) < 2:
        raise Refusal(
            f"all images of {dataset.file} are of one class, {dataset.classes[0]}",
            "add images of another class: a classifier tells classes apart",
        )
    missing = [name for index, name in enumerate(dataset.classes) if not counts[index]]
    if missing and (role == "train" or len(dataset.classes) == 2):
        raise Refusal(
            f"the {role} set has no image of class {missing[0]} ({dataset.file})",
            "add some, or give a larger validation-fraction" if role == "validation" else "add some",
        )
