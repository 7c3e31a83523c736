"""The training and the validation set of a job, read by the reader of its task and split where one channel has both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from optml.errors import Refusal
from vision import copies, formats, record, splits
from vision.record import Dataset


@dataclass(frozen=True)
class Reader:
    load: Callable[[Path, str, str], Dataset]
    """(folder, preferred annotation file, channel)"""
    annotation_files: Callable[[Path], list[Path]]
    """Those of a folder that `load` would take."""


def load(
    train: Path, validation: Path | None, reader: Reader, manifest: str, fraction: float, seed: int, split_file: Path
) -> tuple[Dataset, Dataset]:
    """The sets of a job; arguments as those of `detection.load_sets`."""
    folders = {"train": train} | ({"validation": validation} if validation else {})
    preferred = _preferred(folders, manifest, reader)
    dataset = reader.load(train, preferred["train"], "train")
    if validation:
        held_out = reader.load(validation, preferred["validation"], "validation")
        return _told_of_copies(dataset, record.aligned(held_out, dataset.classes))
    given = splits.given(dataset)
    parts = _told_of_copies(*given) if given else splits.split(dataset, fraction, seed)
    split_file.parent.mkdir(parents=True, exist_ok=True)
    splits.write_split(split_file, *parts, seed=seed, fraction=None if given else fraction)
    return parts


def _told_of_copies(train: Dataset, validation: Dataset) -> tuple[Dataset, Dataset]:
    """The parts that a user gave, with a note where one file is in both."""
    shared = copies.across(train, validation)
    note = f"{shared} validation images are training images byte for byte, which flatters what is measured on them"
    return replace(train, notes=(*train.notes, note)) if shared else train, validation


def _preferred(folders: Mapping[str, Path], manifest: str, reader: Reader) -> dict[str, str]:
    """The annotation file to prefer in each channel: `manifest`, except where another channel has it and this has not.

    Refusal where such a channel leaves a choice all the same.
    """
    found = {name: reader.annotation_files(path) for name, path in folders.items()} if manifest else {}
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
