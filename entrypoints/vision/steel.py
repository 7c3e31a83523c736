"""Made-up photographs of hot-rolled steel strip, 200x200 and grey as those of NEU's set, with scratches, inclusions and
patches, and their annotations as that set has them. No pixel comes from it.
"""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vision.textures import Array, Mask, Random, blur, noise, outline, photograph

SIDE_PX = 200
SMALLEST_PX = 12
"""What is left of a defect at the edge of the picture is none if its box is narrower."""
MOST = 2

Boxes = list[tuple[str, tuple[int, int, int, int]]]
"""Class and x1, y1, x2, y2 in pixels, the last two just outside."""


def strip(rng: Random, *, sound: bool = False) -> tuple[NDArray[np.uint8], Boxes]:
    """A photograph (200, 200, 3) and its defects, one or two; none of `sound` steel."""
    image = _rolled(rng)
    found: Boxes = []
    count = 0 if sound else int(rng.integers(1, MOST + 1))
    while len(found) < count:
        name = tuple(DEFECTS)[rng.integers(len(DEFECTS))]
        box = _box(DEFECTS[name](rng, image, (SIDE_PX * rng.uniform(0.2, 0.8), SIDE_PX * rng.uniform(0.2, 0.8))))
        found += [(name, box)] if box else []
    return photograph(rng, image), found


def annotation(file: str, found: Boxes) -> bytes:
    """The XML file of a photograph: Pascal VOC's, whose pixels count from 1 and whose last ones lie in the box."""
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = file
    _fields(ElementTree.SubElement(root, "size"), width=SIDE_PX, height=SIDE_PX, depth=3)
    for name, (x1, y1, x2, y2) in found:
        thing = ElementTree.SubElement(root, "object")
        _fields(thing, name=name, pose="Unspecified", truncated=0, difficult=0)
        _fields(ElementTree.SubElement(thing, "bndbox"), xmin=x1 + 1, ymin=y1 + 1, xmax=x2, ymax=y2)
    ElementTree.indent(root, "\t")
    return ElementTree.tostring(root) + b"\n"


def _fields(element: ElementTree.Element, **values: object) -> None:
    for name, value in values.items():
        ElementTree.SubElement(element, name).text = str(value)


def _rolled(rng: Random) -> Array:
    """Grey steel, lengthwise streaks, uneven light."""
    streaks = noise(rng, SIDE_PX, rng.uniform(1.5, 3), stretch=rng.uniform(10, 50))
    grain = noise(rng, SIDE_PX, rng.uniform(1.5, 4))
    light = noise(rng, SIDE_PX, SIDE_PX / 3)
    share = rng.uniform(0.2, 0.8)
    grey = rng.uniform(0.3, 0.6) + rng.uniform(0.08, 0.2) * (share * streaks + (1 - share) * grain - 0.5)
    return np.repeat(np.clip(grey + 0.2 * (light - 0.5), 0, 1)[..., None], 3, axis=2).astype(np.float32)


def _scratches(rng: Random, image: Array, at: tuple[float, float]) -> Mask:
    """A bundle of bright lines, side by side."""
    canvas = Image.new("L", (SIDE_PX, SIDE_PX))
    pen = ImageDraw.Draw(canvas)
    turn = rng.uniform(math.radians(20), math.radians(70)) * rng.choice([-1, 1])
    along, across = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
    length, apart, count = SIDE_PX * rng.uniform(0.3, 0.6), SIDE_PX * rng.uniform(0.03, 0.06), int(rng.integers(2, 5))
    for index in range(count):
        middle = np.array(at) + (index - (count - 1) / 2) * apart * across + rng.uniform(-0.1, 0.1) * length * along
        half = length * rng.uniform(0.7, 1) / 2 * along
        pen.line([*(middle - half), *(middle + half)], fill=255, width=int(rng.integers(2, 5)))
    mask = np.asarray(canvas) > 127
    cover = (rng.uniform(0.6, 0.95) * blur(mask.astype(np.float32), 0.7))[..., None]
    image[:] = image * (1 - cover) + cover
    return mask


def _inclusion(rng: Random, image: Array, at: tuple[float, float]) -> Mask:
    """A dark spot with a sharp edge."""
    mask = outline(rng, SIDE_PX, at, SIDE_PX * rng.uniform(0.08, 0.17), rng.uniform(0.1, 0.4))
    image *= (1 - rng.uniform(0.6, 0.9) * blur(mask.astype(np.float32), 1.0))[..., None]
    return mask


def _patches(rng: Random, image: Array, at: tuple[float, float]) -> Mask:
    """A pale, mottled area with a soft edge."""
    mask = outline(rng, SIDE_PX, at, SIDE_PX * rng.uniform(0.15, 0.32), rng.uniform(0.2, 0.5))
    mottled = 0.6 + 0.4 * noise(rng, SIDE_PX, 8)
    cover = (rng.uniform(0.5, 0.8) * blur(mask.astype(np.float32), 2.0) * mottled)[..., None]
    image[:] = image * (1 - cover) + 0.85 * cover
    return mask


DEFECTS = {"scratches": _scratches, "inclusion": _inclusion, "patches": _patches}
"""NEU's names of them."""


def _box(mask: Mask) -> tuple[int, int, int, int] | None:
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return None
    x1, y1, x2, y2 = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
    return (x1, y1, x2, y2) if min(x2 - x1, y2 - y1) >= SMALLEST_PX else None
