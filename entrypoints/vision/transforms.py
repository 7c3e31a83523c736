"""Images into a network's input: the letterbox that training, evaluation and serving share."""

from __future__ import annotations

import numpy as np
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

    Pixels are averaged where the image gets smaller, so that what is thin does not vanish. The one function with which
    training, evaluation and serving make their input.
    """
    size = (
        boxes.fit((image.shape[1], image.shape[0]), (side_px, side_px)).content if fit == "pad" else (side_px, side_px)
    )
    if image.shape[1::-1] != size:
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    if size == (side_px, side_px):
        return image
    left, top = (side_px - size[0]) // 2, (side_px - size[1]) // 2
    canvas = np.empty((side_px, side_px, 3), np.uint8)
    canvas[:] = GREY
    canvas[top : top + size[1], left : left + size[0]] = image
    return canvas


def mask_to_image(mask: Mask, box: Letterbox) -> Mask:
    """A mask (H, W) of the letterboxed input as a mask of the original image, nearest pixel."""
    (width, height), (left, top) = box.content, (box.left, box.top)
    content = Image.fromarray(mask[top : top + height, left : left + width])
    return np.asarray(content.resize(box.image, Image.Resampling.NEAREST), bool)
