"""Going on from a checkpoint: what is written beside its files, and what a job must share with the one that made it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from optml.checkpoints import Checkpoint
from optml.errors import Refusal
from training.run import Run

FREE = frozenset({"epochs", "patience", "device", "precision", "manifest"})
"""Hyperparameters that may change between a run and its resumption, and then have their effect."""


def save(run: Run[Any], epochs: int, files: Iterable[Path], step: int | None = None) -> None:
    """Keep those of `files` that exist as the checkpoint after `epochs` epochs; its step where it is another number."""
    run.store.save(
        epochs if step is None else step,
        {path.name: copier(path) for path in files if path.is_file()},
        epoch=epochs,
        extra={"hyperparameters": run.settings, "classes": list(run.classes)},
    )


def restore(checkpoint: Checkpoint, run: Run[Any], files: Iterable[Path], free: Collection[str] = FREE) -> None:
    """Put what a checkpoint holds of `files` back in place.

    Refusal where it was made with other classes, or with another value of a hyperparameter that is not `free`.
    """
    before = checkpoint.extra["hyperparameters"]
    for name, value in run.settings.items():
        if name not in free and before.get(name) != value:
            raise Refusal(
                f"the checkpoint was made with {name.replace('_', '-')}={before.get(name)}, this job asks for {value}",
                "resume with the same value, or start afresh with another checkpoint location",
            )
    if checkpoint.extra["classes"] != list(run.classes):
        raise Refusal(
            f"the checkpoint knows the classes {checkpoint.extra['classes']}, the data has {list(run.classes)}",
            "resume with the same data, or start afresh with another checkpoint location",
        )
    for path in files:
        if (checkpoint.path / path.name).is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(checkpoint.path / path.name, path)


def copier(source: Path) -> Callable[[Path], None]:
    """A writer for the checkpoint store and the model folder."""

    def write(target: Path) -> None:
        shutil.copyfile(source, target)

    return write
