"""UNet in Keras: an encoder, plain or MobileNetV2, a decoder that looks back at it, and a head for the whole image.

Weights carry Keras' own names (`block_3_expand/kernel`), so those published for MobileNetV2 fit.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

MOBILENETS = {"mobilenetv2_035": 0.35, "mobilenetv2_050": 0.5, "mobilenetv2_100": 1.0}
"""Width of each, a share of the published network's."""
SKIPS = ("block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu")
"""Layers of MobileNetV2 at 1/2, 1/4, 1/8 and 1/16 of the input's side."""
PLAIN = (16, 32, 48, 64)
"""Channels of the plain encoder there."""
DECODER = (16, 32, 48)
"""Channels of the decoder at 1/2, 1/4 and 1/8."""

BATCH_NORM_MOMENTUM = 0.9
"""What running statistics keep at a batch. MobileNetV2's own, 0.999, takes more batches than few photographs make."""


def build(name: str, size: tuple[int, int], classes: int) -> keras.Model:
    """A network of random weights: (B, H, W, 3) in -1..1 to logits (B, H, W, K) of pixels and (B, 1) of the image.

    K is 1 for one class, else one more than there are classes, the background first. `size` is (width, height).
    """
    pixels = keras.Input((size[1], size[0], 3), name="pixels")
    skips = _mobilenet(pixels, MOBILENETS[name]) if name in MOBILENETS else _plain(pixels)
    x = skips[-1]
    for level in reversed(range(len(DECODER))):
        x = layers.UpSampling2D(name=f"up_{level}")(x)
        x = layers.Concatenate(name=f"join_{level}")([x, skips[level]])
        x = _convolved(x, DECODER[level], f"decoder_{level}")
    x = _convolved(x, DECODER[0], "decoder")
    found = layers.Conv2DTranspose(1 if classes == 1 else classes + 1, 2, strides=2, name="mask")(x)
    whole = layers.Concatenate(name="summary")(
        [layers.GlobalAveragePooling2D(name="mean")(skips[-1]), layers.GlobalMaxPooling2D(name="most")(skips[-1])]
    )
    return keras.Model(pixels, [found, layers.Dense(1, name="image")(whole)], name=name)


def published(name: str) -> dict[str, Any]:
    """The weights that Keras publishes for an encoder, trained on ImageNet, by name; needs the internet."""
    return state(_encoder(MOBILENETS[name], "imagenet"))


def from_h5(name: str, path: str) -> dict[str, Any]:
    """The weights of an encoder in a .h5 file as Keras publishes it (without the top), by name."""
    encoder = _encoder(MOBILENETS[name], None)
    encoder.load_weights(path)
    return state(encoder)


def state(model: keras.Model) -> dict[str, Any]:
    """Every weight by name, as numpy."""
    return {variable.path: variable.numpy() for variable in model.variables}


def load_state(model: keras.Model, weights: dict[str, Any]) -> tuple[int, int]:
    """Take the weights whose name and shape fit; returns how many did and how many the model has."""
    own = {variable.path: variable for variable in model.variables}
    fitting = [path for path in own if path in weights and weights[path].shape == tuple(own[path].shape)]
    for path in fitting:
        own[path].assign(weights[path])
    return len(fitting), len(own)


def _encoder(alpha: float, weights: str | None) -> keras.Model:
    return keras.applications.MobileNetV2(include_top=False, weights=weights, alpha=alpha, input_shape=(None, None, 3))


def _mobilenet(pixels: Any, alpha: float) -> list[Any]:
    encoder = keras.applications.MobileNetV2(include_top=False, weights=None, alpha=alpha, input_tensor=pixels)
    for layer in encoder.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    return [encoder.get_layer(name).output for name in SKIPS]


def _plain(pixels: Any) -> list[Any]:
    skips, x = [], pixels
    for level, channels in enumerate(PLAIN):
        x = _convolved(x, channels, f"encoder_{level}a", strides=2)
        x = _convolved(x, channels, f"encoder_{level}b")
        skips.append(x)
    return skips


def _convolved(x: Any, channels: int, name: str, strides: int = 1) -> Any:
    x = layers.Conv2D(channels, 3, strides, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_norm")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)
