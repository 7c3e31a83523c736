"""The training and the validation set of a detector or segmenter, read, split, checked and told about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optml.errors import Refusal
from vision import formats, sets
from vision.folder import Folder, shortened
from vision.record import Dataset


def load_sets(
    channels: Mapping[str, Path], *, manifest: str, fraction: float, seed: int, split_file: Path, masks: bool
) -> tuple[Dataset, Dataset]:
    """The sets of a job from its channels, checked; what the readers noticed is printed.

    `train_annotation` and `validation_annotation` hold a JSON file for each image in `train` and `validation`, as AWS's
    built-in algorithm has them.

    Without a validation channel: the parts that the data set itself names, else a seeded, stratified `fraction` of it;
    either way it is written to `split_file`. `manifest` chooses the annotation file of each channel that holds
    several; `masks` refuses boxes.
    """

    def load(path: Path, prefer: str, channel: str) -> Dataset:
        own = f"{channel}_annotation"
        return formats.load(path, prefer, channel, Folder(channels[own], own) if own in channels else None)

    if "validation_annotation" in channels and "validation" not in channels:
        raise Refusal(
            'channel "validation_annotation" annotates images of a channel "validation", which the job lacks',
            "add that channel",
        )
    reader = sets.Reader(load, formats.annotation_files)
    parts = sets.load(channels["train"], channels.get("validation"), reader, manifest, fraction, seed, split_file)
    for part, role in zip(parts, ("train", "validation"), strict=True):
        _tell(part, role)
        _check(part, role, masks)
    return parts


def check_classes(dataset: Dataset, wanted: int | None) -> None:
    """Refuse data that does not have the `wanted` number of classes; the first object beyond it is named."""
    names = dataset.classes
    if wanted is None or wanted == len(names):
        return
    beyond = [s for s in dataset.samples if any(instance.class_id >= wanted for instance in s.instances)]
    where = f"; class {names[wanted]} stands first in {beyond[0].source}" if beyond else ""
    raise Refusal(
        f"num-classes={wanted}, but the data has {len(names)} classes ({', '.join(names)}{where})",
        f"set num-classes to {len(names)}, or leave it out",
    )


def check_objects(dataset: Dataset, what: str, hint: str, where: str = "") -> None:
    """Refuse a set without an object that a model could be asked for: nothing can be said of a detector by it."""
    _check_any(dataset, what, hint, where)
    difficult = [instance.difficult for sample in dataset.samples for instance in sample.instances]
    if all(difficult):
        raise Refusal(
            f"all {len(difficult)} objects of {what} are marked difficult, and a model is asked for others only{where}",
            "take the mark off those that it should find, or give more images with objects",
        )


def _check_any(dataset: Dataset, what: str, hint: str, where: str) -> None:
    if not any(sample.instances for sample in dataset.samples):
        raise Refusal(f"none of the {len(dataset.samples)} images of {what} has an annotated object{where}", hint)


def _tell(dataset: Dataset, role: str) -> None:
    instances = sum(len(sample.instances) for sample in dataset.samples)
    negatives = sum(not sample.instances for sample in dataset.samples)
    present = {instance.class_id for sample in dataset.samples for instance in sample.instances}
    found = ", ".join(name for index, name in enumerate(dataset.classes) if index in present) or "no class"
    print(f"{role}: {len(dataset.samples)} images, {instances} instances of {found}, {negatives} images without any")
    if role == "train":
        for note in dataset.notes:
            print(f"note: {note}")
        if absent := [name for index, name in enumerate(dataset.classes) if index not in present]:
            names = shortened(", ".join(absent))
            what = f"class {names}: it is" if len(absent) == 1 else f"classes {names}: they are"
            print(f"note: the train set has no object of {what} not learnt")


def _check(dataset: Dataset, role: str, masks: bool) -> None:
    if not dataset.samples:
        raise Refusal(
            f"the {role} set is empty: {dataset.file} puts no image into it", f"name the images of its {role} part"
        )
    hint = "annotate some of them, or give a larger validation-fraction"
    check = check_objects if role == "validation" else _check_any  # difficult objects are learnt from
    check(dataset, f"the {role} set", hint, f" ({dataset.file})")
    if masks and not dataset.has_masks:
        raise Refusal(
            f"the {role} set has boxes without masks, which task=segment needs ({dataset.file})", "use task=detect"
        )
