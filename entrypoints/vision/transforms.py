"""Images into a network's input: the letterbox that training, evaluation and serving share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vision import boxes
from vision.boxes import Letterbox
from vision.images import Array
from vision.masks import Mask

GREY = (114, 114, 114)


def letterbox(
    image: Array,
    size: int | tuple[int, int],
    *,
    color: tuple[int, int, int] = GREY,
    scale_up: bool = True,
    center: bool = True,
) -> tuple[Array, float, tuple[int, int]]:
    """(H, W, 3) into (size, size, 3), aspect kept: the input, the scale, and (left, top) padding in pixels.

    `size` is a side or (width, height). Bilinear without averaging, as OpenCV resizes in Ultralytics' training.
    """
    wanted = (size, size) if isinstance(size, int) else size
    box = boxes.fit((image.shape[1], image.shape[0]), wanted, scale_up=scale_up, center=center)
    canvas = np.empty((wanted[1], wanted[0], 3), np.uint8)
    canvas[:] = color
    (width, height), (left, top) = box.content, (box.left, box.top)
    canvas[top : top + height, left : left + width] = resize(image, width, height)
    return canvas, box.scale, (left, top)


def resize(image: Array, width: int, height: int) -> Array:
    """Bilinear from the four nearest pixels, whatever the scale."""
    if image.shape[:2] == (height, width):
        return image
    scale_x, scale_y = image.shape[1] / width, image.shape[0] / height
    affine = (scale_x, 0, 0, 0, scale_y, 0)
    source = Image.fromarray(image)
    return np.array(source.transform((width, height), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR))


def to_square(image: Array, side_px: int, fit: str) -> Array:
    """(side, side, 3): what a classifier sees of an image, `pad`: letterboxed in grey, `squash`: the aspect given up.

    The one function with which training, evaluation and serving make their input.
    """
    size = (side_px, side_px)
    return averaged(image, size) if fit == "squash" else padded(image, size)[0]


def padded(image: Array, size: tuple[int, int]) -> tuple[Array, Letterbox]:
    """(H, W, 3) into an input of (width, height), aspect kept, grey around it; and where it went."""
    box = boxes.fit((image.shape[1], image.shape[0]), size)
    content = averaged(image, box.content)
    if box.content == size:
        return content, box
    canvas = np.empty((size[1], size[0], 3), np.uint8)
    canvas[:] = GREY
    canvas[_content(box)] = content
    return canvas, box


def averaged(image: Array, size: tuple[int, int]) -> Array:
    """The image in (width, height), pixels averaged where it gets smaller, so that what is thin does not vanish."""
    if image.shape[1::-1] == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def labels_to_input(labels: NDArray[np.uint8], box: Letterbox, around: int) -> NDArray[np.uint8]:
    """A label map (H, W) of the image as one of the letterboxed input, nearest pixel, `around` beside the image."""
    canvas = np.full((box.size[1], box.size[0]), around, np.uint8)
    canvas[_content(box)] = np.asarray(Image.fromarray(labels).resize(box.content, Image.Resampling.NEAREST))
    return canvas


def values_to_image(values: NDArray[np.float32], box: Letterbox) -> NDArray[np.float32]:
    """Values (h, w) of the letterboxed input as values (H, W) of the original image, bilinear."""
    content = Image.fromarray(np.ascontiguousarray(values[_content(box)]))
    return np.asarray(content.resize(box.image, Image.Resampling.BILINEAR))


def mask_to_image(mask: Mask, box: Letterbox) -> Mask:
    """A mask (H, W) of the letterboxed input as a mask of the original image, nearest pixel."""
    content = Image.fromarray(mask[_content(box)])
    return np.asarray(content.resize(box.image, Image.Resampling.NEAREST), bool)


def content_of(values: NDArray[Any], box: Letterbox) -> NDArray[Any]:
    """The part of a letterboxed (h, w, …) that shows the image."""
    return values[_content(box)]


def _content(box: Letterbox) -> tuple[slice, slice]:
    (width, height), (left, top) = box.content, (box.left, box.top)
    return slice(top, top + height), slice(left, left + width)
