"""YOLO folders: data.yaml, images, and a text file an image with one line an object, normalised to 0..1.

A line is `class cx cy w h` (box) or `class x1 y1 x2 y2 x3 y3 …` (polygon). `images` in an image's path becomes
`labels` in its label file's. An image whose label file is empty or missing is a negative.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from optml.errors import Refusal
from vision import documents, images
from vision.folder import Folder
from vision.formats import yolo_label, yolo_parts
from vision.record import Dataset, Sample, build

SMALLEST_PX = 10  # Ultralytics leaves smaller images out
END_OF_JPEG = b"\xff\xd9"


@dataclass
class _Reading:
    """One reading of a data set: what it is read with, and what was decided on the way, for the notes."""

    folder: Folder
    shown: str  # what errors call data.yaml
    classes: tuple[str, ...]
    unlabelled: int = 0
    clipped: int = 0
    repeated: int = 0


def load(file: Path, folder: Folder) -> Dataset:
    """The data set of a data.yaml; its train, val and test parts are kept as the samples' split."""
    shown = folder.show(file)
    settings = _settings(file, shown)
    reading = _Reading(folder, shown, _classes(settings, shown))
    samples = []
    for split, pictures in yolo_parts.read(settings, file, folder):
        samples += [_sample(path, split, reading) for path in pictures]
    _check_parts(samples, reading)
    if samples and reading.unlabelled == len(samples):
        raise Refusal(
            f"none of {len(samples)} images has a label file (looked for {samples[0].source})",
            "put labels/ beside images/",
        )
    return build(reading.classes, samples, _notes(reading), folder.label, shown)


def save(folder: Path, train: Dataset, validation: Dataset, *, polygons: bool) -> Path:
    """Write both parts below `folder` (a scratch folder, new) as Ultralytics reads them; the path of its data.yaml.

    `polygons` writes outlines instead of boxes. Images are links, never changed; copies where Ultralytics would
    rewrite the file (a JPEG that goes on behind its end).
    """
    for part, dataset in {"train": train, "val": validation}.items():
        pictures, labels = folder / "images" / part, folder / "labels" / part
        pictures.mkdir(parents=True)
        labels.mkdir(parents=True)
        for sample, name in zip(dataset.samples, flat_names(dataset), strict=True):
            _place(sample, dataset.show(sample), pictures / name)
            size = (sample.width, sample.height)
            lines = [yolo_label.write(i, size, polygon=polygons, where=sample.source) for i in sample.instances]
            content = "".join(f"{line}\n" for line in lines)
            (labels / name).with_suffix(".txt").write_text(content, encoding="utf-8")
    settings = {
        "path": str(folder.absolute()),
        "train": "images/train",
        "val": "images/val",
        "names": dict(enumerate(train.classes)),
    }
    file = folder / "data.yaml"
    file.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file


def flat_names(dataset: Dataset) -> list[str]:
    """File names for the samples, in their order: unique, without folders, different in more than the suffix."""
    taken: set[str] = set()
    names = []
    for sample in dataset.samples:
        path = PurePosixPath(sample.name)
        stem = base = "-".join(path.with_suffix("").parts)
        number = 1
        while stem in taken:
            number += 1
            stem = f"{base}-{number}"
        taken.add(stem)
        names.append(stem + path.suffix)
    return names


def _settings(file: Path, shown: str) -> dict[str, Any]:
    text = documents.read_text(file, shown, "save it as UTF-8")
    settings = documents.from_yaml(text, shown, "correct it: names: and train: at least")
    if not isinstance(settings, dict):
        raise Refusal(f"{shown} is no mapping", "write names: and train: at least")
    return settings


def _classes(settings: dict[str, Any], shown: str) -> tuple[str, ...]:
    names = settings.get("names")
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise Refusal(f"names of {shown} are numbered {sorted(names, key=str)}", "number them 0, 1, 2, …")
        names = [names[i] for i in range(len(names))]
    if not isinstance(names, list) or not names:
        raise Refusal(f"{shown} has no names", "add names: [first class, second class]")
    if "nc" in settings and settings["nc"] != len(names):
        raise Refusal(f"{shown} says nc: {settings['nc']} but lists {len(names)} names", "make the two agree")
    if any(isinstance(name, dict | list) for name in names):
        raise Refusal(f"names of {shown} holds a list in place of a class name", "write one name a class")
    classes = tuple(str(name) for name in names)
    if len(set(classes)) < len(classes):
        raise Refusal(f"{shown} lists a class name twice: {', '.join(classes)}", "give each class its own name")
    return classes


def _check_parts(samples: list[Sample], reading: _Reading) -> None:
    first: dict[str, str] = {}
    for sample in samples:
        split = first.setdefault(sample.name, sample.split)
        if split != sample.split:
            raise Refusal(
                f"{reading.folder.show(sample.image)} is in both the {split} and the {sample.split} part of "
                f"{reading.shown}",
                "leave val out of data.yaml to have some of train set aside",
            )


def _sample(path: Path, split: str, reading: _Reading) -> Sample:
    folder = reading.folder
    if not path.is_relative_to(folder.root):
        raise Refusal(f"image {folder.show(path)} lies outside {folder}", f"correct the paths of {reading.shown}")
    width, height = images.image_size(path, folder.show(path))
    label = _label_path(path, folder.root)
    name, where = folder.name(path), folder.show(label)
    if not label.is_file():
        reading.unlabelled += 1
        return Sample(path, name, width, height, (), where, split)
    lines = documents.read_text(label, where, "write one line an object: class cx cy w h").splitlines()
    instances = []
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        text = " ".join(line.split())
        if text in seen:
            reading.repeated += 1
        elif text:
            seen.add(text)
            instance, clipped = yolo_label.parse(text, f"{where}:{number}", (width, height), reading.classes)
            instances.append(instance)
            reading.clipped += clipped
    return Sample(path, name, width, height, tuple(instances), where, split)


def _label_path(image: Path, channel: Path) -> Path:
    parts = list(image.relative_to(channel).parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index("images")] = "labels"
    return channel.joinpath(*parts).with_suffix(".txt")


def _notes(reading: _Reading) -> list[str]:
    said = {
        "images without a label file taken as negatives": reading.unlabelled,
        "objects clipped to their image": reading.clipped,
        "repeated label lines dropped": reading.repeated,
    }
    return [f"{count} {text}" for text, count in said.items() if count]


def _place(sample: Sample, shown: str, target: Path) -> None:
    if min(sample.width, sample.height) < SMALLEST_PX:
        raise Refusal(
            f"image {shown} is {sample.width}x{sample.height}, too small to train on ({sample.source})",
            f"leave images of under {SMALLEST_PX} pixels out",
        )
    if not _runs_on(sample.image):
        target.symlink_to(sample.image.absolute())
        return
    shutil.copyfile(sample.image, target)
    with target.open("ab") as file:
        file.write(END_OF_JPEG)


def _runs_on(path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(2) != b"\xff\xd8":
            return False
        file.seek(-2, os.SEEK_END)
        return file.read() != END_OF_JPEG
