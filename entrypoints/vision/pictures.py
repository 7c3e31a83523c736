"""Pictures of data and results: boxes and masks on images, and contact sheets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vision import masks
from vision.images import Array
from vision.record import Box, Sample

COLORS = ("#D7263D", "#1B7FBD", "#2E9E4F", "#E08E0B", "#7B4FB3", "#0FA3A3", "#C2408F", "#6B5B2A")
INK, FAINT, PAPER = "#22262B", "#8A9199", "#FFFFFF"
GAP_PX = 10
Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class Mark:
    """What is drawn for one object; `score` is None for ground truth."""

    class_id: int
    label: str
    box: Box
    mask: masks.Mask | None = None
    score: float | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """One image of a contact sheet with its ground truth and its predictions."""

    title: str
    image: Array
    truth: Sequence[Mark]
    predicted: Sequence[Mark]


def truth(sample: Sample, classes: Sequence[str]) -> list[Mark]:
    """The marks of a sample's instances."""
    return [Mark(i.class_id, classes[i.class_id], i.box, i.mask) for i in sample.instances]


def predictions(entries: Sequence[Mapping[str, Any]]) -> list[Mark]:
    """The marks of the `predictions` of docs/contract.md."""
    return [
        Mark(e["class_id"], e["class"], tuple(e["box"]), masks.decode(e["mask"]) if e.get("mask") else None, e["score"])
        for e in entries
    ]


def draw(image: Array, marks: Sequence[Mark]) -> Array:
    """A copy of an image (H, W, 3) with its marks; lines and letters in proportion to the image.

    A label that would lie on that of a larger mark is left out.
    """
    scale = max(image.shape[:2]) / 640
    width, font = max(2, round(2.5 * scale)), ImageFont.load_default(max(11, round(17 * scale)))
    canvas = Image.fromarray(_tinted(image, marks))
    pen = ImageDraw.Draw(canvas)
    for mark in marks:
        pen.rectangle(_inner(mark.box, canvas.size), outline=_color(mark), width=width)
    tags: list[Box] = []
    for mark in sorted(marks, key=lambda mark: -_area(mark.box)):
        _tag(pen, mark, font, width, canvas.size, tags)
    return np.array(canvas)


def in_turn(groups: Sequence[Sequence[Item]]) -> list[Item]:
    """The first of every group, then the second of every group that has one, and so on."""
    longest = max(map(len, groups), default=0)
    return [group[index] for index in range(longest) for group in groups if index < len(group)]


def contact_sheet(path: Path, rows: Sequence[Row], *, columns: int = 3, tile_px: int = 240) -> None:
    """Write pairs of ground truth (left) and prediction (right), `columns` pairs a line, as PNG or JPEG."""
    columns = min(columns, len(rows)) or 1
    pairs = [_pair(row, tile_px) for row in rows]
    lines = [pairs[i : i + columns] for i in range(0, len(pairs), columns)]
    heights = [max(pair.height for pair in line) for line in lines]
    stride = 2 * tile_px + 4 + 3 * GAP_PX
    sheet = Image.new("RGB", (columns * stride + GAP_PX, sum(heights) + 3 * GAP_PX * len(lines) + GAP_PX), PAPER)
    top = 2 * GAP_PX
    for line, height in zip(lines, heights, strict=True):
        for column, pair in enumerate(line):
            sheet.paste(pair, (2 * GAP_PX + column * stride, top))
        top += height + 3 * GAP_PX
    sheet.save(path, quality=90)


def _tinted(image: Array, marks: Sequence[Mark]) -> Array:
    tinted = image.copy()
    for mark in marks:
        if mark.mask is not None:
            color = np.array([int(_color(mark)[i : i + 2], 16) for i in (1, 3, 5)])
            tinted[mark.mask] = (tinted[mark.mask] * 0.55 + color * 0.45).astype(np.uint8)
    return tinted


def _inner(box: Box, size: tuple[int, int]) -> Box:
    """The rectangle that Pillow draws, whose end pixels are part of it, inside the image."""
    x1, y1 = min(max(0, box[0]), size[0] - 1), min(max(0, box[1]), size[1] - 1)
    return x1, y1, max(x1, min(box[2], size[0]) - 1), max(y1, min(box[3], size[1]) - 1)


def _tag(
    pen: ImageDraw.ImageDraw,
    mark: Mark,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    width: int,
    size: tuple[int, int],
    tags: list[Box],
) -> None:
    text = mark.label if mark.score is None else f"{mark.label} {mark.score:.2f}"
    _, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    wide, high = right + 3 * width, bottom - top + 3 * width
    x = max(0, min(mark.box[0], size[0] - wide))
    y = mark.box[1] - high + width if mark.box[1] >= high else max(0, min(mark.box[1], size[1] - high))
    tag = (x, y, x + wide, y + high)
    if any(tag[0] < x2 and x1 < tag[2] and tag[1] < y2 and y1 < tag[3] for x1, y1, x2, y2 in tags):
        return
    tags.append(tag)
    pen.rectangle(tag, fill=_color(mark))
    pen.text((x + 1.5 * width, y + 1.5 * width - top), text, fill=PAPER, font=font)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _pair(row: Row, tile_px: int) -> Image.Image:
    tiles = [_tile(row.image, marks, tile_px) for marks in (row.truth, row.predicted)]
    font = ImageFont.load_default(13)
    head = 20
    pair = Image.new("RGB", (2 * tile_px + 4, tiles[0].height + head), PAPER)
    pen = ImageDraw.Draw(pair)
    pen.text((0, 0), _shortened(row.title, font, tile_px), fill=INK, font=font)
    pen.text((2 * tile_px + 4, 0), "truth | prediction", fill=FAINT, font=font, anchor="ra")
    for i, tile in enumerate(tiles):
        pair.paste(tile, (i * (tile_px + 4), head))
    return pair


def _tile(image: Array, marks: Sequence[Mark], tile_px: int) -> Image.Image:
    """The image `tile_px` wide with its marks, drawn after scaling so that they stay legible."""
    scale = tile_px / image.shape[1]
    size = (tile_px, max(1, round(image.shape[0] * scale)))
    small = np.array(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS, reducing_gap=3))
    return Image.fromarray(draw(small, [_scaled(mark, scale, size) for mark in marks]))


def _scaled(mark: Mark, scale: float, size: tuple[int, int]) -> Mark:
    x1, y1, x2, y2 = (value * scale for value in mark.box)
    mask = None if mark.mask is None else np.asarray(Image.fromarray(mark.mask).resize(size, Image.Resampling.NEAREST))
    return Mark(mark.class_id, mark.label, (x1, y1, x2, y2), mask, mark.score)


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width_px: int) -> str:
    if font.getlength(text) <= width_px:
        return text
    while text and font.getlength(f"…{text}") > width_px:
        text = text[1:]
    return f"…{text}"


def _color(mark: Mark) -> str:
    return COLORS[mark.class_id % len(COLORS)]
