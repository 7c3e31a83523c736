"""Made-up photographs of plates as a line-scan camera sees them, some with a crack, a scratch, a hole or a stain.

The surface of a plate is brushed, grainy or stony, its lettering is no defect. Nothing else in the project draws them,
and the starter weights have seen none.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vision.textures import Array, Mask, Random, blur, noise, outline, photograph

SMALLEST_DEFECT_PX = 60


def plate(rng: Random, width: int, height: int, *, broken: bool) -> tuple[NDArray[np.uint8], Mask]:
    """A photograph (height, width, 3) and the mask (height, width) of its defect, empty where it has none."""
    size = max(width, height)
    image = _surface(rng, size)
    if rng.random() < 0.3:
        _lettering(rng, image, width, height)
    mask: Mask = np.zeros((size, size), np.bool_)
    while broken and mask[:height, :width].sum() < SMALLEST_DEFECT_PX:
        at = (width * rng.uniform(0.15, 0.85), height * rng.uniform(0.15, 0.85))
        draw = (_crack, _scratch, _hole, _stain)[rng.integers(4)]
        mask = draw(rng, image, at, min(width, height))
    return photograph(rng, image)[:height, :width], mask[:height, :width]


def _surface(rng: Random, size: int) -> Array:
    grey = rng.uniform(0.3, 0.6)
    kind = rng.integers(3)
    if kind == 0:
        pattern = noise(rng, size, 2.0, stretch=rng.uniform(20, 60))
    elif kind == 1:
        pattern = noise(rng, size, rng.uniform(2, 5))
    else:
        pattern = 0.6 * noise(rng, size, size / 6) + 0.4 * noise(rng, size, 4)
    tint = 1 + rng.normal(0, 0.03, 3)
    lit = grey + rng.uniform(0.08, 0.2) * (pattern - 0.5)
    return np.clip(lit[..., None] * tint, 0, 1).astype(np.float32)


def _crack(rng: Random, image: Array, at: tuple[float, float], side: int) -> Mask:
    """A dark line that wanders and gets thinner."""
    size = image.shape[0]
    canvas = Image.new("L", (size, size))
    pen = ImageDraw.Draw(canvas)
    (x, y), heading, width = at, rng.uniform(0, 2 * math.pi), rng.uniform(4, 9)
    steps = int(side * rng.uniform(0.5, 1.2) / 6)
    for index in range(steps):
        heading += rng.normal(0, 0.35)
        nx, ny = x + 6 * math.cos(heading), y + 6 * math.sin(heading)
        pen.line((x, y, nx, ny), fill=255, width=max(2, round(width * (1 - 0.6 * index / steps))))
        x, y = nx, ny
    mask = np.asarray(canvas) > 127
    image *= (1 - rng.uniform(0.5, 0.85) * blur(mask.astype(np.float32), 0.7))[..., None]
    return mask


def _scratch(rng: Random, image: Array, at: tuple[float, float], side: int) -> Mask:
    """A bright line, straight or nearly so."""
    size = image.shape[0]
    canvas = Image.new("L", (size, size))
    turn, length = rng.uniform(0, math.pi), side * rng.uniform(0.4, 0.9)
    t = np.linspace(-0.5, 0.5, 16)
    x = at[0] + length * t * math.cos(turn)
    y = at[1] + length * t * math.sin(turn) + rng.normal(0, 0.1) * length * t**2
    ImageDraw.Draw(canvas).line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=255, width=int(rng.integers(4, 7)))
    mask = np.asarray(canvas) > 127
    alpha = (rng.uniform(0.6, 0.95) * blur(mask.astype(np.float32), 0.7))[..., None]
    image[:] = image * (1 - alpha) + alpha
    return mask


def _hole(rng: Random, image: Array, at: tuple[float, float], side: int) -> Mask:
    mask = outline(rng, image.shape[0], at, side * rng.uniform(0.04, 0.12), rng.uniform(0, 0.2))
    image *= (1 - rng.uniform(0.6, 0.9) * blur(mask.astype(np.float32), 1.0))[..., None]
    return mask


def _stain(rng: Random, image: Array, at: tuple[float, float], side: int) -> Mask:
    """A brown or bluish patch with a soft edge."""
    mask = outline(rng, image.shape[0], at, side * rng.uniform(0.1, 0.25), rng.uniform(0.1, 0.4))
    alpha = (rng.uniform(0.5, 0.8) * blur(mask.astype(np.float32), 1.5))[..., None]
    tint = np.array(((0.35, 0.2, 0.1), (0.15, 0.25, 0.4))[rng.integers(2)], np.float32)
    image[:] = image * (1 - alpha) + tint * alpha
    return mask


def _lettering(rng: Random, image: Array, width: int, height: int) -> None:
    """A number printed on the plate: a mark that is no defect."""
    canvas = Image.new("L", (image.shape[1], image.shape[0]))
    text = "".join(rng.choice(list("ABCDEFHKLNPRSTX0123456789"), int(rng.integers(3, 6))))
    at = (width * rng.uniform(0.05, 0.4), height * rng.uniform(0.05, 0.85))
    ImageDraw.Draw(canvas).text(at, text, fill=255, font_size=int(rng.integers(14, 26)))
    image *= (1 - 0.5 * np.asarray(canvas, np.float32) / 255)[..., None]
