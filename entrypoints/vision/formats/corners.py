"""Boxes and sizes in pixels, checked against the image that they are of (standard library only)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from optml.errors import Refusal
from vision.folder import shortened

Box = tuple[float, float, float, float]


def placed(corners: Sequence[object], size: tuple[int, int], where: str, hint: str) -> tuple[Box, bool]:
    """The part of a box x1, y1, x2, y2 that lies in an image of (width, height), and whether more than a pixel was cut.

    Refusal for what is no four numbers, for a box that ends where it begins or before, and for one outside the image.
    """
    values = [float(value) for value in corners if isinstance(value, int | float) and _is_number(value)]
    if len(values) != 4 or len(corners) != 4:
        raise Refusal(f"a box is {shortened(repr(list(corners)))} ({where})", hint)
    x1, y1, x2, y2 = values
    if x2 <= x1 or y2 <= y1:
        raise Refusal(f"the box from {x1:g}, {y1:g} to {x2:g}, {y2:g} has no area ({where})", hint)
    width, height = size
    left, top, right, bottom = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
    if right <= left or bottom <= top:
        outside = f"the box from {x1:g}, {y1:g} to {x2:g}, {y2:g} lies outside the {width}x{height} image ({where})"
        raise Refusal(outside, hint)
    moved = max(left - x1, top - y1, x2 - right, y2 - bottom)
    return (left, top, right, bottom), moved > 1


def check_size(declared: Mapping[str, Any], size: tuple[int, int], where: str, image: str = "the image") -> None:
    """Refuse a declared "width" and "height" that are not those of an image of (width, height), or no numbers.

    A side that is not declared is not checked.
    """
    sides = [declared.get(name, side) for name, side in zip(("width", "height"), size, strict=True)]
    for name, side in zip(("width", "height"), sides, strict=True):
        if not isinstance(side, int | float) or not _is_number(side):
            raise Refusal(
                f'"{name}" of {image} is {shortened(json.dumps(side))}, which is no number ({where})',
                f"write it in pixels, without quotes, or leave it out: {image} is {size[0]}x{size[1]}",
            )
    if tuple(sides) != size:
        raise Refusal(
            f"{image} is {size[0]}x{size[1]} as displayed, but declared {sides[0]}x{sides[1]} ({where})",
            "annotate the image as it is, EXIF orientation applied",
        )


def _is_number(value: float) -> bool:
    return not isinstance(value, bool) and math.isfinite(value)
