"""5-fold cross-validation of the YOLO program on real photographs, beside the same settings from random weights.

    make folds DATA=<template.manifest>

Each fold trains on four fifths and is scored on the fifth that it never saw, with the weights of the *last* epoch:
nothing is chosen by looking at the held-out photographs. Folds are stratified and fixed by the seed. The settings
stand in SETTINGS; `make train-local DATA=… EPOCHS=80 IMG_SIZE=448` uses the same.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev

from local import environments
from tests.support.job import Job
from vision import formats, splits
from vision.formats import yolo_folder
from vision.record import Dataset

FOLDS = 5
FOLD_TIMEOUT_S = 3600
STUDENT_T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
SETTINGS = {"img-size": "448", "epochs": "80", "batch-size": "8", "patience": "0"}


def main() -> int:
    options = _parse()
    manifest = options.manifest.resolve()
    dataset = formats.load(formats.common_root(manifest), prefer=manifest.name)
    folds = splits.k_folds(dataset, options.folds, seed=0)
    for pretrained in options.pretrained.split(","):
        scores, minutes = [], []
        for number, (train, held_out) in enumerate(folds, start=1):
            if options.only and number not in options.only:
                continue
            started = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="fold-") as folder:
                settings = {"pretrained": pretrained, "task": options.task, **_settings(options)}
                scores.append(_train(Path(folder), train, held_out, settings))
            minutes.append((time.monotonic() - started) / 60)
            print(f"pretrained={pretrained} fold {number}: mAP50 {scores[-1]:.3f} ({minutes[-1]:.1f} min)", flush=True)
        print(f"pretrained={pretrained}: {_interval(scores)}, {max(minutes):.1f} min for the longest fold", flush=True)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Cross-validate the YOLO program on real photographs.")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--task", default="detect", choices=("detect", "segment"))
    parser.add_argument("--pretrained", default="starter,none", help="comma-separated")
    parser.add_argument("--folds", type=int, default=FOLDS)
    parser.add_argument("--only", type=int, nargs="+", default=[], metavar="N", help="run these folds only, from 1")
    parser.add_argument("--hp", action="append", default=[], metavar="NAME=VALUE")
    return parser.parse_args()


def _settings(options: argparse.Namespace) -> dict[str, str]:
    return SETTINGS | dict(pair.split("=", 1) for pair in options.hp)


def _train(base: Path, train: Dataset, held_out: Dataset, hyperparameters: Mapping[str, str]) -> float:
    """Box mAP50 of the last epoch on the held-out fold."""
    job = Job(base, environments.ensure("pytorch"))
    yolo_folder.save(base / "input" / "data" / "train", train, held_out, polygons=True)
    job.configure(**hyperparameters)
    done = job.run(timeout_s=FOLD_TIMEOUT_S)
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-4000:])
    return float(json.loads(job.output("metrics.json").read_text())["last"]["validation:mAP50"])


def _interval(scores: list[float]) -> str:
    """Mean and 95 % interval of the mean by Student's t."""
    if len(scores) < 2:
        return f"mAP50 {mean(scores):.3f}"
    half = STUDENT_T_95[len(scores)] * stdev(scores) / math.sqrt(len(scores))
    return f"mAP50 {mean(scores):.3f} ± {half:.3f} (95 % interval of the mean over {len(scores)} folds)"


if __name__ == "__main__":
    sys.exit(main())
