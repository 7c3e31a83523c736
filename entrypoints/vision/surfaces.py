"""Made-up defects on many surfaces: the data set that the starter weights learn from.

    python -m vision.surfaces OUT --images 2400 --seed 0

writes a YOLO folder (images, polygon labels, data.yaml, a tenth for validation); with `--masks` train/ and val/ with
images/ and masks/ each, where a mask says of every pixel whether it is defective. Nothing here draws a cookie or a
plate: `vision.samples` does, and shares no scene with this file.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vision import masks
from vision.textures import Array, Mask, Random, blur, colour, item, noise, outline, photograph, place, texture

CLASSES = ("crack", "scratch", "hole", "stain", "chip", "particle", "dent")
MINIMUM_AREA_PX = 24
YOLO_FOLDERS = ("images/train", "images/val", "labels/train", "labels/val")
MASK_FOLDERS = ("train/images", "train/masks", "val/images", "val/masks")


def scene(seed: int, size: int = 320) -> tuple[NDArray[np.uint8], list[tuple[int, Mask]]]:
    """One photograph `(size, size, 3)` uint8 and its defects as (class id, mask `(size, size)`)."""
    rng = np.random.default_rng(seed)
    image = texture(rng, size)
    background = image.copy()
    parts: list[Mask] = []
    if rng.random() < 0.75:
        for _ in range(rng.integers(1, 4)):
            part = item(rng, size)
            place(image, part, texture(rng, size), rng)
            parts = [earlier & ~part for earlier in parts] + [part]
    if rng.random() < 0.25:
        _print_marks(rng, image)
    inlaid = bool(parts) and rng.random() < 0.4
    if inlaid:
        for part in parts:
            _inlay(rng, image, part)
    count = 0 if rng.random() < 0.15 else int(rng.integers(1, 5))
    kinds = BREAKS if inlaid else DEFECTS
    found = [add_defect(rng, image, background, parts, kinds) for _ in range(count)]
    defects = [defect for defect in found if defect is not None]
    for index, (_, mask) in enumerate(defects):
        for _, later in defects[index + 1 :]:
            np.logical_and(mask, ~later, out=mask)
    return photograph(rng, image), [(label, mask) for label, mask in defects if mask.sum() >= MINIMUM_AREA_PX]


def write(
    out: Path, images: int, seed: int, size: int = 320, processes: int | None = None, *, by_pixel: bool = False
) -> None:
    """Write `images` scenes, every tenth for validation: with polygons as YOLO's, or `by_pixel` in masks."""
    draw = _write_mask if by_pixel else _write_polygons
    for folder in MASK_FOLDERS if by_pixel else YOLO_FOLDERS:
        (out / folder).mkdir(parents=True, exist_ok=True)
    if not by_pixel:
        names = "".join(f"  {index}: {name}\n" for index, name in enumerate(CLASSES))
        (out / "data.yaml").write_text(f"train: images/train\nval: images/val\nnames:\n{names}")
    with ProcessPoolExecutor(processes) as pool:
        for done, _ in enumerate(pool.map(partial(draw, out, seed, size), range(images), chunksize=16), start=1):
            if done % 400 == 0:
                print(f"{done} of {images} scenes", flush=True)


def _write_polygons(out: Path, seed: int, size: int, index: int) -> None:
    part = _part(index)
    pixels, defects = scene(_scene_seed(seed, index), size)
    Image.fromarray(pixels).save(out / "images" / part / f"{index:06d}.jpg", quality=92)
    rows = []
    for label, mask in defects:
        for component in masks.components(mask, MINIMUM_AREA_PX)[0]:
            polygon = masks.outline(component) / size
            rows.append(f"{label} " + " ".join(f"{value:.5f}" for value in polygon.ravel()))
    (out / "labels" / part / f"{index:06d}.txt").write_text("\n".join(rows))


def _write_mask(out: Path, seed: int, size: int, index: int) -> None:
    pixels, defects = scene(_scene_seed(seed, index), size)
    defective = np.zeros((size, size), np.bool_)
    for _, mask in defects:
        defective |= mask
    Image.fromarray(pixels).save(out / _part(index) / "images" / f"{index:06d}.jpg", quality=92)
    Image.fromarray(defective).save(out / _part(index) / "masks" / f"{index:06d}.png")


def _part(index: int) -> str:
    return "val" if index % 10 == 0 else "train"


def _scene_seed(seed: int, index: int) -> int:
    return seed * 1_000_003 + index


def add_defect(
    rng: Random, image: Array, background: Array, parts: list[Mask], kinds: Sequence[tuple[str, Draw]]
) -> tuple[int, Mask] | None:
    """Draw one of the kinds on one of the parts (in place): class id and mask; None where there is no room for it."""
    size = image.shape[0]
    region = parts[rng.integers(len(parts))] if parts else np.ones((size, size), np.bool_)
    if region.sum() < 900:
        return None
    rows, columns = np.nonzero(region)
    pick = rng.integers(len(rows))
    at = (float(columns[pick]), float(rows[pick]))
    name, draw = kinds[int(rng.integers(len(kinds)))]
    if draw in (_chip, _fracture) and not parts:
        return None
    mask = draw(rng, image, background, region, at) & region
    return CLASSES.index(name), mask


def _crack(rng: Random, image: Array, background: Array, region: Mask, at: tuple[float, float]) -> Mask:
    size = image.shape[0]
    canvas = Image.new("L", (size, size))
    pen = ImageDraw.Draw(canvas)
    open_wide = rng.random() < 0.35
    width = rng.uniform(6, 20) if open_wide else rng.uniform(1.5, 7)
    _wander(rng, pen, at, rng.uniform(0, 2 * math.pi), size * rng.uniform(0.12, 0.6), width, 2)
    mask = np.asarray(canvas) > 127
    if open_wide and rng.random() < 0.6:
        _fill(image, mask & region, background * rng.uniform(0.4, 1.0))
    else:
        _darken(image, mask & region, rng.uniform(0.35, 0.9), rng.uniform(0.3, 1.2))
    return mask


def _fracture(rng: Random, image: Array, background: Array, region: Mask, at: tuple[float, float]) -> Mask:
    """A part broken through, or from its edge inwards: a ragged gap in which the background shows, or darkness."""
    size = image.shape[0]
    rows, columns = np.nonzero(region)
    turn = rng.uniform(0, 2 * math.pi)
    reach = float(np.hypot(columns - columns.mean(), rows - rows.mean()).max()) * 1.1
    along = np.arange(-reach, reach * rng.choice([1.0, rng.uniform(-0.4, 0.6)]), rng.uniform(4, 9))
    if len(along) < 4:
        return np.zeros_like(region)
    drift = np.cumsum(rng.normal(0, rng.uniform(1, 4), len(along)))
    half = (
        rng.uniform(1.5, 9)
        * np.clip(1 + rng.normal(0, 0.35, len(along)), 0.3, 2)
        * np.linspace(1, rng.uniform(0.2, 1), len(along))
    )
    edges = [(along, drift - half), (along[::-1], (drift + half)[::-1])]
    points = [
        (at[0] + a * math.cos(turn) - b * math.sin(turn), at[1] + a * math.sin(turn) + b * math.cos(turn))
        for line in edges
        for a, b in zip(*line, strict=True)
    ]
    canvas = Image.new("L", (size, size))
    ImageDraw.Draw(canvas).polygon(points, fill=255)
    mask = np.asarray(canvas) > 127
    inside = mask & region
    if rng.random() < 0.6:
        _fill(image, inside, background * rng.uniform(0.35, 1.0))
    else:
        _darken(image, inside, rng.uniform(0.5, 0.95), rng.uniform(0.4, 1.5))
    rim = (blur(inside.astype(np.float32), 2.0) > 0.1) & region & ~inside
    _tint(image, rim, np.ones(3, np.float32), rng.uniform(0, 0.3), 1.0)
    return mask


def _inlay(rng: Random, image: Array, part: Mask) -> None:
    """Pieces set into a part, or a zigzag line of glaze over it: pattern that is no defect."""
    size = image.shape[0]
    rows, columns = np.nonzero(part)
    if len(rows) < 900:
        return
    tint = colour(rng, 0.05, 0.95)
    if rng.random() < 0.7:
        for pick in rng.integers(0, len(rows), int(rng.integers(3, 16))):
            at = (float(columns[pick]), float(rows[pick]))
            piece = outline(rng, size, at, rng.uniform(2.5, 9), rng.uniform(0.1, 0.4)) & part
            place(image, piece, np.broadcast_to(tint * rng.uniform(0.8, 1.1), image.shape), rng)
        return
    canvas = Image.new("L", (size, size))
    x = np.linspace(columns.min(), columns.max(), int(rng.integers(8, 20)))
    y = np.where(np.arange(len(x)) % 2, rows.min(), rows.max()) + rng.normal(0, 6, len(x))
    ImageDraw.Draw(canvas).line(list(zip(x, y, strict=True)), fill=255, width=int(rng.integers(2, 7)), joint="curve")
    turned = canvas.rotate(rng.uniform(0, 180), center=(float(columns.mean()), float(rows.mean())))
    _tint(image, (np.asarray(turned) > 127) & part, tint, rng.uniform(0.6, 1), 0.7)


def _wander(
    rng: Random,
    pen: ImageDraw.ImageDraw,
    at: tuple[float, float],
    heading: float,
    length: float,
    width: float,
    depth: int,
) -> None:
    """A line that turns as it goes, gets thinner, and branches `depth` levels deep."""
    step = rng.uniform(4, 9)
    steps = max(3, int(length / step))
    x, y = at
    for index in range(steps):
        heading += rng.normal(0, rng.uniform(0.15, 0.5))
        nx, ny = x + step * math.cos(heading), y + step * math.sin(heading)
        thickness = max(1, round(width * (1 - 0.7 * index / steps) * rng.uniform(0.7, 1.3)))
        pen.line((x, y, nx, ny), fill=255, width=thickness)
        pen.ellipse((nx - thickness / 2, ny - thickness / 2, nx + thickness / 2, ny + thickness / 2), fill=255)
        if depth and rng.random() < 0.08:
            _wander(
                rng,
                pen,
                (nx, ny),
                heading + rng.choice([-1, 1]) * rng.uniform(0.5, 1.2),
                length * 0.4,
                width * 0.7,
                depth - 1,
            )
        x, y = nx, ny


def _scratch(rng: Random, image: Array, background: Array, region: Mask, at: tuple[float, float]) -> Mask:
    size = image.shape[0]
    canvas = Image.new("L", (size, size))
    turn, length, bend = rng.uniform(0, math.pi), size * rng.uniform(0.1, 0.6), rng.normal(0, 0.15)
    t = np.linspace(-0.5, 0.5, 24)
    x = at[0] + length * (t * math.cos(turn) - bend * t**2 * math.sin(turn))
    y = at[1] + length * (t * math.sin(turn) + bend * t**2 * math.cos(turn))
    ImageDraw.Draw(canvas).line(list(zip(x, y, strict=True)), fill=255, width=int(rng.integers(1, 5)))
    mask = np.asarray(canvas) > 127
    if rng.random() < 0.6:
        _tint(image, mask & region, np.ones(3, np.float32), rng.uniform(0.3, 0.9), 0.6)
    else:
        _darken(image, mask & region, rng.uniform(0.3, 0.8), 0.6)
    return mask


def _hole(rng: Random, image: Array, background: Array, region: Mask, at: tuple[float, float]) -> Mask:
    mask = outline(rng, image.shape[0], at, rng.uniform(4, 24), rng.uniform(0, 0.15))
    _darken(image, mask & region, rng.uniform(0.5, 0.95), rng.uniform(0.5, 2))
    rim = (blur(mask.astype(np.float32), 2.5) > 0.12) & ~mask & region
    _tint(image, rim, np.ones(3, np.float32), rng.uniform(0, 0.35), 1.0)
    return mask


def _stain(rng: Random, image: Array, background: Array, region: Mask, at: tuple[float, float]) -> Mask:
    size = image.shape[0]
    mask = outline(rng, size, at, rng.uniform(8, 60), rng.uniform(0.1, 0.5))
    strength = rng.uniform(0.25, 0.85) * (0.6 + 0.4 * noise(rng, size, rng.uniform(4, 20)))
    alpha = (blur((mask & region).astype(np.float32), rng.uniform(0.6, 3)) * strength)[..., None]
    image[:] = image * (1 - alpha) + colour(rng, 0.05, 0.8) * alpha
    return mask


def _chip(rng: Random, image: Array, background: Array, region: Mask, at: tuple[float, float]) -> Mask:
    """A piece broken off the edge of a part: the background shows, or the rough inside of the part."""
    size = image.shape[0]
    inside = blur(region.astype(np.float32), 4)
    rows, columns = np.nonzero(region & (inside < 0.7))
    if not len(rows):
        return np.zeros_like(region)
    pick = rng.integers(len(rows))
    mask = outline(rng, size, (float(columns[pick]), float(rows[pick])), rng.uniform(10, 45), rng.uniform(0.15, 0.5))
    mask &= region
    rough = np.clip(colour(rng)[None, None] * (0.6 + 0.8 * noise(rng, size, 4)[..., None]), 0, 1)
    filling = background if rng.random() < 0.6 else rough
    _fill(image, mask, filling * rng.uniform(0.6, 1.0))
    return mask


def _particle(rng: Random, image: Array, background: Array, region: Mask, at: tuple[float, float]) -> Mask:
    mask = outline(rng, image.shape[0], at, rng.uniform(4, 18), rng.uniform(0.1, 0.6)) & region
    place(image, mask, np.broadcast_to(colour(rng, 0.0, 1.0), image.shape), rng)
    return mask


def _dent(rng: Random, image: Array, background: Array, region: Mask, at: tuple[float, float]) -> Mask:
    """A hollow: bright on one flank and dark on the other."""
    radius = rng.uniform(10, 45)
    mask = outline(rng, image.shape[0], at, radius, rng.uniform(0, 0.3)) & region
    depth = blur(mask.astype(np.float32), radius / 3)
    down, right = np.gradient(depth)
    turn = rng.uniform(0, 2 * math.pi)
    shade = (right * math.cos(turn) + down * math.sin(turn)) * radius * rng.uniform(0.4, 1.2)
    image[:] = np.clip(image * (1 + shade * mask)[..., None], 0, 1)
    return mask


def _fill(image: Array, mask: Mask, filling: Array) -> None:
    alpha = blur(mask.astype(np.float32), 0.8)[..., None]
    image[:] = image * (1 - alpha) + filling * alpha


def _darken(image: Array, mask: Mask, amount: float, soft_px: float) -> None:
    image *= (1 - amount * blur(mask.astype(np.float32), soft_px))[..., None]


def _tint(image: Array, mask: Mask, tint: Array, amount: float, soft_px: float) -> None:
    alpha = (amount * blur(mask.astype(np.float32), soft_px))[..., None]
    image[:] = image * (1 - alpha) + tint * alpha


def _print_marks(rng: Random, image: Array) -> None:
    """Letters and digits printed on the surface: marks that are no defect."""
    size = image.shape[0]
    canvas = Image.new("L", (size, size))
    text = "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVXYZ0123456789-"), int(rng.integers(3, 9))))
    at = (size * rng.uniform(0.05, 0.6), size * rng.uniform(0.05, 0.9))
    ImageDraw.Draw(canvas).text(at, text, fill=255, font_size=int(rng.integers(12, 40)))
    _tint(image, np.asarray(canvas.rotate(rng.uniform(-30, 30))) > 127, colour(rng, 0.0, 1.0), rng.uniform(0.5, 1), 0.5)


Draw = Callable[[Random, Array, Array, Mask, tuple[float, float]], Mask]
BREAKS: tuple[tuple[str, Draw], ...] = (("crack", _crack), ("crack", _fracture), ("crack", _fracture), ("chip", _chip))
DEFECTS: tuple[tuple[str, Draw], ...] = (
    *BREAKS, ("scratch", _scratch), ("hole", _hole), ("stain", _stain), ("particle", _particle), ("dent", _dent),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Write made-up surface defects.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=2400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=320, help="pixels of each side")
    parser.add_argument("--masks", action="store_true", help="folders of images and masks; default: a YOLO folder")
    options = parser.parse_args()
    write(options.out, options.images, options.seed, options.size, by_pixel=options.masks)


if __name__ == "__main__":
    main()
