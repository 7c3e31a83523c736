"""Sample data: photographs of cookies, half of them broken, as a Lookout for Vision data set. All of it is made up.

    PYTHONPATH=entrypoints python -m vision.samples OUT --images 96 --seed 0

The layout and the manifest are those of AWS's cookie data set, quirks included: masks are palette PNGs whose entries
differ in alpha only (some are RGBA), colour maps are per line, some normals have a 16x16 white mask that does not lie
where the manifest says, dates are spelled three ways. The same seed gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from optml.errors import Refusal
from vision.cookies import photograph
from vision.tabletops import blurred

SIZES = ((384, 512), (384, 512), (360, 480), (420, 560), (512, 384))  # width, height in pixels
GREEN, BLUE, WHITE = "#23A436", "#1F77B4", "#ffffff"
MANIFEST = Path("manifests", "template.manifest")
DUMMY_MASK = "dummy_anomaly_mask.png"
START = datetime(2026, 1, 5, 9, 0, 0, 851000)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vision.samples", description="Write generated cookie photographs.")
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--images", type=int, default=96, help="how many photographs, half of them broken cookies")
    parser.add_argument("--seed", type=int, default=0, help="other seeds, other cookies")
    arguments = parser.parse_args(argv)
    try:
        print(write(arguments.out, arguments.images, arguments.seed))
    except Refusal as refusal:
        print(f"error: {refusal}\n\nhint: {refusal.hint}", file=sys.stderr)
        return 2
    return 0


def write(out: Path, images: int = 96, seed: int = 0) -> Path:
    """Make the folder `out` with the data set and give its manifest; the folder appears only when it is complete."""
    if images < 2 or seed < 0:
        raise Refusal(f"{images} images with seed {seed}", "ask for 2 images or more and a seed of 0 or more")
    if out.exists():
        raise Refusal(f"{out} exists already", "name another folder, or remove it first")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        _write(partial, images, seed)
        partial.chmod(0o755)
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return out / MANIFEST


def _write(folder: Path, images: int, seed: int) -> None:
    for name in ("training-images", "mask-images", "manifests"):
        (folder / name).mkdir()
    Image.new("RGB", (16, 16), WHITE).save(folder / DUMMY_MASK)
    broken = (images + 1) // 2
    cookies = [(True, i) for i in range(broken)] + [(False, i) for i in range(images - broken)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        lines = list(pool.map(lambda cookie: _cookie(folder, seed, *cookie), cookies))
    (folder / MANIFEST).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


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


if __name__ == "__main__":
    sys.exit(main())
