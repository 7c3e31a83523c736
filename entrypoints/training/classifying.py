"""What the programs that give an image one class share: the network, what it sees, training it, keeping it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from safetensors.torch import save_file

from optml import artefact
from training import backbones, devices, loop, model_folder, results, starter, weights
from training.image_store import Features, Images
from training.labels import Labelled, Labelling, Objective
from training.run import Run
from vision import classification
from vision.record import Dataset

if TYPE_CHECKING:
    from training.run import Looped

    class Hyperparameters(Looped, Protocol):
        """What is read here of a program's hyperparameters."""

        @property
        def model(self) -> str: ...
        @property
        def img_size(self) -> int: ...
        @property
        def fit(self) -> str: ...
        @property
        def augmentation(self) -> str: ...
        @property
        def freeze(self) -> bool: ...
        @property
        def device(self) -> str: ...
        @property
        def precision(self) -> str: ...
        @property
        def pretrained(self) -> str: ...


@dataclass(frozen=True)
class Job:
    network: torch.nn.Module
    trained: torch.nn.Module
    """The network, or its head where the backbone is frozen."""
    train: Labelled
    validation: Labelled


def prepare(
    run: Run[Hyperparameters], network: torch.nn.Module, sets: tuple[Dataset, Dataset], shipped: Path | None = None
) -> Job:
    """The network with its starting weights, on the device, and what it, or only its head, sees of both sets.

    `shipped` is the file of the starter that there is for the model.
    """
    hp, device = run.hp, run.compute.device
    source, state = weights.start(
        hp.pretrained,
        run.env,
        starter=(lambda: starter.headless(shipped, network)) if shipped else None,
        published=lambda: backbones.published(hp.model, run.env.scratch_dir),
    )
    weights.load_some(network, source, state)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    backbone, head = backbones.parts(network)
    data = []
    for role, part in zip(("train", "validation"), sets, strict=True):
        seen = Images(
            run.env.scratch_dir / f"{role}.rgb", part, hp.img_size, hp.fit, threads=run.env.num_cpus,
            device=device, seed=hp.seed, augmentation=hp.augmentation,
        )  # fmt: skip
        inputs = Features(seen, backbone, hp.batch_size) if hp.freeze else seen
        data.append(Labelled(inputs, np.array(classification.labels(part))))
    return Job(network, head if hp.freeze else network, *data)


def fit(run: Run[Hyperparameters], job: Job, goal: Objective, save: Callable[[], None]) -> None:
    """Train and save the best epoch, that of a run that is told to stop too."""
    part = " (its head only)" if run.hp.freeze else ""
    print(f"training {run.hp.model}{part} on {run.compute}, {run.env.num_cpus} CPUs", flush=True)
    with results.kept(run, save), devices.memory_checked(run.hp.batch_size, run.hp.img_size):
        loop.fit(run, job.trained, Labelling(run, job.train, job.validation, goal))


def save_model(run: Run[Hyperparameters], job: Job, program: str, task: str, **details: Any) -> None:
    """Write the network as it is, and its metadata with the program's own `details`."""
    state = {name: value.contiguous().cpu() for name, value in job.network.state_dict().items()}
    header = {"architecture": run.hp.model, "classes": json.dumps(run.classes)}
    artefact.save(
        run.env.model_dir,
        {model_folder.WEIGHTS: model_folder.writer(save_file, state, header)},
        results.describe_model(
            run,
            program,
            task,
            packages=("torch", "torchvision"),
            input_size=[run.hp.img_size, run.hp.img_size],
            fit=run.hp.fit,
            normalisation={"mean": backbones.MEAN, "deviation": backbones.DEVIATION},
            architecture=run.hp.model,
            **details,
        ),
    )
