"""Sample data, all of it made up: photographs of cookies and of plates, half of them broken, of bins, and of steel.

    PYTHONPATH=entrypoints python -m vision.samples OUT --kind detection --images 96 --seed 0

`counting` writes photographs of bins in the layout of the Amazon Bin Image Dataset, with metadata and file_list.json;
`segmentation` writes photographs of plates in images/ with a mask each in masks/, half of them with a defect;
`steel` writes photographs of steel strip with defects, in NEU's layout of IMAGES/ and ANNOTATIONS/ (Pascal VOC);
`classification` writes the folders normal/ and anomalous/, `detection` a Lookout for Vision data set. Its layout and
manifest are those of AWS's cookie data set, quirks included: masks are palette PNGs whose entries differ in alpha only
(some are RGBA), colour maps are per line, some normals have a 16x16 white mask that does not lie where the manifest
says, dates are spelled three ways. The same seed gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from optml.errors import Refusal
from vision import bins, steel
from vision.cookies import photograph
from vision.plates import plate
from vision.tabletops import blurred

SIZES = ((384, 512), (384, 512), (360, 480), (420, 560), (512, 384))  # width, height in pixels
GREEN, BLUE, WHITE = "#23A436", "#1F77B4", "#ffffff"
MANIFEST = Path("manifests", "template.manifest")
FILE_LIST = Path("file_list.json")
BIN_SIZES = ((224, 168), (240, 160), (208, 176), (192, 176))
PLATE_SIZES = ((128, 240), (144, 256), (136, 232), (152, 240))
DUMMY_MASK = "dummy_anomaly_mask.png"
START = datetime(2026, 1, 5, 9, 0, 0, 851000)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vision.samples", description="Write generated photographs.")
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--kind", choices=tuple(KINDS), default="detection", help="the task that they are for")
    parser.add_argument("--images", type=int, help="how many photographs; default: as many as the task needs")
    parser.add_argument("--seed", type=int, default=0, help="other seeds, other photographs")
    arguments = parser.parse_args(argv)
    try:
        print(write(arguments.out, arguments.images, arguments.seed, arguments.kind))
    except Refusal as refusal:
        print(f"error: {refusal}\n\nhint: {refusal.hint}", file=sys.stderr)
        return 2
    return 0


def write(out: Path, images: int | None = None, seed: int = 0, kind: str = "detection") -> Path:
    """Make the folder `out` with a data set of a kind; its manifest, or the folder where it has none.

    The folder appears only when it is complete.
    """
    fill, usual, manifest = KINDS[kind]
    images = usual if images is None else images
    if images < 2 or seed < 0:
        raise Refusal(f"{images} images with seed {seed}", "ask for 2 images or more and a seed of 0 or more")
    if out.exists():
        raise Refusal(f"{out} exists already", "name another folder, or remove it first")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        fill(partial, images, seed)
        partial.chmod(0o755)
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return out / manifest


def _cookies_with_masks(folder: Path, images: int, seed: int) -> None:
    for name in ("training-images", "mask-images", "manifests"):
        (folder / name).mkdir()
    Image.new("RGB", (16, 16), WHITE).save(folder / DUMMY_MASK)
    broken = (images + 1) // 2
    cookies = [(True, i) for i in range(broken)] + [(False, i) for i in range(images - broken)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        lines = list(pool.map(lambda cookie: _cookie(folder, seed, *cookie), cookies))
    (folder / MANIFEST).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _steel_by_class(folder: Path, images: int, seed: int) -> None:
    """normal/ and anomalous/, half of the images each."""

    def draw(number: int) -> None:
        sound = number % 2 == 0
        picture, _ = steel.strip(np.random.default_rng([seed, int(sound), number]), sound=sound)
        name = f"{'normal' if sound else 'anomalous'}/{number // 2 + 1:04d}.jpg"
        Image.fromarray(picture).save(folder / name, quality=92)

    _fill(folder, ("normal", "anomalous"), draw, range(images))


def _bins(folder: Path, images: int, seed: int) -> None:
    """bin-images/, metadata/ and file_list.json of bins with 1 to 5 objects, as many of each."""

    def draw(number: int) -> None:
        rng = np.random.default_rng([seed, number])
        width, height = BIN_SIZES[rng.integers(len(BIN_SIZES))]
        Image.fromarray(bins.photograph(rng, width, height, _held(number))).save(
            folder / f"bin-images/{number:05d}.jpg", quality=90
        )
        things = {f"B{seed:04d}{number:05d}{i}": {"quantity": 1} for i in range(_held(number))}
        content = {"BIN_FCSKU_DATA": things, "EXPECTED_QUANTITY": _held(number)}
        (folder / f"metadata/{number:05d}.json").write_text(json.dumps(content, indent=4))

    numbers = range(1, images + 1)
    _fill(folder, ("bin-images", "metadata"), draw, numbers)
    listed = {str(n): [f"data/metadata/{i:05d}.json" for i in numbers if _held(i) == n] for n in range(1, 6)}
    (folder / FILE_LIST).write_text(json.dumps({count: files for count, files in listed.items() if files}))


def _plates(folder: Path, images: int, seed: int) -> None:
    """images/ and masks/ of plates, every second one with a defect."""

    def draw(number: int) -> None:
        broken = bool(number % 2)
        rng = np.random.default_rng([seed, int(broken), number])
        width, height = PLATE_SIZES[rng.integers(len(PLATE_SIZES))]
        picture, mask = plate(rng, width, height, broken=broken)
        Image.fromarray(picture).save(folder / f"images/{number:04d}.jpg", quality=92)
        Image.fromarray(mask).save(folder / f"masks/{number:04d}.png")

    _fill(folder, ("images", "masks"), draw, range(1, images + 1))


def _steel(folder: Path, images: int, seed: int) -> None:
    """IMAGES/ and ANNOTATIONS/ of steel strip, each with one or two defects."""

    def draw(number: int) -> None:
        picture, found = steel.strip(np.random.default_rng([seed, number]))
        name = f"steel_{number}.jpg"
        Image.fromarray(picture).save(folder / "IMAGES" / name, quality=92)
        (folder / "ANNOTATIONS" / name).with_suffix(".xml").write_bytes(steel.annotation(name, found))

    _fill(folder, ("IMAGES", "ANNOTATIONS"), draw, range(1, images + 1))


def _fill(folder: Path, names: Sequence[str], draw: Callable[[int], None], numbers: range) -> None:
    """Make the folders `names` in `folder`, and draw what the numbers stand for, some beside each other."""
    for name in names:
        (folder / name).mkdir()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(draw, numbers))


def _held(number: int) -> int:
    """How many objects the bin of a number holds."""
    return 1 + number % 5


def _cookie(folder: Path, seed: int, broken: bool, index: int) -> dict[str, Any]:
    """Write one photograph, with its mask if the cookie is broken; its line of the manifest."""
    rng = np.random.default_rng([seed, int(broken), index])
    width, height = SIZES[rng.integers(len(SIZES))]
    picture, gap = photograph(rng, width, height, broken=broken)
    name = f"{'anomaly' if broken else 'normal'}-{index + 1}"
    Image.fromarray(picture).save(folder / f"training-images/{name}.jpg", quality=90)
    line = _label(name, broken, index)
    if broken:
        code = BLUE if index % 6 == 5 else GREEN
        _mask(gap, code, as_palette=index % 10 != 3).save(folder / f"mask-images/{name}.png")
        cracked = {"class-name": "cracked", "hex-color": code}
        colors = {"0": cracked} if code == GREEN else {"0": _background(), "1": cracked}
        return line | _mask_reference(f"{name}.png", colors, "labeling-job/object-mask-ref", index)
    if index % 2:
        return line | _mask_reference(DUMMY_MASK, {"0": _background()}, "labeling-job/dummy-mask", index)
    return line


def _mask(gap: NDArray[np.uint8], code: str, *, as_palette: bool) -> Image.Image:
    """A mask in one colour whose alpha is the coverage; around it the colour goes on with alpha 0."""
    color = [int(code[i : i + 2], 16) for i in (1, 3, 5)]
    fringe = blurred(gap.astype(np.float32) / 255, 2) > 0
    if as_palette:
        mask = Image.fromarray(np.where(gap > 1, gap, fringe).astype(np.uint8), "P")
        mask.putpalette([0, 0, 0, *color * 255])
        mask.info["transparency"] = bytes([0, 0, *range(2, 256)])
        return mask
    rgba = np.zeros((*gap.shape, 4), np.uint8)
    rgba[fringe | (gap > 0), :3] = color
    rgba[..., 3] = gap
    return Image.fromarray(rgba)


def _background() -> dict[str, str]:
    return {"class-name": "BACKGROUND", "hex-color": WHITE}


def _label(name: str, broken: bool, index: int) -> dict[str, Any]:
    when = START + timedelta(seconds=97 * index)
    iso = when.isoformat(timespec="milliseconds")
    metadata: dict[str, Any] = {
        "job-name": "anomaly-label" if broken else "labeling-job/auto-label",
        "class-name": "anomaly" if broken else "normal",
        "human-annotated": "yes",
        "creation-date": f"{iso}Z" if broken else iso,
        "type": "groundtruth/image-classification",
    }
    if not broken:
        metadata = {"confidence": 1} | metadata
    return {
        "source-ref": f"training-images/{name}.jpg",
        "anomaly-label-metadata": metadata,
        "anomaly-label": int(broken),
    }


def _mask_reference(file: str, colors: dict[str, dict[str, str]], job: str, index: int) -> dict[str, Any]:
    when = START + timedelta(seconds=97 * index + 1)
    return {
        "anomaly-mask-ref-metadata": {
            "internal-color-map": colors,
            "job-name": job,
            "human-annotated": "yes",
            "creation-date": f"{when:%a %b %d %Y %H:%M:%S} GMT+0000 (Coordinated Universal Time)",
            "type": "groundtruth/semantic-segmentation",
        },
        "anomaly-mask-ref": f"mask-images/{file}",
    }


KINDS = {
    "detection": (_cookies_with_masks, 96, MANIFEST),
    "classification": (_steel_by_class, 400, Path()),
    "counting": (_bins, 500, FILE_LIST),
    "segmentation": (_plates, 400, Path()),
    "steel": (_steel, 400, Path()),
}
"""What fills the folder, how many images by default, and where the annotations stand."""


if __name__ == "__main__":
    sys.exit(main())
