"""Images as the programs see them: RGB, 8 bits, displayed orientation, or a refusal that names the file.

Policy: EXIF orientation is applied; grey is repeated three times; 16-bit grey is scaled by 255/65535 (no stretching
to the image's own range); palette, CMYK and other colour spaces are converted; alpha is dropped and the stored colours
are kept; of several frames the first counts. This is what OpenCV makes of the same files in training.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from optml.errors import Refusal
from vision.folder import reason, visible

Array = NDArray[np.uint8]  # (H, W, 3) RGB

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""What is decoded, whatever the suffix; Pillow itself would start Ghostscript for PostScript."""
ORIENTATION = 0x0112
UNDECODABLE = (OSError, SyntaxError, ValueError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow raises for a file that is no image, or a broken one."""


def open_image(path: Path, shown: str = "") -> Array:
    """(H, W, 3) RGB uint8 of the image as displayed; Refusal if it does not decode.

    `shown` is what errors call the file, here and below: by default its path.
    """
    with opened(path, shown) as image:
        return to_rgb(image)


def to_rgb(image: Image.Image) -> Array:
    """(H, W, 3) RGB uint8 of an image that is open already (an image sent to be predicted, say)."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        grey = np.asarray(upright).astype(np.int64)
        if grey.min() < 0 or grey.max() > 0xFFFF:
            raise ValueError("its grey values do not fit 16 bits")
        return np.repeat(((grey * 255 + 0x7FFF) // 0xFFFF).astype(np.uint8)[..., None], 3, axis=2)
    if upright.mode == "F":
        raise ValueError("it holds floating-point values")
    return np.array(upright.convert("RGB"))


def image_size(path: Path, shown: str = "") -> tuple[int, int]:
    """(width, height) as displayed, from the header alone."""
    with opened(path, shown) as image:
        return (image.height, image.width) if orientation(image) >= 5 else (image.width, image.height)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where it is missing or invalid."""
    value = image.getexif().get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def verify(paths: Iterable[Path]) -> None:
    """Decode every image to its last row; Refusal that names the first one that is broken and counts the others."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        broken = [error for error in pool.map(_failure, paths) if error]
    if not broken:
        return
    more = f"; {len(broken) - 1} more images do not decode either" if len(broken) > 1 else ""
    raise Refusal(f"{broken[0]}{more}", broken[0].hint)


def find(folder: Path) -> list[Path]:
    """Every image file below a folder, sorted; hidden files and folders are skipped."""
    return [path for path in visible(folder) if path.suffix.lower() in SUFFIXES and path.is_file()]


@contextmanager
def opened(path: Path, shown: str = "") -> Iterator[Image.Image]:
    """The file opened by Pillow; whatever decoding raises inside becomes a Refusal that names it."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            yield image
    except FileNotFoundError:
        raise Refusal(f"no such image: {shown or path}", "check the path, and what names it") from None
    except UNDECODABLE as error:
        cause = "not an image that can be read" if isinstance(error, UnidentifiedImageError) else reason(error)
        raise Refusal(
            f"image {shown or path} does not decode: {cause}", "replace the file, or leave it out wherever it is named"
        ) from error


def _failure(path: Path) -> Refusal | None:
    try:
        with opened(path) as image:
            image.load()
    except Refusal as refusal:
        return refusal
    return None
