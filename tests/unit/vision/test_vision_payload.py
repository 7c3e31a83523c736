"""Bodies of /invocations: what is read alike from each content type, and what is refused in one sentence."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from optml.errors import Refusal
from vision import payload

PIXELS = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
NPY = "application/x-npy"


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def header(text: str) -> bytes:
    """An npy file that is a header only."""
    padded = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode()


def claiming(shape: str) -> bytes:
    return header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}")


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, image=PIXELS)
    return stream.getvalue()


@pytest.mark.parametrize("array", [PIXELS, np.asfortranarray(PIXELS)])
def test_an_array_is_read_in_either_order(array):
    read = payload.read(npy(array), NPY)
    assert (read == PIXELS).all()
    assert read.flags.c_contiguous
    assert read.flags.writeable


def test_a_grey_array_is_repeated():
    assert (payload.read(npy(PIXELS[..., 0]), NPY) == PIXELS[..., :1]).all()


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (b"PK\x03\x04garbage", "does not begin with an npy header"),
        (npz(), "does not begin with an npy header"),
        (npy(PIXELS)[:40], "does not begin with an npy header"),
        (header("{'descr': '|u1', 'shape': (4, "), "does not begin with an npy header"),
        (header("-" * 9000 + "1"), "does not begin with an npy header"),
        (header("{'descr': 'nonsense', 'fortran_order': False, 'shape': (4, 5, 3)}"), "does not begin with an npy"),
        (npy(np.array([{}])), r"the array is object \(1,\)"),
        (npy(PIXELS.astype(float)), r"the array is float64 \(4, 5, 3\)"),
        (npy(PIXELS[..., :2]), r"the array is uint8 \(4, 5, 2\)"),
        (npy(PIXELS[:0]), r"the array is uint8 \(0, 5, 3\)"),
        (claiming("(-4, -5, 3)"), r"the array is uint8 \(-4, -5, 3\)"),
        (claiming("(1000000000, 1000000, 3)"), r"says \(1000000000, 1000000, 3\), but 0 bytes follow"),
        (claiming(f"({10**30}, 5, 3)"), r"says \(10+, 5, 3\), but 0 bytes follow"),
        (npy(PIXELS)[:-1], r"says \(4, 5, 3\), but 59 bytes follow"),
        (npy(PIXELS) + b"x", r"says \(4, 5, 3\), but 61 bytes follow"),
    ],
)
def test_an_array_that_is_none_or_no_image_is_refused(body, match):
    refused(body, NPY, match)


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (b"{", r"not JSON: .*\(body:1\)"),
        (b"\xff", "JSON that cannot be read: 'utf-8' codec"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"image": ' + b"9" * 5000 + b"}", "a number of 5000 digits"),
        ('{"image": "é"}'.encode(), '"image" is not base64: .*ASCII'),
        (b'{"image": "\\ud800"}', "surrogates not allowed"),
        (b'{"image": "a"}', '"image" is not base64'),
        (b'{"image": 1}', 'no string "image"'),
        (json.dumps({"image": base64.b64encode(b"no image").decode()}).encode(), "not a readable image"),
    ],
)
def test_json_without_an_image_is_refused(body, match):
    refused(body, "application/json", match)


def picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, kind)
    return stream.getvalue()


def test_base64_may_have_lines():
    body = json.dumps({"image": base64.encodebytes(picture("PNG")).decode()}).encode()
    assert (payload.read(body, "application/json") == PIXELS).all()


def test_postscript_is_given_to_no_interpreter():
    refused(picture("EPS"), "image/jpeg", "^the body is not a readable image$")


def refused(body: bytes, content_type: str, match: str) -> None:
    answer = payload.predictor(lambda _: pytest.fail("nothing to predict"))
    with pytest.raises(Refusal, match=match) as caught:
        answer(body, content_type, "*/*")
    assert caught.value.hint
    assert "\n" not in caught.value.message
