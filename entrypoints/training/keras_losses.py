"""What a UNet minimises: cross-entropy, focal loss, soft Dice of images, a sum; never NaN on empty masks."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from vision.mask_scores import IGNORED

LOSSES = ("dice_crossentropy", "dice", "crossentropy", "focal")
IMAGE_SHARE = 0.2
"""How much the loss of the head for the whole image weighs."""
_SMOOTH = 1.0
"""Pixels added to both sides of Dice, so that it does not jump where little is there."""
_FOCUS = 2.0


def total(name: str, pixels: Any, image: Any, labels: Any, anomalous: Any) -> Any:
    """The loss of logits (B, H, W, K) and (B, 1) for labels (B, H, W) and (B,), a scalar."""
    whole = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(anomalous, tf.float32), image[:, 0]))
    return _of_pixels(name, pixels, labels) + IMAGE_SHARE * whole


def probabilities(pixels: Any) -> Any:
    """Class probabilities (B, H, W, C) of logits (B, H, W, K)."""
    return tf.sigmoid(pixels) if pixels.shape[-1] == 1 else tf.nn.softmax(pixels)[..., 1:]


def _of_pixels(name: str, logits: Any, labels: Any) -> Any:
    asked = tf.cast(labels != IGNORED, tf.float32)
    true = tf.where(labels == IGNORED, tf.zeros_like(labels), labels)
    found = probabilities(logits)
    wanted = tf.one_hot(tf.cast(true, tf.int32), found.shape[-1] + 1)[..., 1:]  # (B, H, W, C)
    if name == "dice":
        return _dice(found, wanted, asked)
    entropy = _entropy(logits, true, wanted)
    if name == "focal":
        entropy *= (1 - tf.exp(-entropy)) ** _FOCUS
    mean = tf.reduce_sum(entropy * asked) / tf.maximum(tf.reduce_sum(asked), 1.0)
    return mean + _dice(found, wanted, asked) if name == "dice_crossentropy" else mean


def _entropy(logits: Any, true: Any, wanted: Any) -> Any:
    """(B, H, W)"""
    if logits.shape[-1] == 1:
        return tf.nn.sigmoid_cross_entropy_with_logits(wanted, logits)[..., 0]
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(true, tf.int32), logits)


def _dice(found: Any, wanted: Any, asked: Any) -> Any:
    """One less Dice of the images that hold a class, all alike: of a batch as one, thin scratches would not count."""
    found, wanted = found * asked[..., None], wanted * asked[..., None]
    there = tf.reduce_sum(wanted, (1, 2))  # (B, C)
    both = tf.reduce_sum(found * wanted, (1, 2))
    lost = 1 - (2 * both + _SMOOTH) / (tf.reduce_sum(found, (1, 2)) + there + _SMOOTH)
    held = tf.cast(there > 0, tf.float32)
    return tf.reduce_sum(lost * held) / tf.maximum(tf.reduce_sum(held), 1.0)
