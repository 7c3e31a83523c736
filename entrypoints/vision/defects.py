"""Made-up defects large enough for small inputs: what the starters of SSDLite and EfficientNet-B0 learn from.

    python -m vision.defects OUT --images 3000 --seed 0

writes images/ and annotations.json (COCO). A third are pictures of one defect, a third scenes of several, as
`vision.surfaces` draws both, and a third steel strip as `vision.samples` has it, drawn from other seeds.
With `--labels` it writes a folder of pictures for each pair of a surface and a defect, or none.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vision import steel
from vision.surfaces import CLASSES, DEFECTS, add_defect, scene
from vision.textures import PATTERNS, Mask, Random, item, photograph, place, texture

SIDE_PX = 128
SMALLEST_PX = 10
"""The shorter side of a defect's box; a picture with a smaller one is drawn again."""
STEEL = 5
"""Begins the seeds of steel strip here, as those of `vision.samples` do not."""
NAMES = (*CLASSES, *steel.DEFECTS)
PAIRS = tuple((draw.__name__.strip("_"), kind) for draw in dict.fromkeys(PATTERNS) for kind in ("none", *CLASSES))
"""A surface and a defect, or none."""

Found = tuple[int, Mask]
"""Class id, of `CLASSES`, and mask (128, 128)."""
Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


def write(out: Path, images: int, seed: int) -> None:
    """Write pictures (128, 128) and the boxes of their defects."""
    (out / "images").mkdir(parents=True)
    with ProcessPoolExecutor() as pool:
        drawn = list(pool.map(partial(_draw, out / "images", seed), range(images), chunksize=16))
    content: dict[str, Any] = {
        "images": [
            {"id": index, "file_name": f"images/{name}", "width": SIDE_PX, "height": SIDE_PX}
            for index, (name, _) in enumerate(drawn)
        ],
        "categories": [{"id": index, "name": name} for index, name in enumerate(NAMES)],
        "annotations": [],
    }
    for index, (_, found) in enumerate(drawn):
        for label, box in found:
            row = {"id": len(content["annotations"]), "image_id": index, "category_id": label, "bbox": box}
            content["annotations"].append(row | {"area": box[2] * box[3], "iscrowd": 0})
    (out / "annotations.json").write_text(json.dumps(content))


def write_labelled(out: Path, images: int, seed: int) -> None:
    """Write pictures (128, 128), as many of each of `PAIRS`, in folders named `wood-crack`."""
    for pair in PAIRS:
        (out / "-".join(pair)).mkdir(parents=True)
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(_draw_labelled, out, seed), range(images), chunksize=16))


def single(rng: Random, surface: str, kind: str) -> tuple[NDArray[np.uint8], list[Found]]:
    """A photograph (128, 128, 3) of a surface, maybe with a part on it, and its one defect, of that kind.

    It has none where the kind is none, or where there was no room for it.
    """
    draw = next(one for one in PATTERNS if one.__name__.strip("_") == surface)
    image = texture(rng, SIDE_PX, draw)
    background, parts = image.copy(), []
    if kind == "chip" or rng.random() < 0.4:
        parts.append(item(rng, SIDE_PX))
        place(image, parts[0], texture(rng, SIDE_PX), rng)
    named = [one for one in DEFECTS if one[0] == kind]
    found = add_defect(rng, image, background, parts, named) if named else None
    return photograph(rng, image), [found] if found else []


def _draw(folder: Path, seed: int, index: int) -> tuple[str, list[tuple[int, Box]]]:
    """In turn a picture of one defect, a scene of any number of them, and steel strip."""

    def draw(rng: Random) -> tuple[NDArray[np.uint8], list[Found]]:
        if index % 3 == 0:
            return single(rng, *PAIRS[rng.integers(len(PAIRS))])
        return scene(int(rng.integers(2**31)), SIDE_PX)

    if index % 3 == 2:
        pixels, found = _steel(np.random.default_rng([STEEL, seed, index]))
    else:
        pixels, defects = _clear([seed, index], draw)
        found = [(label, _box(mask)) for label, mask in defects]
    Image.fromarray(pixels).save(folder / f"{index:06d}.jpg", quality=92)
    return f"{index:06d}.jpg", found


def _draw_labelled(out: Path, seed: int, index: int) -> None:
    surface, kind = PAIRS[index % len(PAIRS)]
    wanted = 0 if kind == "none" else 1
    pixels, _ = _clear([seed, index], lambda rng: single(rng, surface, kind), wanted)
    Image.fromarray(pixels).save(out / f"{surface}-{kind}" / f"{index:06d}.jpg", quality=92)


def _steel(rng: Random) -> tuple[NDArray[np.uint8], list[tuple[int, Box]]]:
    pixels, found = steel.strip(rng)
    part = SIDE_PX / steel.SIDE_PX
    boxes = [(name, [round(edge * part) for edge in box]) for name, box in found]
    small = np.asarray(Image.fromarray(pixels).resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))
    return small, [(NAMES.index(name), (x1, y1, x2 - x1, y2 - y1)) for name, (x1, y1, x2, y2) in boxes]


def _clear(
    seed: list[int], draw: Callable[[Random], tuple[NDArray[np.uint8], list[Found]]], wanted: int | None = None
) -> tuple[NDArray[np.uint8], list[Found]]:
    """The first picture whose defects are all large enough, and as many as wanted."""
    for attempt in itertools.count():
        pixels, found = draw(np.random.default_rng([*seed, attempt]))
        if all(min(_box(mask)[2:]) >= SMALLEST_PX for _, mask in found) and wanted in {None, len(found)}:
            return pixels, found
    raise AssertionError


def _box(mask: Mask) -> Box:
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns.min()), int(rows.min()), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


def main() -> None:
    parser = argparse.ArgumentParser(description="Write made-up defects for small networks.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--labels", action="store_true", help="a folder for each class, for classifiers")
    options = parser.parse_args()
    (write_labelled if options.labels else write)(options.out, options.images, options.seed)


if __name__ == "__main__":
    main()
