"""What the values of a mask image mean: which pixels are defective, or of which class.

Without names of classes a mask tells defective from sound. A palette image: every index but 0 is defective
(KolektorSDD has masks of three indices). A grey image: 0 and 1, or dark and light with the border at 128 (what was
scaled smoothly has greys between along its edges; an area of one such grey is refused). With names, values are class
numbers, 0 the background, and none may be beyond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from optml.errors import Refusal
from vision import images

LIGHT = 128
BETWEEN = range(32, 224)
"""Greys that are neither dark nor light, however a JPEG has changed them."""


@dataclass(frozen=True)
class Values:
    labels: NDArray[np.uint8]
    """(H, W): 0 background, else the number of a class from 1 on."""
    orientation: int
    """The mask's own EXIF orientation, which `labels` has been turned by."""
    uneven: bool
    """Other values than two were taken for one of two."""


def read(path: Path, shown: str, classes: Sequence[str]) -> Values:
    """The label map of a mask; `classes` are the names of the values 1, 2, …, empty to tell defective from sound."""
    with images.opened(path, shown) as image:
        orientation = images.orientation(image)
        numbers = _numbers(ImageOps.exif_transpose(image), shown)
        palette = image.mode in ("P", "1")
    present = np.flatnonzero(np.bincount(numbers.ravel(), minlength=256))
    if classes:
        _check_known(numbers, present, shown, classes)
        return Values(numbers, orientation, uneven=False)
    if palette or present[-1] <= 1:
        return Values((numbers > 0).astype(np.uint8), orientation, uneven=len(present) > 2)
    if present[-1] < LIGHT:
        value = int(present[present > 1][0])
        raise Refusal(
            f"mask {shown} has the values {_listed(present)} ({value} first at pixel {_first(numbers == value)}), "
            "which may be class numbers or greys",
            "name the classes 1, 2, … in classes.txt, one a line, or save defects as 255 on 0",
        )
    areas = _even(numbers) if any(value in BETWEEN for value in present[:-1]) else None
    if areas is not None and areas.any():
        value = int(numbers[areas][0])
        raise Refusal(
            f"mask {shown} has areas of the value {value} (first at pixel {_first(areas)}) beside {present[-1]}, which "
            "may be class numbers or greys",
            "name the classes 1, 2, … in classes.txt, one a line, or save defects as 255 on 0",
        )
    return Values((numbers >= LIGHT).astype(np.uint8), orientation, uneven=len(present) > 2)


def _even(numbers: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The pixels (H, W) amid 3 × 3 of one grey between dark and light, which is not the lightest there is."""
    even = np.isin(numbers, [value for value in BETWEEN if value != numbers.max()])
    even[[0, -1]] = even[:, [0, -1]] = False
    for axis in (0, 1):
        for step in (-1, 1):
            even &= np.roll(numbers, step, axis) == numbers
    for y, x in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        even &= np.roll(numbers, (y, x), (0, 1)) == numbers
    return even


def _numbers(image: Image.Image, shown: str) -> NDArray[np.uint8]:
    """(H, W) palette indices or greys; what is transparent is background."""
    if image.mode == "1":
        return np.asarray(image.convert("L")) // 255
    if image.mode in ("L", "P"):
        return np.asarray(image)
    if image.mode not in ("LA", "RGB", "RGBA"):
        raise Refusal(
            f"mask {shown} is of mode {image.mode}, which is not read as a mask", "save it as 8-bit grey or palette PNG"
        )
    channels = np.asarray(image.convert("RGBA"))
    coloured = (channels[..., :3] != channels[..., :1]).any(axis=2)
    if coloured.any():
        color = ", ".join(str(value) for value in channels[coloured][0][:3])
        raise Refusal(
            f"mask {shown} is in colours ({color} first at pixel {_first(coloured)}), and no annotation says what they "
            "mean",
            "save it as 8-bit grey or palette PNG, or bring a manifest with an internal-color-map",
        )
    return np.where(channels[..., 3] >= LIGHT, channels[..., 0], 0).astype(np.uint8)


def _check_known(numbers: NDArray[np.uint8], present: NDArray[np.intp], shown: str, classes: Sequence[str]) -> None:
    unknown = present[present > len(classes)]
    if unknown.size:
        raise Refusal(
            f"mask {shown} has the value {unknown[0]} (first at pixel {_first(numbers == unknown[0])}), and there are "
            f"{len(classes)} classes ({', '.join(classes)})",
            "name the class in classes.txt, or correct the mask: 0 is background, 1 the first class",
        )


def _first(found: NDArray[np.bool_]) -> str:
    """x, y of the first pixel of those found."""
    y, x = (int(at[0]) for at in np.nonzero(found))
    return f"{x}, {y}"


def _listed(present: NDArray[np.intp]) -> str:
    shown = ", ".join(str(value) for value in present[:8])
    return f"{shown}, …" if len(present) > 8 else shown
