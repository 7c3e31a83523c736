"""Bodies of /invocations: an image in (JPEG, PNG, npy, JSON with base64), predictions as JSON out."""

from __future__ import annotations

import base64
import binascii
import io
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from optml.errors import Refusal
from optml.serving import Predictor, UnsupportedMediaType
from vision import images

Array = NDArray[np.uint8]
ACCEPTED = ("image/jpeg", "image/png", "application/x-npy", "application/json")


def predictor(predict: Callable[[Array], list[dict[str, Any]]]) -> Predictor:
    """A predictor around `predict`, which takes an RGB image `(H, W, 3)` and returns its predictions."""

    def answer(body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        image = read(body, content_type)
        reply = {"width": image.shape[1], "height": image.shape[0], "predictions": predict(image)}
        return json.dumps(reply).encode(), "application/json"

    return answer


def read(body: bytes, content_type: str) -> Array:
    """The image of a request, RGB uint8 `(H, W, 3)`."""
    kind = content_type.split(";", maxsplit=1)[0].strip().lower()
    if kind in ("image/jpeg", "image/jpg", "image/png", "application/x-image"):
        return _decode(body)
    if kind in ("application/x-npy", "application/x-numpy"):
        return _from_npy(body)
    if kind == "application/json":
        return _from_json(body)
    raise UnsupportedMediaType(f'content type "{content_type}" is not read', f"send one of {', '.join(ACCEPTED)}")


def _decode(body: bytes) -> Array:
    try:
        with Image.open(io.BytesIO(body)) as image:
            return images.to_rgb(image)
    except UnidentifiedImageError as error:
        raise Refusal("the body is not a readable image", "send a JPEG or PNG file") from error
    except (OSError, SyntaxError, ValueError, struct.error, zlib.error, Image.DecompressionBombError) as error:
        raise Refusal(f"the body is not a readable image: {error}", "send a whole JPEG or PNG file") from error


def _from_npy(body: bytes) -> Array:
    try:
        array = np.load(io.BytesIO(body), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise Refusal(f"the body is not an npy file: {error}", "send what numpy.save writes") from error
    if array.ndim == 2:
        array = np.stack([array] * 3, axis=-1)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise Refusal(
            f"the array is {array.dtype} {array.shape}",
            "send uint8 of shape (height, width, 3), RGB, or (height, width)",
        )
    return np.ascontiguousarray(array)


def _from_json(body: bytes) -> Array:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise Refusal(f"the body is not JSON: {error}", 'send {"image": "<base64>"}') from error
    if not isinstance(document, dict) or not isinstance(document.get("image"), str):
        raise Refusal('the JSON has no string "image"', 'send {"image": "<base64 of a JPEG or PNG file>"}')
    try:
        return _decode(base64.b64decode(document["image"], validate=True))
    except binascii.Error as error:
        raise Refusal(f'"image" is not base64: {error}', "encode the file's bytes with base64") from error
