"""How Ultralytics is set up for a run: its surroundings and every one of its settings. Imports nothing of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from training.run import Run

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    class Hyperparameters(DataclassInstance, Protocol):
        """What is read here of a program's hyperparameters."""

        @property
        def task(self) -> str: ...
        @property
        def epochs(self) -> int: ...
        @property
        def batch_size(self) -> int: ...
        @property
        def img_size(self) -> int: ...
        @property
        def learning_rate(self) -> float: ...
        @property
        def mosaic(self) -> float: ...
        @property
        def seed(self) -> int: ...
        @property
        def patience(self) -> int: ...
        @property
        def architecture(self) -> str: ...


NMS_IOU = 0.4
"""Above it the lower of two predictions is dropped; below Ultralytics' 0.7, since defects seldom overlap."""


def isolate(scratch: Path, *, offline: bool) -> None:
    """Keep Ultralytics from fetching fonts, installing packages and calling home.

    Must run before the first import of ultralytics: it reads these variables at import.
    """
    import matplotlib

    config = scratch / "ultralytics"
    config.mkdir(parents=True, exist_ok=True)
    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        shutil.copyfile(font, config / name)
    os.environ.update(
        YOLO_CONFIG_DIR=str(config), YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false", YOLO_OFFLINE=str(offline).lower()
    )


def kept_files(folder: Path) -> tuple[Path, ...]:
    """What a checkpoint holds, as Ultralytics places it below its run folder: the last epoch, the best, the table."""
    return (folder / "weights" / "last.pt", folder / "weights" / "best.pt", folder / "results.csv")


def file_stem(architecture: str, task: str) -> str:
    """What Ultralytics' model and weights files of an architecture are called, without their suffix."""
    return f"{architecture}-seg" if task == "segment" else architecture


def settings(run: Run[Hyperparameters], data_yaml: Path, *, resume: bool) -> dict[str, Any]:
    """Ultralytics' settings, each decided here: nothing is left to its `auto`. Those of `complete` come after."""
    hp, on_cpu = run.hp, run.compute.device == "cpu"
    return {
        "model": f"{file_stem(hp.architecture, hp.task)}.yaml",
        "task": hp.task,
        "data": str(data_yaml),
        "batch": hp.batch_size,
        "nbs": hp.batch_size,  # one optimiser step a batch
        "imgsz": hp.img_size,
        "optimizer": "AdamW",  # `auto` would override the learning rate
        "lr0": hp.learning_rate,
        "lrf": 0.01,
        "cos_lr": True,
        "momentum": 0.9,
        "weight_decay": 0.01,
        "warmup_epochs": 1.0,
        "warmup_bias_lr": 0.0,
        "mosaic": hp.mosaic,
        "close_mosaic": max(1, hp.epochs // 4),
        "iou": NMS_IOU,
        "flipud": 0.5,  # parts on a belt have no up
        "scale": 0.3,
        "hsv_h": 0.05,
        "hsv_s": 0.5,
        "hsv_v": 0.3,
        "seed": hp.seed,
        "patience": hp.patience or 10**6,
        "device": "cpu" if on_cpu else "0",
        "workers": 0 if on_cpu else min(8, run.env.num_cpus),
        "cache": False,
        "pretrained": False,
        "plots": False,
        "verbose": False,
        "deterministic": True,
        "resume": str(kept_files(run.folder)[0]) if resume else False,
        "save_dir": str(run.folder),
        "exist_ok": True,
    }


def complete(trainer: Any, run: Run[Hyperparameters]) -> None:
    """The settings that a resumed run may change, though Ultralytics takes them from the checkpoint, with a warning.

    It reads both when training begins, so they are set on the trainer itself.
    """
    in_bfloat16 = run.compute.half and run.compute.device != "cpu"
    trainer.args.epochs = trainer.epochs = run.hp.epochs
    trainer.args.amp = "bf16" if in_bfloat16 else False  # True would fetch a model to test
