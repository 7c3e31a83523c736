"""One line of a YOLO label file, there and back: `class cx cy w h` or `class x1 y1 x2 y2 x3 y3 …`, normalised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optml.errors import Refusal
from vision import masks
from vision.folder import shortened
from vision.record import Instance, Polygon

TOLERANCE = 0.01  # how far beyond 0..1 a coordinate may lie, as in Ultralytics; it is clipped


def parse(line: str, where: str, size: tuple[int, int], classes: Sequence[str]) -> tuple[Instance, bool]:
    """The instance of a line in an image of (width, height), and whether more than a pixel of it was clipped."""
    class_id, numbers = _numbers(line, where, classes)
    polygon = None if numbers.size == 4 else numbers.reshape(-1, 2)
    corners = _corners(numbers) if polygon is None else np.array([polygon.min(axis=0), polygon.max(axis=0)])
    inside = np.clip(corners, 0, 1)
    pixels = np.array(size, float)
    (x1, y1), (x2, y2) = (inside * pixels).tolist()
    if x2 <= x1 or y2 <= y1:
        raise Refusal(f"an object without area: {shortened(line)} ({where})", "remove the line or correct its size")
    outline = None if polygon is None else (np.clip(polygon, 0, 1) * pixels,)
    clipped = bool((np.abs(corners - inside) * pixels > 1).any())
    return Instance(class_id, (x1, y1, x2, y2), size[::-1], outline), clipped


def write(instance: Instance, size: tuple[int, int], *, polygon: bool, where: str) -> str:
    """The line of an instance; its polygons as one, joined by cuts of no width."""
    if not polygon:
        corners = np.array(instance.box).reshape(2, 2) / size
        return _format(instance.class_id, np.concatenate([corners.mean(axis=0), corners[1] - corners[0]]))
    if not instance.polygons:
        raise Refusal(f"an object without a mask ({where})", "train with task=detect, or annotate every mask")
    return _format(instance.class_id, (masks.bridge(instance.polygons) / size).ravel())


def _format(class_id: int, numbers: Polygon) -> str:
    return f"{class_id} " + " ".join(f"{value:.10g}" for value in np.clip(numbers, 0, 1))


def _numbers(line: str, where: str, classes: Sequence[str]) -> tuple[int, Polygon]:
    """Class id and coordinates of a line, checked."""
    columns = line.split()
    try:
        values = [float(column) for column in columns]
    except ValueError:
        raise Refusal(
            f"not a number in {shortened(repr(line))} ({where})", "write class cx cy w h, normalised to 0..1"
        ) from None
    if len(values) != 5 and (len(values) < 7 or len(values) % 2 == 0):
        raise Refusal(
            f"{len(values)} columns ({where})",
            "write 5 (class cx cy w h), or a class and 3 points or more (class x1 y1 x2 y2 x3 y3)",
        )
    if values[0] not in range(len(classes)):
        raise Refusal(
            f"class {shortened(columns[0])}, but data.yaml names {len(classes)} ({where})",
            f"use {', '.join(f'{index} for {name}' for index, name in enumerate(classes))}",
        )
    numbers = np.array(values[1:])
    if not np.isfinite(numbers).all() or numbers.min() < -TOLERANCE or numbers.max() > 1 + TOLERANCE:
        raise Refusal(
            f"a coordinate outside 0..1: {shortened(line)} ({where})",
            "divide x by the image's width and y by its height",
        )
    return int(values[0]), numbers


def _corners(box: Polygon) -> Polygon:
    """(2, 2) upper left and lower right of (cx, cy, w, h)."""
    return np.stack([box[:2] - box[2:] / 2, box[:2] + box[2:] / 2])
