"""Images decoded once before training: every one is checked, and an epoch then costs augmentation only."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from PIL import Image

from vision import images, transforms
from vision.formats import yolo_folder
from vision.record import Dataset, Sample


def training_folder(folder: Path, train: Dataset, validation: Dataset, side_px: int, *, masks: bool) -> Path:
    """A YOLO folder (scratch, new) of both sets with images decoded once and scaled; the path of its data.yaml.

    Objects are written as outlines where `masks`, or where each has one (a box then stays tight around its object when
    its image is cut and scaled), else as boxes.
    """
    objects = (found for part in (train, validation) for sample in part.samples for found in sample.instances)
    outlined = masks or all(found.polygons for found in objects)
    parts = [
        scaled(part, folder.with_name(f"{folder.name}-{role}"), side_px)
        for role, part in (("train", train), ("val", validation))
    ]
    return yolo_folder.save(folder, *parts, polygons=outlined)


def scaled(dataset: Dataset, folder: Path, longer_side_px: int) -> Dataset:
    """`dataset` with every image scaled to `longer_side_px` and stored uncompressed below `folder` (scratch, new).

    Scaling is bilinear, as the letterbox of serving does it. Annotations and the recorded width and height stay those
    of the original. Refusal that names the first image that does not decode.
    """
    folder.mkdir(parents=True)
    targets = [folder / f"{number:06d}.bmp" for number in range(len(dataset.samples))]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        sides_px = [longer_side_px] * len(targets)
        made = list(pool.map(_scale, dataset.samples, map(dataset.show, dataset.samples), targets, sides_px))
    return dataset.subset(made)


def _scale(sample: Sample, shown: str, target: Path, longer_side_px: int) -> Sample:
    image = images.open_image(sample.image, shown)
    height, width = image.shape[:2]
    factor = longer_side_px / max(width, height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    Image.fromarray(transforms.resize(image, *size)).save(target)
    return replace(sample, image=target)
