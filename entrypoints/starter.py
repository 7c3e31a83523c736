"""The recipe of the starter weights: made-up scenes, then `yolo.py train` from random weights, then half precision.

    make starter-weights            (or: python entrypoints/starter.py --images 8000 --epochs 8)

Writes weights/yolov8n-seg.safetensors, 7 MB, which every yolov8n job starts from. An hour on two cores that compute in
bfloat16; minutes on a GPU. Its data is `vision.surfaces`, which draws no cookies.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE / "weights" / "yolov8n-seg.safetensors"
SETTINGS = {
    "task": "segment",
    "model-size": "yolov8n",
    "img-size": "256",
    "batch-size": "16",
    "learning-rate": "0.002",
    "mosaic": "0.2",
    "pretrained": "none",
}


def main() -> int:
    options = _parse()
    with tempfile.TemporaryDirectory(prefix="starter-") as folder:
        base = Path(folder)
        channel = base / "input" / "data" / "train"
        _run("-m", "vision.surfaces", str(channel), "--images", str(options.images), "--seed", str(options.seed))
        config = base / "input" / "config"
        config.mkdir()
        hyperparameters = SETTINGS | {"epochs": str(options.epochs), "seed": str(options.seed)}
        (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
        for name in ("model", "output", "checkpoints"):
            (base / name).mkdir()
        _run(str(HERE / "yolo.py"), "train", SAGEMAKER_BASE_DIR=folder)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(base / "model" / "model.safetensors", options.out)
        print((base / "output" / "data" / "metrics.json").read_text())
    print(f"{options.out} ({options.out.stat().st_size / 1e6:.1f} MB)")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the starter weights from made-up scenes.")
    parser.add_argument("--images", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    return parser.parse_args()


def _run(*arguments: str, **environ: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, cwd=HERE, env=os.environ | environ)


if __name__ == "__main__":
    sys.exit(main())
