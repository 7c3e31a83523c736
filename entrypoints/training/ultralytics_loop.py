"""What happens while Ultralytics trains: metric lines, checkpoints, stopping, bfloat16. Imports nothing of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optml.metrics import Registry
from optml.program import leave_if_stopped
from training import resume
from training.averaging import averaging
from training.results import main_score
from training.run import Run
from training.ultralytics_setup import kept_files

if TYPE_CHECKING:
    from training.ultralytics_setup import Hyperparameters

LOSSES = ("box_loss", "cls_loss", "dfl_loss", "seg_loss", "sem_loss", "l1_loss")


def declare_losses(metrics: Registry) -> None:
    """The losses of Ultralytics' models, of which each has some."""
    for name in LOSSES:
        metrics.metric(f"train:{name}", f"mean {name.replace('_', ' ')} over the epoch")
        metrics.metric(f"validation:{name}", f"{name.replace('_', ' ')} on the validation set")


def attach(trainer: Any, run: Run[Hyperparameters]) -> None:
    """Metric lines, checkpoints and stopping, as callbacks of Ultralytics' trainer."""
    import torch

    from training.pace import Pace

    pace = Pace()

    def on_train_start(trainer: Any) -> None:
        trainer.ema.decay = averaging(len(trainer.train_loader))
        torch.set_num_threads(run.env.num_cpus)  # Ultralytics leaves one core idle
        if run.compute.half and run.compute.device == "cpu":
            run_forward_in_bfloat16(trainer.model)
        print(f"training {run.hp.architecture} ({run.hp.task}) on {run.compute}, {run.env.num_cpus} CPUs", flush=True)

    def on_train_epoch_start(trainer: Any) -> None:
        leave_if_stopped()
        trainer._oom_retries = 3  # out of memory is an error to report, not a reason to halve the batch in silence
        pace.start_epoch()

    def on_train_batch_end(trainer: Any) -> None:
        leave_if_stopped()
        if pace.due():
            print(
                f"epoch {trainer.epoch + 1}/{trainer.epochs}: batch {pace.batches}/{len(trainer.train_loader)}",
                flush=True,
            )

    def on_model_save(trainer: Any) -> None:
        resume.save(run, trainer.epoch + 1, kept_files(run.folder))

    def on_fit_epoch_end(trainer: Any) -> None:
        values = epoch_metrics(trainer) | {"train:epoch_seconds": pace.seconds()}
        run.metrics.report(values, epoch=trainer.epoch + 1)
        print(epoch_line(trainer, values), flush=True)

    for callback in (on_train_start, on_train_epoch_start, on_train_batch_end, on_model_save, on_fit_epoch_end):
        trainer.add_callback(callback.__name__, callback)


def epoch_metrics(trainer: Any) -> dict[str, float]:
    """Ultralytics' names (`metrics/mAP50(B)`, `val/box_loss`) as ours."""
    values = {f"train:{name}": float(value) for name, value in (trainer.tloss or {}).items() if name in LOSSES}
    for key, value in trainer.metrics.items():
        group, name = key.split("/", 1)
        if group == "val" and name in LOSSES:
            values[f"validation:{name}"] = float(value)
        elif match := re.fullmatch(r"(.+)\((B|M)\)", name):
            values[f"validation:{'mask_' if match[2] == 'M' else ''}{match[1]}"] = float(value)
    return values


def epoch_line(trainer: Any, values: Mapping[str, float]) -> str:
    """The epoch in words, for whoever reads the log."""
    loss = sum(value for name, value in values.items() if name.startswith("train:") and name.endswith("loss"))
    return (
        f"epoch {trainer.epoch + 1}/{trainer.epochs}: loss {loss:.3f}, mAP50 {main_score(values):.3f}, "
        f"mAP50-95 {main_score(values, 'mAP50-95'):.3f} ({values['train:epoch_seconds']:.1f} s)"
    )


def run_forward_in_bfloat16(model: Any) -> None:
    """Let the CPU compute the forward pass of `model` in bfloat16; loss and weights stay float32.

    Twice the images per second where the hardware has it. Only the live model is changed, never the averaged copy
    that is validated and saved.
    """
    import torch

    from training import devices

    forward = model._predict_once

    def predict_once(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return devices.in_float32(forward(*args, **kwargs))

    model._predict_once = predict_once
