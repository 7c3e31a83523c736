"""Bodies of /invocations: an image in (JPEG, PNG, npy, JSON with base64), predictions as JSON out."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable
from typing import Any, Dict, List, Union

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from optml.errors import Refusal
from optml.serving import Predictor, UnsupportedMediaType
from vision import documents, images
from vision.folder import shortened

Array = NDArray[np.uint8]
ACCEPTED = ("image/jpeg", "image/png", "application/x-npy", "application/json")
LONGEST_HEADER = 1024  # characters; that of an image has about 60


Answer = Union[List[Dict[str, Any]], Dict[str, Any]]
"""The predictions of an image, or these as `predictions` beside what is said of the image as a whole."""


def predictor(predict: Callable[[Array], Answer]) -> Predictor:
    """A predictor around `predict`, which takes an RGB image `(H, W, 3)` and says what it finds."""

    def reply(body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        image = read(body, content_type)
        return json.dumps(answer(image, predict(image)), allow_nan=False).encode(), "application/json"

    return reply


def answer(image: Array, found: Answer) -> dict[str, Any]:
    """One answer as docs/contract.md has it, without the image's name."""
    said = found if isinstance(found, dict) else {"predictions": found}
    return {"width": image.shape[1], "height": image.shape[0], **said}


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
        with Image.open(io.BytesIO(body), formats=images.FORMATS) as image:
            return images.to_rgb(image)
    except UnidentifiedImageError as error:
        raise Refusal("the body is not a readable image", "send a JPEG or PNG file") from error
    except images.UNDECODABLE as error:
        raise Refusal(f"the body is not a readable image: {error}", "send a whole JPEG or PNG file") from error


def _from_npy(body: bytes) -> Array:
    shape, column_by_column, dtype, start = _npy_header(body)
    if dtype != np.uint8 or len(shape) not in (2, 3) or (*shape, 3)[2] != 3 or min(shape) < 1:
        raise Refusal(
            f"the array is {shortened(f'{dtype} {shape}')}",
            "send uint8 of shape (height, width, 3), RGB, or (height, width)",
        )
    if math.prod(shape) != len(body) - start:
        raise Refusal(
            f"the npy header says {shortened(str(shape))}, but {len(body) - start} bytes follow it",
            "send what numpy.save writes, whole",
        )
    array = np.frombuffer(body, np.uint8, offset=start).reshape(shape, order="F" if column_by_column else "C")
    return np.stack([array] * 3, axis=-1) if array.ndim == 2 else np.array(array, order="C")


def _npy_header(body: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether in Fortran order, type, and the offset of the first element."""
    stream = io.BytesIO(body)
    npy: Any = npy_format  # untyped in numpy's stubs
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        return *readers[npy.read_magic(stream)](stream, max_header_size=LONGEST_HEADER), stream.tell()
    except Exception as error:  # numpy lets through what Python's parser raises: TokenError, RecursionError, …
        raise Refusal(
            "the body does not begin with an npy header", "send what numpy.save writes; an npz is not read"
        ) from error


def _from_json(body: bytes) -> Array:
    document = documents.from_json(body, "body", 'send {"image": "<base64>"}')
    if not isinstance(document, dict) or not isinstance(document.get("image"), str):
        raise Refusal('the JSON has no string "image"', 'send {"image": "<base64 of a JPEG or PNG file>"}')
    try:
        content = base64.b64decode("".join(document["image"].split()), validate=True)  # `base64` breaks its lines
    except ValueError as error:
        raise Refusal(f'"image" is not base64: {error}', "encode the file's bytes with base64") from error
    return _decode(content)
