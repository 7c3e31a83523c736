"""The training and the validation set of a detector or segmenter, read, split, checked and told about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optml.errors import Refusal
from vision import formats, record, splits
from vision.record import Dataset


def load_sets(
    train: Path, validation: Path | None, *, manifest: str, fraction: float, seed: int, split_file: Path, masks: bool
) -> tuple[Dataset, Dataset]:
    """The sets of a job, checked; what the readers noticed is printed.

    Without a validation channel: the parts that the data set itself names, else a seeded, stratified `fraction` of it;
    either way it is written to `split_file`. `manifest` chooses the annotation file of each channel that holds
    several; `masks` refuses boxes.
    """
    folders = {"train": train} | ({"validation": validation} if validation else {})
    preferred = _preferred(folders, manifest)
    dataset = formats.load(train, preferred["train"], channel="train")
    if validation:
        held_out = formats.load(validation, preferred["validation"], channel="validation")
        parts = (dataset, record.aligned(held_out, dataset.classes))
    else:
        given = splits.given(dataset)
        parts = given or splits.split(dataset, fraction, seed)
        split_file.parent.mkdir(parents=True, exist_ok=True)
        splits.write_split(split_file, *parts, seed=seed, fraction=None if given else fraction)
    for part, role in zip(parts, ("train", "validation"), strict=True):
        _tell(part, role)
        _check(part, role, masks)
    return parts


def _preferred(folders: Mapping[str, Path], manifest: str) -> dict[str, str]:
    """The annotation file to prefer in each channel: `manifest`, except where another channel has it and this has not.

    Refusal where such a channel leaves a choice all the same.
    """
    found = {name: formats.annotation_files(path) for name, path in folders.items()} if manifest else {}
    holding = [name for name in found if formats.matching(found[name], folders[name], manifest)]
    for name, files in found.items():
        if holding and name not in holding and len(files) > 1:
            names = ", ".join(path.relative_to(folders[name]).as_posix() for path in files)
            raise Refusal(
                f'manifest={manifest} chooses in channel "{holding[0]}", but is none of the {len(files)} annotation '
                f'files of channel "{name}" ({names})',
                f'leave one of them in channel "{name}", or call the one to use {manifest}',
            )
    return {name: "" if holding and name not in holding else manifest for name in folders}


def _tell(dataset: Dataset, role: str) -> None:
    instances = sum(len(sample.instances) for sample in dataset.samples)
    negatives = sum(not sample.instances for sample in dataset.samples)
    classes = ", ".join(dataset.classes) or "no class"
    print(f"{role}: {len(dataset.samples)} images, {instances} instances of {classes}, {negatives} images without any")
    if role == "train":
        for note in dataset.notes:
            print(f"note: {note}")


def _check(dataset: Dataset, role: str, masks: bool) -> None:
    if not dataset.samples:
        raise Refusal(
            f"the {role} set is empty: {dataset.file} puts no image into it", f"name the images of its {role} part"
        )
    if not any(sample.instances for sample in dataset.samples):
        raise Refusal(
            f"none of the {len(dataset.samples)} images of the {role} set has an annotated object ({dataset.file})",
            "annotate some of them, or give a larger validation-fraction",
        )
    if masks and not dataset.has_masks:
        raise Refusal(
            f"the {role} set has boxes without masks, which task=segment needs ({dataset.file})", "use task=detect"
        )
