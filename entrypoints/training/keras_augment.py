"""Photographs and their masks turned, mirrored, scaled and moved alike, the photographs also tinted."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from vision.mask_scores import IGNORED
from vision.transforms import GREY

AUGMENTATIONS = ("none", "light", "full")
"""`light` mirrors left and right, moves, scales and tints; `full` turns by any angle and mirrors up and down too."""


def augmented(pixels: Any, labels: Any, draws: Any, *, turn: bool) -> tuple[Any, Any]:
    """(B, H, W, 3) in 0..255 and labels (B, H, W) altered as `draws` (B, 12) in 0..1 say; labels by nearest pixel.

    What comes in from beside the image is the letterbox's grey, and IGNORED.
    """
    height, width = labels.shape[1], labels.shape[2]
    matrix = _matrices(draws, float(width), float(height), turn=turn)
    moved = _transformed(pixels, matrix, "BILINEAR", float(GREY[0]))
    masks = _transformed(labels[..., None], matrix, "NEAREST", IGNORED)[..., 0]
    contrast, light, tint = 0.7 + 0.6 * draws[:, 5:6], 102 * draws[:, 6:7] - 51, 0.9 + 0.2 * draws[:, 7:10]
    tinted = ((moved - 127.5) * contrast[:, None, None] + 127.5 + light[:, None, None]) * tint[:, None, None]
    return tinted, masks


def _matrices(draws: Any, width: float, height: float, *, turn: bool) -> Any:
    """(B, 8): where in the image a pixel of the altered one comes from, as ImageProjectiveTransformV3 wants it."""
    angle = (draws[:, 0] * 2 - 1) * (math.pi if turn else math.radians(8))
    mirror, scale = tf.where(draws[:, 1] < 0.5, -1.0, 1.0), 1 / (0.85 + 0.35 * draws[:, 2])
    across, down = (draws[:, 3] - 0.5) * 0.16 * width, (draws[:, 4] - 0.5) * 0.16 * height
    cos, sin = tf.cos(angle) * scale, tf.sin(angle) * scale
    a, b, c, d = mirror * cos, -sin, mirror * sin, cos
    x, y = (width - 1) / 2, (height - 1) / 2
    nothing = tf.zeros_like(a)
    rows = [a, b, x - a * x - b * y + across, c, d, y - c * x - d * y + down, nothing, nothing]
    return tf.stack(rows, axis=1)


def _transformed(values: Any, matrices: Any, interpolation: str, fill: float) -> Any:
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=values,
        transforms=matrices,
        output_shape=[values.shape[1], values.shape[2]],
        fill_value=float(fill),
        interpolation=interpolation,
        fill_mode="CONSTANT",
    )
