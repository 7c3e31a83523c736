"""What the values of a mask image mean: which pixels are defective, or of which class.

Without names of classes a mask tells defective from sound. A palette image: every index but 0 is defective
(KolektorSDD has masks of three indices), unless its colours are the greys of their indices; index 0 must be the
darkest. A grey image: 0 and 1, or dark and light with the border at 128 (what was scaled smoothly has greys between
along its edges; an area of one such grey is refused). With names, values are class numbers, 0 the background, and none
may be beyond.
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
JPEG = 32
"""Greys by which compression may change black and white."""


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
        present = np.flatnonzero(np.bincount(numbers.ravel(), minlength=256))
        indexed = image.mode == "1" or (image.mode == "P" and not _is_ramp(image, present))
        if indexed and not classes:
            _check_background(image, present, shown)
        margin = JPEG if image.format == "JPEG" else 1
    if classes:
        _check_known(numbers, present, shown, classes)
        return Values(numbers, orientation, uneven=False)
    if indexed or present[-1] <= 1:
        return Values((numbers > 0).astype(np.uint8), orientation, uneven=len(present) > 2)
    if present[-1] < LIGHT:
        value = int(present[present > 1][0])
        raise Refusal(
            f"mask {shown} has the values {_listed(present)} ({value} first at pixel {_first(numbers == value)}), "
            "which may be class numbers or greys",
            "name the classes 1, 2, … in classes.txt, one a line, or save defects as 255 on 0",
        )
    areas = _even(numbers, margin)
    if areas.any():
        value = int(numbers[areas][0])
        raise Refusal(
            f"mask {shown} has areas of the value {value} (first at pixel {_first(areas)}) beside {present[-1]}, which "
            "may be class numbers or greys",
            "name the classes 1, 2, … in classes.txt, one a line, or save defects as 255 on 0",
        )
    return Values((numbers >= LIGHT).astype(np.uint8), orientation, uneven=len(present) > 2)


def _even(numbers: NDArray[np.uint8], margin: int) -> NDArray[np.bool_]:
    """The pixels (H, W) amid 3 × 3 of one grey, by `margin` lighter than black and darker than the lightest."""
    even = (numbers >= margin) & (numbers <= int(numbers.max()) - margin)
    if not even.any():
        return even
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


def _is_ramp(image: Image.Image, present: NDArray[np.intp]) -> bool:
    """Whether the colours of a palette are the greys of their indices, as where a grey image was made one."""
    colors = _colors(image)
    return bool(present[-1] >= LIGHT) and all(colors[3 * index : 3 * index + 3] == [index] * 3 for index in present)


def _check_background(image: Image.Image, present: NDArray[np.intp], shown: str) -> None:
    """Refusal of a palette whose index 0 is lighter than another: Pillow's `quantize` numbers white 0."""
    if image.mode == "1":
        return
    colors = _colors(image)
    light = [sum(colors[3 * index : 3 * index + 3]) for index in (0, *present)]
    if min(light) < light[0]:
        raise Refusal(
            f"mask {shown} has a palette whose index 0, the background, is lighter than index "
            f"{present[int(np.argmin(light[1:]))]}",
            "save it as 8-bit grey, defects as 255 on 0, or name the classes 1, 2, … in classes.txt, one a line",
        )


def _colors(image: Image.Image) -> list[int]:
    """Red, green and blue of each of the 256 indices of a palette, one after the other."""
    return (image.getpalette("RGB") or []) + [0] * 768


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
