"""`make bench-train`: how fast programs train beside the usual way, same data, model, batch, precision and machine.

    make bench-train DATA=<folder that holds neu-det/ and cookie/>

Classification beside torchvision's references (ImageFolder, PIL, transforms, a DataLoader, a plain loop), YOLO beside
Ultralytics' own command line. The sides of a pair run in turns, each in a process of its own, in float32; epochs are
timed from outside, each with its evaluation and its checkpoint.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from local import environments
from tests.bench import train_data
from tests.bench.epochs import Timed, table, timed
from tests.support.emulator import ROOT
from tests.support.job import Job

REFERENCE = Path(__file__).parent / "clients" / "torchvision_reference.py"
OURS = "Drydock"
SEED = "0"

Train = Callable[[Path], Timed]
"""Trains in a folder, which is new."""


def main() -> int:
    options = parse()
    python = environments.ensure("pytorch")
    pairs = {
        "classification": (train_data.folders, "neu-det", classification),
        "yolo": (train_data.objects, "cookie", yolo),
    }
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-train-") as folder:
        for name in options.only:
            read, source, pair = pairs[name]
            place = Path(folder) / name
            place.mkdir()
            data = read(options.data / source, place / "data", python, options.images)
            title, sides = pair(python, data.folder, options)
            print(f"\n{title}, {data.said}, {options.epochs} epochs, {options.rounds} rounds in turn", flush=True)
            compare(sides, place, options.rounds)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time trainings beside the usual way.")
    real = Path(os.environ.get("DRYDOCK_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("data", nargs="?", type=Path, default=real, help="holds neu-det/ and cookie/")
    parser.add_argument("--only", nargs="+", default=["classification", "yolo"], choices=("classification", "yolo"))
    parser.add_argument("--epochs", type=int, default=4, help="two or more")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--images", type=int, help="at most so many")
    return parser.parse_args()


def compare(sides: Mapping[str, Train], place: Path, rounds: int) -> None:
    """Run the sides in turn, ours first, and print the table of ours against each other one."""
    runs: dict[str, list[Timed]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, train in sides.items():
            folder = place / f"{number}-{name.replace(' ', '-')}"
            folder.mkdir()
            runs[name].append(train(folder))
    ours, *others = sides
    for name in others:
        print("\n".join(table((ours, name), runs)), flush=True)
    print(f"load {os.getloadavg()[0]:.1f}", flush=True)


def classification(python: Path, data: Path, options: argparse.Namespace) -> tuple[str, dict[str, Train]]:
    """MobileNetV3-small by `classification.py` and by a loop as torchvision's references have it."""
    settings = {"model": "mobilenet_v3_small", "img-size": "224", "batch-size": "32", "epochs": str(options.epochs)}
    cores = str(len(os.sched_getaffinity(0)))

    def theirs(folder: Path) -> Timed:
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        command = [python, REFERENCE, data, folder, *words, "--workers", cores, "--threads", cores]
        return timed(command, folder / "log", options.epochs)

    channels = {"train": data / "train", "validation": data / "validation"}
    ours = ours_of(python, "classification.py", channels, options, **settings, augmentation="light")
    return "mobilenet_v3_small at 224 px, batches of 32", {OURS: ours, "torchvision": theirs}


def yolo(python: Path, data: Path, options: argparse.Namespace) -> tuple[str, dict[str, Train]]:
    """YOLOv8n by `yolo.py` and by `yolo detect train`, from random weights, with mosaics but for the last epochs."""
    ours = ours_of(
        python, "yolo.py", {"train": data}, options,
        **{"model-size": "yolov8n", "img-size": "320", "batch-size": "8", "epochs": str(options.epochs)},
    )  # fmt: skip

    words = {
        "data": data / "data.yaml", "model": "yolov8n.yaml", "pretrained": False, "imgsz": 320, "batch": 8, "nbs": 8,
        "epochs": options.epochs, "close_mosaic": max(1, options.epochs // 4), "amp": False, "device": "cpu",
        "optimizer": "AdamW", "lr0": 0.001, "seed": SEED, "plots": False, "name": "run", "exist_ok": True,
    }  # fmt: skip

    def theirs(folder: Path) -> Timed:
        settings = [f"{name}={value}" for name, value in (words | {"project": folder}).items()]
        rows = folder / "run" / "results.csv"

        def over(_log: str) -> int:
            return rows.read_text().count("\n") - 1 if rows.is_file() else 0

        command = [python.parent / "yolo", "detect", "train", *settings]
        return timed(command, folder / "log", options.epochs, over, **offline(folder))

    return "YOLOv8n at 320 px, batches of 8", {OURS: ours, "Ultralytics": theirs}


def offline(folder: Path) -> dict[str, str]:
    """What keeps Ultralytics' command line from fetching, installing and calling home."""
    config = folder / "settings"
    config.mkdir()
    return {"YOLO_CONFIG_DIR": str(config), "YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true"}


def ours_of(
    python: Path, program: str, channels: Mapping[str, Path], options: argparse.Namespace, **hyperparameters: str
) -> Train:
    """A program of ours on these channels, from random weights in float32."""

    def train(folder: Path) -> Timed:
        job = Job(folder / "ml", python, program)
        for name, content in channels.items():
            job.channel(name, content)
        job.configure(**hyperparameters, pretrained="none", precision="fp32", seed=SEED, patience="0")
        return timed([*job.command, "train"], folder / "log", options.epochs, SAGEMAKER_BASE_DIR=str(job.base))

    return train


if __name__ == "__main__":
    sys.exit(main())
