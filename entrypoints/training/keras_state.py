"""All that a Keras run carries from step to step, and its way into a checkpoint and back, bit by bit.

Keras' own backup keeps neither the place in the data nor averaged weights. Here order and augmentation are functions
of (seed, epoch, image), so the place is two numbers, and what is left are the variables.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from safetensors import safe_open
from safetensors.numpy import save_file

from training import keras_augment, keras_losses
from training.mask_store import DRAWS

Said = Callable[[Any], Any]
"""uint8 (B, H, W, 3) to logits of pixels (B, H, W, K) and of the image (B, 1)."""


@dataclass
class Place:
    """Where a run is, and what it has seen of the epoch and of the best one."""

    epoch: int = 0
    """Epochs that are over."""
    batch: int = 0
    """Batches of the next one that are trained."""
    updates: int = 0
    loss: float = 0.0
    """Sum over the images of the epoch so far."""
    images: int = 0
    best: tuple[float, float] = (-math.inf, -math.inf)
    """(score, −loss) of the best epoch."""
    stale: int = 0
    """Epochs since then."""

    def judge(self, score: float, loss: float) -> bool:
        """Whether this epoch is the best so far."""
        better = (score, -loss) > self.best
        self.best, self.stale = ((score, -loss), 0) if better else (self.best, self.stale + 1)
        return better

    def next_epoch(self) -> None:
        self.epoch, self.batch, self.loss, self.images = self.epoch + 1, 0, 0.0, 0


class State:
    """A network that is trained, its averaged twin that is evaluated, the optimiser, and the place."""

    def __init__(
        self, network: keras.Model, twin: keras.Model, *, weight_decay: float, loss: str, augmentation: str
    ) -> None:
        self.network, self.averaged, self.place = network, twin, Place()
        self._optimizer = keras.optimizers.AdamW(0.0, weight_decay=weight_decay)
        self._optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        self._optimizer.build(network.trainable_variables)
        for own, other in zip(twin.variables, network.variables, strict=True):
            own.assign(other)
        self._step = _compiled_step(network, twin, self._optimizer, loss, augmentation)
        self.said = evaluated(twin)

    def step(self, pixels: Any, labels: Any, anomalous: Any, draws: Any, *, rate: float, decay: float) -> float:
        """One update by a batch, and its share in the averaged weights; the mean loss."""
        loss = self._step(pixels, labels, anomalous, draws, np.float32(rate), np.float32(decay))
        self.place.updates += 1
        return float(loss)

    def save(self, path: Path) -> None:
        """Every variable and the place, as safetensors."""
        tensors = {name: np.array(variable.numpy(), order="C") for name, variable in self._variables().items()}
        save_file(tensors, path, {"place": json.dumps(asdict(self.place))})

    def load(self, path: Path) -> None:
        with safe_open(path, "np") as file:
            place: Mapping[str, Any] = json.loads(file.metadata()["place"])
            self.place = Place(**{**place, "best": tuple(place["best"])})
            for name, variable in self._variables().items():
                variable.assign(file.get_tensor(name))

    def _variables(self) -> dict[str, Any]:
        """By a name that is one model's only: those of an optimiser's variables repeat."""
        parts = {"network": self.network, "averaged": self.averaged, "optimizer": self._optimizer}
        return {
            f"{part}/{number:04d}": variable
            for part, owner in parts.items()
            for number, variable in enumerate(owner.variables)
        }


def _compiled_step(
    network: keras.Model, twin: keras.Model, optimizer: keras.optimizers.Optimizer, loss_name: str, augmentation: str
) -> Callable[..., Any]:
    _, height, width, _ = network.input_shape
    signature = [
        tf.TensorSpec((None, height, width, 3), tf.uint8),
        tf.TensorSpec((None, height, width), tf.uint8),
        tf.TensorSpec((None,), tf.bool),
        tf.TensorSpec((None, DRAWS), tf.float32),
        tf.TensorSpec((), tf.float32),
        tf.TensorSpec((), tf.float32),
    ]

    def step(pixels: Any, labels: Any, anomalous: Any, draws: Any, rate: Any, decay: Any) -> Any:
        seen = tf.cast(pixels, tf.float32)
        if augmentation != "none":
            seen, labels = keras_augment.augmented(seen, labels, draws, turn=augmentation == "full")
        with tf.GradientTape() as tape:
            found, image = network(normalised(seen), training=True)
            loss = keras_losses.total(loss_name, found, image, labels, anomalous)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.learning_rate.assign(rate)
        optimizer.apply(gradients, network.trainable_variables)
        for own, other in zip(twin.variables, network.variables, strict=True):
            own.assign(own + (tf.cast(other, own.dtype) - own) * tf.cast(1 - decay, own.dtype))
        return loss

    return tf.function(step, input_signature=signature)  # type: ignore[no-any-return]


def evaluated(network: keras.Model) -> Said:
    """A network as everything but training runs it."""
    _, height, width, _ = network.input_shape
    signature = [tf.TensorSpec((None, height, width, 3), tf.uint8)]

    def run(pixels: Any) -> Any:
        return network(normalised(tf.cast(pixels, tf.float32)), training=False)

    return tf.function(run, input_signature=signature)  # type: ignore[no-any-return]


def normalised(pixels: Any) -> Any:
    """(B, H, W, 3) in 0..255 as the networks take them, -1..1."""
    return pixels / 127.5 - 1
