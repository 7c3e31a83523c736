"""Draws predictions on photographs: boxes with class and score, masks as a tint. Pillow only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps

PALETTE = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")
TINT = 0.45
"""Opacity of a mask."""


def draw(photograph: Path, prediction: Mapping[str, Any], target: Path) -> None:
    """Writes ``target``: the photograph as displayed, with what a row of predictions JSON says of it.

    Boxes are xyxy in its pixels; of classes of the image as a whole, which have none, the first is written. Nothing of
    the photograph's metadata (GPS, say) is copied.
    """
    with Image.open(photograph) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    found = prediction["predictions"]
    if found and "box" not in found[0]:
        found = [{**found[0], "box": (0, 0, *image.size)}]
    for item in found:
        if "mask" in item:
            _tint(image, item["mask"], _colour(item))
    line = max(2, min(image.size) // 200)
    font = ImageFont.load_default(size=max(11, min(image.size) // 28))
    pen = ImageDraw.Draw(image)
    for item in found:
        _box(pen, item, line, font)
    clean = Image.new("RGB", image.size)
    clean.paste(image)
    clean.save(target, quality=90) if target.suffix.lower() in {".jpg", ".jpeg"} else clean.save(target)


def mask_image(rle: Mapping[str, Any]) -> Image.Image:
    """The mask of COCO run lengths (column by column, background first) as an ``L`` image of 0 and 255.

    ValueError if they do not fill its size.
    """
    height, width = rle["size"]
    counts = rle["counts"]
    runs = _unpacked(counts) if isinstance(counts, str) else counts
    columns = b"".join((b"\xff" if index % 2 else b"\x00") * run for index, run in enumerate(runs))
    if len(columns) != height * width:
        raise ValueError(f"run lengths add up to {len(columns)}, not to {height} x {width}")
    return Image.frombytes("L", (height, width), columns).transpose(Image.Transpose.TRANSPOSE)


def _unpacked(text: str) -> list[int]:
    """COCO's compressed counts: 5 bits a character from ``0`` on, signed, from the third on relative to two before."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs


def _tint(image: Image.Image, rle: Mapping[str, Any], colour: str) -> None:
    mask = mask_image(rle).point([round(value * TINT) for value in range(256)])
    image.paste(Image.new("RGB", image.size, colour), mask=mask)


def _box(pen: ImageDraw.ImageDraw, item: Mapping[str, Any], line: int, font: Any) -> None:
    left, top, right, bottom = item["box"]
    colour = _colour(item)
    pen.rectangle((left, top, right, bottom), outline=colour, width=line)
    label = f"{item['class']} {item['score']:.2f}"
    x0, y0, x1, y1 = pen.textbbox((0, 0), label, font=font)
    height = y1 - y0 + 2 * line
    above = top - height if top >= height else top
    pen.rectangle((left, above, left + x1 - x0 + 2 * line, above + height), fill=colour)
    pen.text((left + line - x0, above + line - y0), label, fill="white", font=font)


def _colour(item: Mapping[str, Any]) -> str:
    return PALETTE[item["class_id"] % len(PALETTE)]
