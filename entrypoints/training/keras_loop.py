"""A small training loop in Keras: AdamW, one cosine, averaged weights, checkpoints, the best epoch kept.

A run that goes on from a checkpoint, also one from the middle of an epoch, ends with the weights of one that was never
interrupted (same machine, same hyperparameters).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from optml.program import Stopped, leave_if_stopped
from training import keras_losses, keras_unet, results, resume
from training.averaging import SHARE, averaging
from training.keras_state import Said, State
from training.mask_store import Masked
from training.pace import Pace
from training.run import Run
from training.schedule import learning_rate
from vision import mask_scores
from vision.mask_scores import Tally

if TYPE_CHECKING:
    from training.run import Looped

    class Hyperparameters(Looped, Protocol):
        """What is read here of a program's hyperparameters."""

        @property
        def loss(self) -> str: ...
        @property
        def augmentation(self) -> str: ...
        @property
        def balance(self) -> bool: ...


SAVE_EVERY_S = 60.0
"""An epoch that takes longer is saved in its middle too."""
LAST = "last.safetensors"
FILES = (LAST, results.BEST, "results.csv")
"""What a checkpoint holds, below the run's folder."""


@dataclass(frozen=True)
class Found:
    """What a network says of a data set, in pixels of its input."""

    tally: Tally
    head: NDArray[np.float64]
    """(N,) how likely something is wrong with the image, by the head for the whole"""
    pixels: NDArray[np.float64]
    """(N,) the same by the most suspicious pixels"""
    loss: float


Scores = Callable[[Found], dict[str, float]]
"""Metrics of the validation set."""


def fit(
    run: Run[Hyperparameters], build: Callable[[], keras.Model], network: keras.Model,
    train: Masked, validation: Masked, scores: Scores, main: str,
) -> None:  # fmt: skip
    """Train until `epochs` are over or patience runs out, from the newest checkpoint if there is one.

    Afterwards `network` holds the averaged weights of the best epoch, that of the highest `main`. Raises Stopped at a
    batch boundary after a SIGTERM, the place kept in a checkpoint.
    """
    hp, pace = run.hp, Pace()
    run.folder.mkdir(parents=True, exist_ok=True)
    state = State(network, build(), weight_decay=hp.weight_decay, loss=hp.loss, augmentation=hp.augmentation)
    if checkpoint := run.store.newest():
        resume.restore(checkpoint, run, [run.folder / name for name in FILES])
        state.load(run.folder / LAST)
        place = state.place
        within = f", {place.batch} batches into the next," if place.batch else ""
        print(f"resuming after epoch {place.epoch}{within} from {checkpoint.path.name}", flush=True)
    place = state.place
    if place.epoch >= hp.epochs:
        print(f"all {hp.epochs} epochs are done already", flush=True)
    try:
        while place.epoch < hp.epochs and not (hp.patience and place.stale >= hp.patience):
            pace.start_epoch()
            _epoch(run, state, train, validation, scores, main, pace)
        if place.epoch < hp.epochs:
            print(f"no better epoch in the last {place.stale}: stopping", flush=True)
    except Stopped:
        if place.batch:
            _save(run, state)
        raise
    finally:
        if (run.folder / results.BEST).is_file():
            keras_unet.load_state(network, load_file(run.folder / results.BEST))


def _epoch(
    run: Run[Hyperparameters], state: State, train: Masked, validation: Masked, scores: Scores, main: str, pace: Pace
) -> None:
    _train(run, state, train, pace)
    place = state.place
    found = outputs(state.said, validation, run.hp)
    run.check_loss(found.loss, place.epoch)
    values = {"train:loss": place.loss / place.images, **scores(found), "validation:loss": found.loss}
    values["train:epoch_seconds"] = pace.seconds()
    place.next_epoch()
    if place.judge(values[main], found.loss):
        save_file(keras_unet.state(state.averaged), run.folder / results.BEST)
    results.write_row(run, place.epoch, values)
    _save(run, state)
    run.metrics.report(values, epoch=place.epoch)
    said = ", ".join(
        f"{name.partition(':')[2].replace('_', ' ')} {value:.3f}"
        for name, value in values.items()
        if name not in ("train:loss", "validation:loss", "train:epoch_seconds")
    )
    print(
        f"epoch {place.epoch}/{run.hp.epochs}: loss {values['train:loss']:.3f}, {said} ({pace.seconds():.1f} s)",
        flush=True,
    )


def _train(run: Run[Hyperparameters], state: State, train: Masked, pace: Pace) -> None:
    """What is left of a pass over the training set."""
    hp, place = run.hp, state.place
    order = train.order(hp.seed, place.epoch, balanced=hp.balance)
    batches = np.array_split(order, math.ceil(len(order) / hp.batch_size))  # of equal size
    decay, saved = averaging(len(batches), SHARE * hp.epochs), time.monotonic()
    while place.batch < len(batches):
        leave_if_stopped()
        if time.monotonic() - saved > SAVE_EVERY_S:
            _save(run, state)
            saved = time.monotonic()
        rows = batches[place.batch]
        loss = state.step(
            train.pixels[rows], train.labels[rows], train.anomalous[rows], train.draws(rows, hp.seed, place.epoch),
            rate=learning_rate(hp.learning_rate, place.updates, hp.epochs * len(batches)),
            decay=decay(place.updates + 1),
        )  # fmt: skip
        run.check_loss(loss, place.epoch)
        place.batch, place.loss, place.images = place.batch + 1, place.loss + loss * len(rows), place.images + len(rows)
        if pace.due():
            print(f"epoch {place.epoch + 1}/{hp.epochs}: batch {place.batch}/{len(batches)}", flush=True)


def _save(run: Run[Hyperparameters], state: State) -> None:
    state.save(run.folder / LAST)
    files: list[Path] = [run.folder / name for name in FILES]
    resume.save(run, state.place.epoch, files, step=state.place.updates)


def outputs(said: Said, data: Masked, hp: Any, *, stoppable: bool = True) -> Found:
    """What a network, as `keras_state.evaluated` gives it, says of every image of a data set.

    `stoppable` raises Stopped after a SIGTERM; without, also a run that was stopped gets it.
    """
    tally, head, top, total = Tally(data.classes), [], [], 0.0
    for rows in np.array_split(np.arange(len(data)), math.ceil(len(data) / hp.batch_size)):
        if stoppable:
            leave_if_stopped()
        labels = data.labels[rows]
        pixels, image = said(data.pixels[rows])
        total += float(keras_losses.total(hp.loss, pixels, image, labels, data.anomalous[rows])) * len(rows)
        for true, found in zip(labels, keras_losses.probabilities(pixels).numpy(), strict=True):
            tally.add(true, found)
            top.append(mask_scores.most(found[true != mask_scores.IGNORED]))
        head.append(tf.sigmoid(image[:, 0]).numpy().astype(np.float64))
    return Found(tally, np.concatenate(head), np.array(top), total / len(data))
