"""Training a UNet: the network, what it sees, its starting weights, keeping it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import keras
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from optml import artefact, checkpoints
from optml.environment import Environment
from optml.errors import Refusal
from optml.metrics import Registry
from training import first, keras_devices, keras_loop, keras_unet, model_folder, results
from training.mask_store import Masked
from training.run import Run
from vision import segmentation
from vision.record import Dataset

if TYPE_CHECKING:

    class Hyperparameters(keras_loop.Hyperparameters, Protocol):
        """What is read here of a program's hyperparameters."""

        @property
        def model(self) -> str: ...
        @property
        def img_size(self) -> int: ...
        @property
        def shape(self) -> str: ...
        @property
        def device(self) -> str: ...
        @property
        def pretrained(self) -> str: ...


@dataclass(frozen=True)
class Job:
    build: Callable[[], keras.Model]
    network: keras.Model
    size: tuple[int, int]
    """(width, height) of the input"""
    train: Masked
    validation: Masked


def new_run(env: Environment, hp: Hyperparameters, classes: tuple[str, ...], metrics: Registry) -> Run[Any]:
    """A run on this machine's device, its randomness fixed."""
    compute = keras_devices.prepare(hp.device, env.num_cpus, hp.seed)
    return Run(env, hp, compute, classes, checkpoints.Store(env.checkpoint_dir), metrics)


def prepare(run: Run[Hyperparameters], sets: tuple[Dataset, Dataset], shipped: Path | None = None) -> Job:
    """The network with its starting weights, and what it sees of both sets.

    `shipped` is the file of the starter that there is for the model.
    """
    hp = run.hp
    size = segmentation.input_size(sets[0], hp.img_size, hp.shape)

    def build() -> keras.Model:
        return keras_unet.build(hp.model, size, len(run.classes))

    network = build()
    source, state = _start(run, shipped)
    first.told(source, len(state), *keras_unet.load_state(network, state))
    train, validation = (
        Masked(run.env.scratch_dir / role, part, size, threads=run.env.num_cpus)
        for role, part in zip(("train", "validation"), sets, strict=True)
    )
    return Job(build, network, size, train, validation)


def fit(run: Run[Hyperparameters], job: Job, scores: keras_loop.Scores, main: str, save: Callable[[], None]) -> None:
    """Train and save the best epoch, that of a run that is told to stop too."""
    width, height = job.size
    print(f"training {run.hp.model} at {width}x{height} on {run.compute}, {run.env.num_cpus} CPUs", flush=True)
    with results.kept(run, save), keras_devices.memory_checked(run.hp.batch_size, run.hp.img_size):
        keras_loop.fit(run, job.build, job.network, job.train, job.validation, scores, main)


def save_model(run: Run[Hyperparameters], job: Job, **details: Any) -> None:
    """Write the network as it is, and its metadata with the program's own `details`."""
    state = keras_unet.state(job.network)
    header = {"architecture": run.hp.model, "classes": json.dumps(run.classes)}
    artefact.save(
        run.env.model_dir,
        {model_folder.WEIGHTS: model_folder.writer(save_file, state, header)},
        results.describe_model(
            run,
            "unet",
            "semantic",
            packages=("keras",),
            input_size=list(job.size),
            fit="pad",
            normalisation={"mean": [0.5] * 3, "deviation": [0.5] * 3},
            architecture=run.hp.model,
            loss=run.hp.loss,
            **details,
        ),
    )


def load_network(metadata: dict[str, Any], folder: Path) -> keras.Model:
    """The network that a model folder describes, with its weights; Refusal where they do not fit it."""
    width, height = metadata["input_size"]
    network = keras_unet.build(metadata["architecture"], (width, height), len(metadata["classes"]))
    weights = _read(folder / model_folder.WEIGHTS)
    fitted, total = keras_unet.load_state(network, weights)
    if not fitted == total == len(weights):
        raise Refusal(
            f"the weights are not those of the model that {artefact.METADATA} describes "
            f"({folder / model_folder.WEIGHTS})",
            "unpack model.tar.gz again",
        )
    return network


def _start(run: Run[Hyperparameters], shipped: Path | None) -> tuple[str, dict[str, Any]]:
    name = run.hp.model

    def channel() -> tuple[str, dict[str, Any]]:
        path = first.file_of(run.env.channel("pretrained"), run.env.scratch_dir, (".safetensors",), (".h5",))
        return f"channel `pretrained` ({path.name})", _read(path, name)

    def published() -> tuple[str, dict[str, Any]]:
        if name not in keras_unet.MOBILENETS:
            raise Refusal(f"nobody publishes weights of model={name}", f"use model={next(iter(keras_unet.MOBILENETS))}")
        return f"Keras' published {name}", first.fetched("Keras", name, lambda: keras_unet.published(name))

    return first.choose(
        run.hp.pretrained,
        run.env,
        none=lambda words: (words, {}),
        channel=channel,
        starter=(lambda: (f"Drydock's starter {shipped.name}", _read(shipped))) if shipped else None,
        published=published,
    )


def _read(path: Path, name: str = "") -> dict[str, Any]:
    """Weights by name, of a .safetensors file, or of a .h5 file that Keras publishes for the encoder of `name`."""
    if path.suffix == ".h5" and name not in keras_unet.MOBILENETS:
        raise Refusal(
            f"{path.name} is read as weights of a MobileNetV2, and model={name} has none of it",
            f"use model={next(iter(keras_unet.MOBILENETS))}, or give a .safetensors file",
        )
    try:
        return keras_unet.from_h5(name, str(path)) if path.suffix == ".h5" else load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise Refusal(
            f"{path.name} holds no weights that can be read: {reason}",
            "give a .safetensors file that a job wrote, or the .h5 file without top that Keras publishes",
        ) from error
