"""How a generated cookie cracks: a wedge from the rim, a split from rim to rim, a branching crack on top."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vision.tabletops import Array, Random, grid

Points = NDArray[np.float64]  # (N, 2) x, y in pixels


def draw(rng: Random, cover: Array, radius: float) -> tuple[Array, Array]:
    """Coverage (h, w) of what is gone down to the table, and of what is cracked on top only.

    `cover` (h, w) is the whole cookie's, of about `radius` pixels; what is drawn may reach beyond it.
    """
    h, w = cover.shape
    weights = cover / cover.sum()
    rows, columns = grid(h, w)
    centre = np.array([(weights * columns).sum(), (weights * rows).sum()])
    canvas = Image.new("L", (2 * w, 2 * h))
    pen = ImageDraw.Draw(canvas)
    kind = rng.choice(("wedge", "split", "crack"), p=(0.45, 0.25, 0.3))
    angle = rng.uniform(0, 2 * math.pi)
    start = centre + 1.25 * radius * np.array([math.cos(angle), math.sin(angle)]) + rng.normal(0, 0.2 * radius, 2)
    length = {"wedge": rng.uniform(1.3, 1.9), "split": 2.7, "crack": rng.uniform(1.4, 2.0)}[kind] * radius
    width = radius * rng.uniform(*{"wedge": (0.2, 0.42), "split": (0.12, 0.26), "crack": (0.1, 0.18)}[kind])
    path = _walk(rng, start, math.atan2(*(centre - start)[::-1]), length)
    _polygon(pen, _ribbon(rng, path, width, 0.6 if kind == "split" else 0.04))
    for _ in range(int(rng.integers(0, 3)) if kind != "split" else 0):
        root = path[int(len(path) * rng.uniform(0.4, 0.7))]
        heading = math.atan2(*(path[-1] - path[0])[::-1]) + rng.choice((-1, 1)) * rng.uniform(0.5, 1.1)
        twig = _walk(rng, root, heading, radius * rng.uniform(0.25, 0.6))
        _polygon(pen, _ribbon(rng, twig, max(4.5, width * 0.35), 0.04))
    drawn = np.asarray(canvas.resize((w, h), Image.Resampling.BOX), np.float32) / np.float32(255)
    nothing = np.zeros_like(drawn)
    return (nothing, drawn) if kind == "crack" else (drawn, nothing)


def _walk(rng: Random, start: Points, heading: float, length: float, step: float = 5.0) -> Points:
    """A path that wanders about its heading."""
    count = max(4, int(length / step))
    bend = np.zeros(count)
    for i in range(1, count):
        bend[i] = 0.82 * bend[i - 1] + rng.normal(0, 0.28)
    steps = step * np.stack([np.cos(heading + bend), np.sin(heading + bend)], axis=1)
    return np.concatenate([start[None], start + np.cumsum(steps, axis=0)])


def _ribbon(rng: Random, path: Points, width: float, end: float) -> Points:
    """The outline of a path that is `width` pixels wide at its start and `end` times that at its end, ragged."""
    along = np.gradient(path, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True)
    t = np.linspace(0, 1, len(path))
    half = (width * (1 - t) ** 0.8 + width * end * t + 1.2) / 2
    sides = [half * (1 + 0.22 * rng.normal(size=len(path))) + rng.normal(0, 0.5, len(path)) for _ in range(2)]
    return np.concatenate([path + normal * sides[0][:, None], (path - normal * sides[1][:, None])[::-1]])


def _polygon(pen: ImageDraw.ImageDraw, points: Points) -> None:
    pen.polygon([(2 * x, 2 * y) for x, y in points.tolist()], fill=255)
