"""Generated photographs of warehouse bins that hold a number of objects: boxes, books, bottles, cans and bags.

Objects lie in a fabric bin, in front of each other at times but never hidden: each shows most
of itself. Straps of the bin run across. Everything is a function of the `numpy.random.Generator` it is given.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from vision.tabletops import Random, fractal, grid

Color = tuple[int, int, int]
SHOWN = 0.6
"""Share of an object that the others leave to be seen, at least."""


def photograph(rng: Random, width: int, height: int, count: int) -> NDArray[np.uint8]:
    """(H, W, 3) RGB of a bin with `count` objects."""
    for _ in range(100):
        layout = [_place(rng, width, height) for _ in range(count)]
        if _visible(layout, width, height):
            break
    scene = _bin(rng, width, height)
    for points in sorted(layout, key=lambda points: points[:, 1].max()):
        _draw(rng, scene, points)
    _straps(rng, scene)
    return _develop(rng, scene)


def _place(rng: Random, width: int, height: int) -> NDArray[np.float64]:
    """The corners (4, 2) of an object's front in pixels, standing somewhere in the bin, a little turned."""
    wide = width * rng.uniform(0.13, 0.24)
    high = height * rng.uniform(0.18, 0.42)
    angle = rng.normal(0, 0.12) + (math.pi / 2 if rng.random() < 0.25 else 0)
    corners = np.array([(-wide, -high), (wide, -high), (wide, high), (-wide, high)]) / 2
    turn = np.array([(math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle))])
    reach = np.abs(corners @ turn.T).max(axis=0)
    x = rng.uniform(reach[0] + 0.06 * width, 0.94 * width - reach[0])
    y = rng.uniform(0.3 * height + reach[1], max(0.31 * height + reach[1], 0.93 * height - reach[1]))
    return np.asarray(corners @ turn.T + (x, min(y, 0.95 * height - reach[1])))


def _visible(layout: list[NDArray[np.float64]], width: int, height: int) -> bool:
    """Whether each object shows enough of itself when those that stand nearer are drawn later."""
    order = sorted(range(len(layout)), key=lambda i: layout[i][:, 1].max())
    canvas = Image.new("L", (width, height))
    pen, areas = ImageDraw.Draw(canvas), []
    for i in order:
        alone = Image.new("L", (width, height))
        ImageDraw.Draw(alone).polygon([tuple(point) for point in layout[i]], fill=1)
        areas.append(int(np.asarray(alone).sum()))
        pen.polygon([tuple(point) for point in layout[i]], fill=i + 1)
    left = np.bincount(np.asarray(canvas).ravel(), minlength=len(layout) + 1)
    return all(left[i + 1] >= SHOWN * area for i, area in zip(order, areas, strict=True))


def _bin(rng: Random, width: int, height: int) -> Image.Image:
    """The empty bin: dark fabric walls, a lighter floor."""
    tone = rng.uniform(0.22, 0.42)
    base = np.array([0.75, 0.85, 1.05]) * tone * (1 + rng.normal(0, 0.06, 3))
    folds = 0.10 * fractal(rng, height, width, cell_px=height / 3) + 0.04 * fractal(rng, height, width, cell_px=3)
    rows, columns = grid(height, width)
    floor = 1 + 0.5 * np.clip(rows / height - 0.85, 0, 1) / 0.15
    vignette = 1 - 0.5 * (2 * columns / width - 1) ** 4
    picture = base * ((1 + folds) * floor * vignette)[..., None]
    return Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))


def _draw(rng: Random, scene: Image.Image, points: NDArray[np.float64]) -> None:
    """One object with its shadow, its outline and what is printed on it (in place)."""
    shadow = Image.new("L", scene.size)
    ImageDraw.Draw(shadow).polygon([(x + 4, y + 4) for x, y in points], fill=150)
    scene.paste((8, 8, 12), mask=shadow.filter(ImageFilter.GaussianBlur(3)))
    color = _color(rng)
    pen = ImageDraw.Draw(scene)
    corners = [tuple(point) for point in points]
    pen.polygon(corners, fill=color, outline=_scaled(color, 0.45))
    across, down = points[1] - points[0], points[3] - points[0]
    kind = rng.integers(4)
    if kind == 0:  # a label
        low, high = rng.uniform(0.15, 0.35), rng.uniform(0.55, 0.8)
        pen.polygon(_inside(points, (0.15, low), (0.85, high)), fill=_color(rng))
    elif kind == 1:  # tape
        at = rng.uniform(0.35, 0.6)
        pen.polygon(_inside(points, (at, 0.02), (at + 0.12, 0.98)), fill=_scaled(color, 1.25))
    elif kind == 2:  # lines of print
        for line in np.arange(0.2, 0.8, 0.14):
            start, end = points[0] + 0.15 * across + line * down, points[0] + 0.8 * across + line * down
            pen.line([tuple(start), tuple(end)], fill=_scaled(color, 0.6), width=2)
    else:  # the light of a round body
        pen.polygon(_inside(points, (0.12, 0.03), (0.3, 0.97)), fill=_scaled(color, 1.3))
        pen.polygon(_inside(points, (0.8, 0.03), (0.98, 0.97)), fill=_scaled(color, 0.7))


def _inside(
    points: NDArray[np.float64], low: tuple[float, float], high: tuple[float, float]
) -> list[tuple[float, ...]]:
    """A rectangle between two places of an object's front, each as shares of its width and height."""
    across, down = points[1] - points[0], points[3] - points[0]
    shares = ((low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1]))
    return [tuple(points[0] + x * across + y * down) for x, y in shares]


def _straps(rng: Random, scene: Image.Image) -> None:
    """Elastic bands in front of everything (in place)."""
    pen = ImageDraw.Draw(scene)
    width, height = scene.size
    for share in rng.uniform(0.1, 0.28, int(rng.integers(1, 3))):
        sag = rng.uniform(-0.03, 0.03)
        ends = [(0, height * share), (width, height * (share + sag))]
        pen.line(ends, fill=(28, 30, 34), width=max(2, height // 60))


def _develop(rng: Random, scene: Image.Image) -> NDArray[np.uint8]:
    """What a warehouse's camera makes of a scene: a little blur, grain, exposure."""
    picture = np.asarray(scene.filter(ImageFilter.GaussianBlur(0.6)), np.float32)
    picture = picture * rng.uniform(0.8, 1.2) + rng.standard_normal(picture.shape, np.float32) * rng.uniform(2, 6)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _color(rng: Random) -> Color:
    """Cardboard, or any printed colour."""
    if rng.random() < 0.35:
        return _scaled((186, 142, 98), rng.uniform(0.8, 1.15))
    red, green, blue = (int(value) for value in rng.uniform(70, 245, 3))
    return red, green, blue


def _scaled(color: Color, factor: float) -> Color:
    red, green, blue = (min(255, int(value * factor)) for value in color)
    return red, green, blue
