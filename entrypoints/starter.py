"""The recipes of the starter weights: made-up images, then `PROGRAM train` from random weights, then half precision.

    make starter-weights PROGRAM=yolo      (or: python entrypoints/starter.py yolo --images 8000 --epochs 8)

Writes a file of weights/, which jobs of that program and model start from. On two cores YOLO's takes an hour, in
bfloat16, and that of SSDLite a quarter of an hour; on a GPU minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAID = ("classes", "input_size", "anchors")
"""What the header of a file takes over from metadata.json, as JSON, where that says it."""


@dataclass(frozen=True)
class Recipe:
    file: str
    """In weights/."""
    data: str
    """The module that draws the images: `python -m DATA FOLDER --images N --seed SEED`, maybe with more before."""
    images: int
    """How many, those held out among them."""
    epochs: int
    settings: Mapping[str, str]
    """Hyperparameters of the program."""
    program: str = ""
    """The program, where the recipe is not called like it."""


def _unet(model: str) -> Recipe:
    return Recipe(
        program="unet",
        file=f"{model}.safetensors",
        data="vision.surfaces --masks --size 256",
        images=2400,
        epochs=5,
        settings={"model": model, "img-size": "192", "batch-size": "8", "image-score": "head"},
    )


RECIPES = {
    "yolo": Recipe(
        file="yolov8n-seg.safetensors",
        data="vision.surfaces",
        images=8000,
        epochs=8,
        settings={
            "task": "segment",
            "model-size": "yolov8n",
            "img-size": "256",
            "batch-size": "16",
            "learning-rate": "0.002",
            "mosaic": "0.2",
        },
    ),
    "unet": _unet("plain"),
    "unet-mobilenetv2": _unet("mobilenetv2_035"),
    "ssd": Recipe(
        file="ssdlite320_mobilenet_v3_large.safetensors",
        data="vision.defects",
        images=3000,
        epochs=6,
        settings={
            "model": "ssdlite320_mobilenet_v3_large",
            "img-size": "128",
            "batch-size": "16",
            "learning-rate": "0.002",
            "validation-fraction": "0.05",
        },
    ),
    "classification": Recipe(
        file="efficientnet_b0.safetensors",
        data="vision.defects --labels",
        images=7200,
        epochs=16,
        settings={
            "model": "efficientnet_b0",
            "img-size": "64",
            "batch-size": "32",
            "learning-rate": "0.002",
            "augmentation": "light",
            "validation-fraction": "0.05",
        },
    ),
}
"""By program, or by program and model."""


def main() -> int:
    options = _parse()
    recipe = RECIPES[options.program]
    out = options.out or HERE / "weights" / recipe.file
    with tempfile.TemporaryDirectory(prefix="starter-") as folder:
        base = Path(folder)
        channel = base / "input" / "data" / "train"
        images, seed = str(options.images or recipe.images), str(options.seed)
        _run("-m", *recipe.data.split(), str(channel), "--images", images, "--seed", seed)
        config = base / "input" / "config"
        config.mkdir()
        epochs = str(options.epochs or recipe.epochs)
        hyperparameters = {**recipe.settings, "pretrained": "none", "epochs": epochs, "seed": seed}
        (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
        for name in ("model", "output", "checkpoints"):
            (base / name).mkdir()
        _run(str(HERE / f"{recipe.program or options.program}.py"), "train", SAGEMAKER_BASE_DIR=folder)
        write(base / "model", out)
        print((base / "output" / "data" / "metrics.json").read_text())
    print(f"{out} ({out.stat().st_size / 1e6:.1f} MB)")
    return 0


def write(folder: Path, out: Path) -> None:
    """The weights of a trained model folder as a starter: in half precision, with a header that says `SAID` of it."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    weights = load_file(folder / "model.safetensors")
    halves = {
        name: values.astype(np.float16) if np.issubdtype(values.dtype, np.floating) else values
        for name, values in weights.items()
    }
    said = {name: json.dumps(metadata[name]) for name in SAID if metadata.get(name) is not None}
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(halves, out, {"architecture": metadata["architecture"], **said})
    out.chmod(0o644)  # who runs an image that it is built into may be anyone


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train starter weights from made-up images.")
    parser.add_argument("program", nargs="?", default="yolo", choices=tuple(RECIPES))
    parser.add_argument("--images", type=int, help="default: the recipe's")
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="file; default: the recipe's, in weights/")
    return parser.parse_args()


def _run(*arguments: str, **environ: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, cwd=HERE, env=os.environ | environ)


if __name__ == "__main__":
    sys.exit(main())
