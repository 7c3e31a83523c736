"""A trained UNet: its answers in our words, alone and over a data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training import keras_losses
from training.keras_state import evaluated
from vision import images, mask_scores, masks, transforms
from vision.images import Array
from vision.record import Dataset, Sample


@dataclass(frozen=True)
class Seen:
    """What a network says of one image."""

    maps: NDArray[np.float32]
    """(H, W, C) class probabilities, in pixels of the image"""
    score: float
    """How likely something is wrong with it, 0 to 1"""


class Segmenter:
    """`network` holds the weights, `metadata` is that of the model folder."""

    def __init__(self, network: keras.Model, metadata: dict[str, Any]) -> None:
        self.metadata = metadata
        self.classes: list[str] = metadata["classes"]
        self._network, self._said = network, evaluated(network)
        width, height = metadata["input_size"]
        self._size = (int(width), int(height))

    def look(self, image: Array) -> Seen:
        """One RGB image `(H, W, 3)`: what every verb answers from."""
        pixels, box = transforms.padded(image, self._size)
        logits, whole = self._said(pixels[None])
        found = keras_losses.probabilities(logits).numpy()[0]
        shown = transforms.content_of(found, box).reshape(-1, len(self.classes))
        by_head = self.metadata["image_score"] == "head"
        score = float(tf.sigmoid(whole)[0, 0]) if by_head else mask_scores.most(shown)
        maps = [transforms.values_to_image(found[..., index], box) for index in range(len(self.classes))]
        return Seen(np.stack(maps, axis=-1), score)

    def predict(self, image: Array, confidence: float | None = None) -> dict[str, Any]:
        """The defects of one RGB image `(H, W, 3)` and what is said of it as a whole; schema in docs/contract.md.

        `confidence` is the lowest probability of a pixel that is called defective; None takes the model's own.
        """
        return self.answer(self.look(image), confidence)

    def answer(self, seen: Seen, confidence: float | None = None) -> dict[str, Any]:
        """`predict` for what was seen of an image."""
        threshold = self.metadata["threshold"] if confidence is None else confidence
        defect, likeliest = mask_scores.combined(seen.maps)
        found = [
            self._prediction(component, index, defect)
            for index in range(len(self.classes))
            for component in masks.components((defect >= threshold) & (likeliest == index + 1))[0]
        ]
        return {
            "predictions": sorted(found, key=lambda one: -one["score"]),
            "image_score": seen.score,
            "anomalous": seen.score >= self.metadata["image_threshold"],
        }

    def over(self, dataset: Dataset) -> Iterator[tuple[Sample, Seen]]:
        """What is seen of every image of a data set, one after the other."""
        for sample in dataset.samples:
            yield sample, self.look(images.open_image(sample.image, dataset.show(sample)))

    def export(self, path: Path) -> None:
        """Write a SavedModel: images `(N, H, W, 3)` in 0..255 in, `maps` (N, H, W, C) and `image` (N,) out."""
        width, height = self._size

        def answer(pixels: Any) -> dict[str, Any]:
            logits, whole = self._said(tf.cast(tf.round(pixels), tf.uint8))
            return {"maps": keras_losses.probabilities(logits), "image": tf.sigmoid(whole)[:, 0]}

        module = tf.Module()
        module.network = self._network
        module.answer = tf.function(answer, input_signature=[tf.TensorSpec((None, height, width, 3), tf.float32)])
        tf.saved_model.save(module, str(path), signatures={"serving_default": module.answer})

    def _prediction(self, component: masks.Component, index: int, defect: NDArray[np.float32]) -> dict[str, Any]:
        x1, y1, x2, y2 = component.box
        whole = np.zeros(defect.shape, bool)
        whole[y1:y2, x1:x2] = component.mask
        return {
            "class": self.classes[index],
            "class_id": index,
            "score": float(defect[whole].mean()),
            "box": [float(x1), float(y1), float(x2), float(y2)],
            "mask": masks.encode(whole),
        }
