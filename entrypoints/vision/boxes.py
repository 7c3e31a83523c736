"""Boxes as (N, 4) float arrays, xyxy in pixels, half-open: overlap, and the letterbox there and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Boxes = NDArray[np.float64]  # (N, 4) xyxy pixels


@dataclass(frozen=True)
class Letterbox:
    """How an image was fitted into an input: scaled by `scale`, then moved by `left`, `top` pixels."""

    scale: float
    left: int
    top: int
    content: tuple[int, int]  # width, height of the scaled image
    image: tuple[int, int]  # width, height of the original
    size: tuple[int, int]  # width, height of the input

    @property
    def gain(self) -> tuple[float, float]:
        """Pixels of the input in a pixel of the image, across and down: `scale` as rounding to whole pixels left it."""
        return self.content[0] / self.image[0], self.content[1] / self.image[1]


def fit(image: tuple[int, int], size: tuple[int, int], *, scale_up: bool = True, center: bool = True) -> Letterbox:
    """The letterbox of an image of (width, height) in an input of (width, height), rounded as Ultralytics rounds."""
    scale = min(size[0] / image[0], size[1] / image[1])
    scale = scale if scale_up else min(scale, 1.0)
    width, height = (max(1, round(side * scale)) for side in image)
    left, top = ((size[0] - width) / 2, (size[1] - height) / 2) if center else (0.0, 0.0)
    return Letterbox(scale, round(left - 0.1), round(top - 0.1), (width, height), image, size)


def to_input(boxes: ArrayLike, letterbox: Letterbox) -> Boxes:
    """Boxes of the image in pixels of the input."""
    return as_boxes(as_boxes(boxes) * (letterbox.gain * 2) + np.array([letterbox.left, letterbox.top] * 2, float))


def to_image(boxes: ArrayLike, letterbox: Letterbox) -> Boxes:
    """Boxes of the input in pixels of the image, clipped to it."""
    moved = as_boxes(boxes) - np.array([letterbox.left, letterbox.top] * 2, float)
    return clip(moved / (letterbox.gain * 2), *letterbox.image)


def clip(boxes: ArrayLike, width: int, height: int) -> Boxes:
    return np.clip(as_boxes(boxes), 0, np.array([width, height] * 2, float))


def visible(boxes: ArrayLike) -> NDArray[np.bool_]:
    """(N,) whether a clipped box has an area, in the hundredths of a pixel that predictions are told in."""
    b = as_boxes(boxes).round(2)
    return np.asarray((b[:, 2:] > b[:, :2]).all(axis=1))


def area(boxes: ArrayLike) -> NDArray[np.float64]:
    """(N,) px²; 0 for a box that ends before it begins."""
    b = as_boxes(boxes)
    return np.asarray(np.prod(np.maximum(b[:, 2:] - b[:, :2], 0), axis=1))


def iou(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """(N, M) intersection over union; 0 where both boxes are empty."""
    first, second = as_boxes(a)[:, None], as_boxes(b)[None]
    low, high = np.maximum(first[..., :2], second[..., :2]), np.minimum(first[..., 2:], second[..., 2:])
    intersection = np.prod(np.maximum(high - low, 0), axis=2)
    union = area(a)[:, None] + area(b)[None] - intersection
    return np.asarray(intersection / np.where(union > 0, union, 1))


def without_overlaps(boxes: ArrayLike, scores: ArrayLike, labels: ArrayLike, most: float) -> NDArray[np.intp]:
    """Indices, by falling score, of the boxes that overlap no better one of their class by more than `most` (IoU)."""
    corners, kinds = as_boxes(boxes), np.asarray(labels)
    order = np.argsort(-np.asarray(scores), kind="stable")
    kept = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        far = iou(corners[best], corners[order])[0] <= most
        order = order[far | (kinds[order] != kinds[best])]
    return np.array(kept, np.intp)


def as_boxes(boxes: ArrayLike) -> Boxes:
    return np.asarray(boxes, np.float64).reshape(-1, 4)
