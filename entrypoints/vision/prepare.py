"""Images decoded once before training: every one is checked, and an epoch then costs augmentation only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from PIL import Image

from vision import images, transforms
from vision.record import Dataset, Sample


def scaled(dataset: Dataset, folder: Path, longer_side_px: int) -> Dataset:
    """`dataset` with every image scaled to `longer_side_px` and stored uncompressed below `folder` (scratch, new).

    Scaling is bilinear, as the letterbox of serving does it. Annotations and the recorded width and height stay those
    of the original. Refusal that names the first image that does not decode.
    """
    folder.mkdir(parents=True)
    targets = [folder / f"{number:06d}.bmp" for number in range(len(dataset.samples))]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        made: Sequence[Sample] = list(pool.map(_scale, dataset.samples, targets, [longer_side_px] * len(targets)))
    return dataset.subset(made)


def _scale(sample: Sample, target: Path, longer_side_px: int) -> Sample:
    image = images.open_image(sample.image)
    height, width = image.shape[:2]
    factor = longer_side_px / max(width, height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    Image.fromarray(transforms.resize(image, *size)).save(target)
    return replace(sample, image=target)
