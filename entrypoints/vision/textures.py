"""Textures, shapes and light: made-up surfaces for the generated data sets.

Everything is a function of the `numpy.random.Generator` it is given. Images are float arrays `(H, W, 3)` in 0..1,
masks are bool arrays `(H, W)`, coordinates are pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Random = np.random.Generator


def noise(rng: Random, size: int, cell_px: float, *, stretch: float = 1.0) -> Array:
    """Smooth noise `(size, size)` in 0..1 whose features are about `cell_px` wide and `cell_px * stretch` long."""
    columns = max(2, round(size / cell_px))
    rows = max(2, round(size / (cell_px * stretch)))
    grid = Image.fromarray((rng.random((rows, columns)) * 255).astype(np.uint8))
    return np.asarray(grid.resize((size, size), Image.Resampling.BICUBIC), np.float32) / 255


def blur(array: Array, radius_px: float) -> Array:
    """Gaussian blur of a `(H, W)` array in 0..1."""
    image = Image.fromarray((np.clip(array, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius_px)), np.float32) / 255


def colour(rng: Random, low: float = 0.15, high: float = 0.9) -> Array:
    """A colour `(3,)`, more often muted than saturated."""
    grey = rng.uniform(low, high)
    return np.clip(grey + rng.normal(0, rng.choice([0.02, 0.08, 0.2]), 3), 0, 1).astype(np.float32)


def texture(rng: Random, size: int, draw: Callable[[Random, int], Array] | None = None) -> Array:
    """One of many surfaces `(size, size, 3)`, or the one that `draw` draws: metal, wood, cloth, stone, tiles."""
    pattern = (draw or PATTERNS[rng.integers(len(PATTERNS))])(rng, size)
    contrast = rng.uniform(0.03, 0.35)
    first = colour(rng)
    second = np.clip(first + rng.normal(0, 0.15, 3), 0, 1).astype(np.float32)
    mixed = first + (second - first) * pattern[..., None] + contrast * (pattern[..., None] - 0.5)
    return np.clip(mixed, 0, 1)


def _plain(rng: Random, size: int) -> Array:
    return noise(rng, size, size / 3) * 0.3 + 0.35


def _stone(rng: Random, size: int) -> Array:
    total = np.zeros((size, size), np.float32)
    weight = 1.0
    for octave in range(5):
        total += weight * noise(rng, size, size / 2 ** (octave + 1))
        weight *= rng.uniform(0.45, 0.9)
    return _unit(total)


def _brushed(rng: Random, size: int) -> Array:
    fine = noise(rng, size, 2.0, stretch=rng.uniform(20, 80)) + 0.5 * noise(rng, size, 6.0, stretch=30)
    return _rotated(fine, rng.choice([0.0, 90.0, rng.uniform(0, 180)]))


def _wood(rng: Random, size: int) -> Array:
    warp = noise(rng, size, size / 3, stretch=3) * rng.uniform(2, 8)
    across = np.linspace(0, rng.uniform(4, 20), size, dtype=np.float32)[None, :]
    rings = np.sin(across * 2 + warp * 2) * 0.5 + 0.5
    return _rotated(rings * 0.7 + 0.3 * noise(rng, size, 2.0, stretch=20), rng.choice([0.0, 90.0]))


def _woven(rng: Random, size: int) -> Array:
    period = rng.uniform(4, 14)
    y, x = np.mgrid[:size, :size].astype(np.float32) * (2 * math.pi / period)
    weave = np.sin(x) * np.sign(np.sin(y / 2)) + np.cos(y) * np.sign(np.cos(x / 2))
    return _rotated(_unit(weave.astype(np.float32)) * 0.7 + 0.3 * noise(rng, size, 5), rng.uniform(0, 90))


def _grainy(rng: Random, size: int) -> Array:
    return _unit(blur(rng.random((size, size), np.float32), rng.uniform(0.6, 2.5)))


def _tiled(rng: Random, size: int) -> Array:
    period = int(rng.integers(size // 6, size // 2))
    y, x = np.mgrid[:size, :size]
    width = int(rng.integers(1, 5))
    offset = int(rng.integers(0, period))
    grout = ((x + offset) % period < width) | ((y + offset) % period < width)
    return np.where(grout, 0.0, 0.6 + 0.3 * noise(rng, size, size / 8)).astype(np.float32)


def _speckled(rng: Random, size: int) -> Array:
    dots = noise(rng, size, rng.uniform(3, 9))
    return np.clip((dots - rng.uniform(0.55, 0.7)) * 6, 0, 1) * 0.8 + 0.2 * noise(rng, size, size / 4)


def _holed(rng: Random, size: int) -> Array:
    """A regular grid of drilled holes: structure that is no defect."""
    period = rng.uniform(size / 10, size / 3)
    radius = period * rng.uniform(0.1, 0.35)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    distance = np.hypot((x % period) - period / 2, (y % period) - period / 2)
    field: Array = np.clip((distance - radius) / 2, 0, 1).astype(np.float32) * 0.8
    return field + 0.2 * noise(rng, size, 8)


PATTERNS: tuple[Callable[[Random, int], Array], ...] = (
    _plain, _plain, _stone, _stone, _brushed, _wood, _woven, _grainy, _tiled, _speckled, _holed,
)  # fmt: skip


def outline(rng: Random, size: int, centre: tuple[float, float], radius_px: float, roughness: float) -> Mask:
    """A closed blob `(size, size)`: a circle whose radius wanders by `roughness` (0 is round)."""
    angles = np.linspace(0, 2 * math.pi, 72, endpoint=False)
    radii = np.ones_like(angles)
    for k in range(2, 9):
        radii += roughness / k * rng.normal() * np.cos(k * angles + rng.uniform(0, 2 * math.pi))
    squash, turn = rng.uniform(0.6, 1.0), rng.uniform(0, math.pi)
    x, y = np.cos(angles) * radii, np.sin(angles) * radii * squash
    points = [
        (centre[0] + radius_px * (a * math.cos(turn) - b * math.sin(turn)),
         centre[1] + radius_px * (a * math.sin(turn) + b * math.cos(turn)))
        for a, b in zip(x, y, strict=True)
    ]  # fmt: skip
    canvas = Image.new("L", (size, size))
    ImageDraw.Draw(canvas).polygon(points, fill=255)
    return np.asarray(canvas) > 127


def item(rng: Random, size: int) -> Mask:
    """The silhouette of a part that lies on a surface: round, square or free-form."""
    centre = (size * rng.uniform(0.3, 0.7), size * rng.uniform(0.3, 0.7))
    radius = size * rng.uniform(0.18, 0.45)
    kind = rng.integers(3)
    if kind == 0:
        return outline(rng, size, centre, radius, rng.uniform(0, 0.03))
    if kind == 1:
        return outline(rng, size, centre, radius, rng.uniform(0.1, 0.3))
    canvas = Image.new("L", (size, size))
    wide, high = radius * rng.uniform(0.6, 1.2), radius * rng.uniform(0.6, 1.2)
    box = (centre[0] - wide, centre[1] - high, centre[0] + wide, centre[1] + high)
    ImageDraw.Draw(canvas).rounded_rectangle(box, radius=rng.uniform(0, radius / 2), fill=255)
    return np.asarray(canvas.rotate(rng.uniform(0, 180), center=centre)) > 127


def place(image: Array, mask: Mask, surface: Array, rng: Random) -> None:
    """Lay a part with `surface` on `image`, with shading towards its edge and a soft shadow (in place)."""
    size = mask.shape[0]
    soft = blur(mask.astype(np.float32), size * rng.uniform(0.01, 0.04))
    shift = (int(rng.integers(-8, 9)), int(rng.integers(-8, 9)))
    shadow = np.roll(soft, shift, (0, 1)) * rng.uniform(0.1, 0.6)
    image *= (1 - shadow * ~mask)[..., None]
    edge = 1 - rng.uniform(0, 0.6) * (1 - np.clip(blur(mask.astype(np.float32), size * 0.05) * 2 - 1, 0, 1))
    alpha = blur(mask.astype(np.float32), 0.8)[..., None]
    image[:] = image * (1 - alpha) + surface * edge[..., None] * alpha


def photograph(rng: Random, image: Array) -> NDArray[np.uint8]:
    """Light falling from one side, camera blur and sensor noise; `(H, W, 3)` uint8."""
    size = image.shape[0]
    y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    turn = rng.uniform(0, 2 * math.pi)
    light = 1 + rng.uniform(0, 0.7) * (x * math.cos(turn) + y * math.sin(turn)) - rng.uniform(0, 0.6) * (x**2 + y**2)
    lit = image * light[..., None] * rng.uniform(0.6, 1.25) * (1 + rng.normal(0, 0.04, 3))
    lit = lit + rng.normal(0, rng.uniform(0.002, 0.03), image.shape)
    result = Image.fromarray((np.clip(lit, 0, 1) * 255).astype(np.uint8))
    if rng.random() < 0.4:
        result = result.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.0)))
    return np.asarray(result)


def _unit(array: Array) -> Array:
    low, high = float(array.min()), float(array.max())
    return ((array - low) / max(high - low, 1e-6)).astype(np.float32)


def _rotated(array: Array, degrees: float) -> Array:
    size = array.shape[0]
    image = Image.fromarray((_unit(array) * 255).astype(np.uint8))
    large = image.resize((size * 3 // 2, size * 3 // 2), Image.Resampling.BICUBIC).rotate(
        degrees, Image.Resampling.BICUBIC
    )
    margin = (large.width - size) // 2
    return np.asarray(large.crop((margin, margin, margin + size, margin + size)), np.float32) / 255
