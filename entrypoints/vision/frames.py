"""How the pixels of an annotated image and of its mask lie on each other, whatever turns EXIF asks for.

The image's EXIF orientation applies to its mask too, unless the mask has one of its own or already has the size of the
image as displayed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vision import images

Labels = TypeVar("Labels", NDArray[np.uint8], NDArray[np.uint16])


@dataclass(frozen=True)
class Frame:
    """How an image is stored, and its EXIF orientation."""

    stored: tuple[int, int]  # width, height
    orientation: int

    @property
    def displayed(self) -> tuple[int, int]:
        """(width, height)"""
        return (self.stored[1], self.stored[0]) if self.orientation >= 5 else self.stored

    def turns(self, size: tuple[int, int], own_turn: int) -> bool:
        """Whether a mask of (width, height) and an EXIF orientation of its own has to be turned as the image is."""
        return own_turn == 1 and self.orientation != 1 and size == self.stored


def frame_of(path: Path, shown: str) -> Frame:
    """The frame of an image file, from its header; Refusal where it is none."""
    with images.opened(path, shown) as opened:
        return Frame(opened.size, images.orientation(opened))


def turned(labels: Labels, orientation: int) -> Labels:
    """A label map (H, W) turned as an EXIF orientation says."""
    image = Image.fromarray(labels)
    image.getexif()[images.ORIENTATION] = orientation
    return np.asarray(ImageOps.exif_transpose(image), labels.dtype)
