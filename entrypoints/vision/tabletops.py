"""What generated cookies lie on: trays, parchment, wood, stone, cloth and plates, each different every time.

Everything is a function of the `numpy.random.Generator` it is given. Pictures are float32 (H, W, 3) in 0..1.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageFilter

Array = NDArray[np.float32]
Random = np.random.Generator


def tabletop(rng: Random, height: int, width: int) -> Array:
    """(H, W, 3): one of the surfaces below."""
    kinds = (_tray, _parchment, _wood, _stone, _cloth, _plate)
    return kinds[int(rng.choice(len(kinds), p=(0.3, 0.16, 0.18, 0.14, 0.1, 0.12)))](rng, height, width)


def fractal(rng: Random, height: int, width: int, *, cell_px: float, detail: float = 0.5, finest_px: int = 1) -> Array:
    """(H, W) noise of mean 0 and deviation 1 with features from `cell_px` down to `finest_px`, each octave `detail` of
    the one before.
    """
    octaves = max(0, round(math.log2(max(1.0, cell_px / finest_px))))
    weight = 1.0
    noise: Array = np.zeros((1, 1), np.float32)
    for octave in range(octaves, -1, -1):
        size = (-(-height // (finest_px << octave)) + 2, -(-width // (finest_px << octave)) + 2)
        noise = resized(noise, size) + weight * rng.standard_normal(size, np.float32)
        weight *= detail
    noise = resized(noise, (height, width)) if finest_px > 1 else noise[:height, :width]
    return np.asarray((noise - noise.mean()) / (noise.std() + 1e-6), np.float32)


def resized(array: Array, size: tuple[int, int]) -> Array:
    """A (H, W) array scaled smoothly to (height, width)."""
    return np.asarray(Image.fromarray(array).resize(size[::-1], Image.Resampling.BICUBIC), np.float32)


def blurred(array: ArrayLike, radius_px: float) -> Array:
    """Gaussian blur of a (H, W) array in 0..1, in steps of 1/255."""
    image = Image.fromarray((np.clip(array, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius_px)), np.float32) / np.float32(255)


def color(rng: Random, *around: float, spread: float = 0.05) -> Array:
    """(3,) near a colour given as three numbers in 0..1, lighter or darker as a whole and slightly tinted."""
    tinted = np.array(around) * (1 + rng.normal(0, 2 * spread)) * (1 + rng.normal(0, spread / 3, 3))
    return np.clip(tinted, 0, 1).astype(np.float32)


def grid(height: int, width: int) -> tuple[Array, Array]:
    """Row and column coordinates (H, 1), (1, W) in pixels."""
    return np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]


def _muted(rng: Random, low: float, high: float) -> Array:
    """(3,) of any hue, nearer to grey than to a pure colour."""
    return np.clip(rng.uniform(low, high) * (1 + rng.uniform(-0.22, 0.22, 3)), 0, 1).astype(np.float32)


def _toned(base: Array, tone: ArrayLike) -> Array:
    return np.asarray(base * np.asarray(tone, np.float32)[..., None], np.float32)


def _tray(rng: Random, height: int, width: int) -> Array:
    """Coated metal: dark, speckled, sometimes with a shiny rim at the upper edge."""
    base = color(rng, *((0.26, 0.26, 0.25) if rng.random() < 0.7 else (0.55, 0.55, 0.56)), spread=0.12)
    speckle = fractal(rng, height, width, cell_px=2, detail=0.8)
    sheet = _toned(base, 1 + 0.10 * speckle + 0.08 * fractal(rng, height, width, cell_px=256, finest_px=16))
    if rng.random() < 0.5:
        y, _ = grid(height, width)
        at, thick = height * rng.uniform(0.02, 0.09), rng.uniform(3, 9)
        sheet += rng.uniform(0.1, 0.4) * np.exp(-(((y - at) / thick) ** 2))[..., None]
        sheet *= np.where(y < at, rng.uniform(0.35, 0.7), 1)[..., None].astype(np.float32)
    return sheet


def _parchment(rng: Random, height: int, width: int) -> Array:
    """Baking paper with creases and grease spots."""
    base = color(rng, 0.80, 0.74, 0.65, spread=0.06)
    creases = np.abs(fractal(rng, height, width, cell_px=128, finest_px=4))
    grease = np.clip(fractal(rng, height, width, cell_px=32, finest_px=8) - 1.6, 0, 1)
    grain = fractal(rng, height, width, cell_px=2)
    return _toned(base, 1 - 0.10 * np.exp(-creases * 14) + 0.03 * creases - 0.10 * grease + 0.02 * grain)


def _wood(rng: Random, height: int, width: int) -> Array:
    """Planks with grain, along or across."""
    across = rng.random() < 0.5
    rows, columns = (width, height) if across else (height, width)
    _, x = grid(rows, columns)
    warp = resized(fractal(rng, max(8, rows // 8), columns, cell_px=64, finest_px=4), (rows, columns))
    rings = np.sin(x * rng.uniform(0.05, 0.2) + warp * rng.uniform(1.5, 4))
    fibres = resized(rng.standard_normal((rows // 24 + 2, columns), np.float32), (rows, columns))
    plank = rng.uniform(90, 200)
    seam = np.exp(-((np.minimum(x % plank, plank - x % plank) / 1.4) ** 2))
    planks = rng.normal(1, 0.07, math.ceil(columns / plank) + 1).astype(np.float32)
    shade = np.repeat(planks, math.ceil(plank))[: x.size]
    tone = shade * (1 + 0.09 * rings + 0.05 * fibres) * (1 - 0.6 * seam)
    choices = ((0.62, 0.44, 0.27), (0.42, 0.27, 0.17), (0.78, 0.64, 0.46), (0.45, 0.42, 0.39))
    return _toned(color(rng, *choices[rng.integers(4)]), tone.T if across else tone)


def _stone(rng: Random, height: int, width: int) -> Array:
    """Marble or granite: veins that are no cracks, or grains."""
    base = color(rng, *((0.86, 0.86, 0.85) if rng.random() < 0.6 else (0.34, 0.35, 0.37)), spread=0.07)
    clouds = fractal(rng, height, width, cell_px=128, finest_px=4)
    if rng.random() < 0.6:
        veins = np.exp(-np.abs(fractal(rng, height, width, cell_px=256, finest_px=2)) * rng.uniform(15, 35))
        return _toned(base, 1 + 0.04 * clouds - rng.uniform(0.15, 0.4) * veins)
    grains = np.clip(fractal(rng, height, width, cell_px=5, detail=0.9), -1.5, 1.5)
    return _toned(base, 1 + 0.12 * grains + 0.03 * clouds)


def _cloth(rng: Random, height: int, width: int) -> Array:
    """Woven fabric, plain or checked."""
    y, x = grid(height, width)
    base = _muted(rng, 0.2, 0.85)
    period = rng.uniform(2.6, 5)
    weave = np.sin(x * 2 * math.pi / period) * np.sin(y * 2 * math.pi / period)
    tone = 1 + 0.10 * weave + 0.06 * fractal(rng, height, width, cell_px=128, finest_px=4)
    sheet = _toned(base, tone)
    if rng.random() < 0.6:
        check, stripe = rng.uniform(36, 90), rng.uniform(0.4, 0.8, 3).astype(np.float32)
        for axis in (y, x):
            sheet = sheet * np.where((axis % check < check / 2)[..., None], stripe, 1)
    return sheet.astype(np.float32)


def _plate(rng: Random, height: int, width: int) -> Array:
    """Glazed ceramic with a rim, on a table of one colour."""
    y, x = grid(height, width)
    radius = np.hypot(y - height * rng.uniform(0.45, 0.55), x - width * rng.uniform(0.45, 0.55))
    edge = max(height, width) * rng.uniform(0.42, 0.6)
    table, glaze = _muted(rng, 0.2, 0.6), _muted(rng, 0.55, 0.92)
    rim = np.exp(-(((radius - edge) / 4) ** 2)) * 0.12 - np.exp(-(((radius - edge * 0.78) / 7) ** 2)) * 0.10
    inside = np.clip(edge - radius, 0, 1)[..., None]
    smooth = 1 + rim + 0.02 * fractal(rng, height, width, cell_px=256, finest_px=8)
    shadow = 1 - 0.5 * np.exp(-np.clip(radius - edge, 0, None) / 14)
    return np.asarray(_toned(glaze, smooth) * inside + _toned(table, shadow) * (1 - inside), np.float32)
