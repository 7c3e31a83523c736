"""A training job of one of torchvision's detectors: the network, what it sees, training it, keeping it, loading it."""

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
from optml.errors import Refusal
from training import backbones, detectors, devices, first, loop, model_folder, results, ssd_head, starter, weights
from training.detecting import Detecting, Detector
from training.run import Run
from training.scenes import Scenes
from vision import anchors, transforms
from vision.record import Dataset

if TYPE_CHECKING:
    from training.run import Looped

    class Hyperparameters(Looped, Protocol):
        """What is read here of a program's hyperparameters."""

        @property
        def model(self) -> str: ...
        @property
        def augmentation(self) -> str: ...
        @property
        def anchors(self) -> str: ...
        @property
        def frozen_stages(self) -> int: ...
        @property
        def nms_threshold(self) -> float: ...
        @property
        def device(self) -> str: ...
        @property
        def precision(self) -> str: ...
        @property
        def pretrained(self) -> str: ...


@dataclass(frozen=True)
class Job:
    network: torch.nn.Module
    side_px: int
    anchors: list[float] | None
    work: Detecting


def prepare(run: Run[Hyperparameters], sets: tuple[Dataset, Dataset], side_px: int, shipped: Path | None = None) -> Job:
    """The network with its starting weights and anchors, on the device, and what it sees of both sets.

    `shipped` is the file of the starter that there is for the model.
    """
    hp = run.hp
    source, state = weights.start(
        hp.pretrained,
        run.env,
        starter=(lambda: _fitted(run, shipped, sets[0], side_px)) if shipped else None,
        published=lambda: backbones.published(hp.model, run.env.scratch_dir),
    )
    origin = first.origin(hp.pretrained, run.env, ships=shipped is not None)
    sizes = _anchors(run, sets[0], side_px, given=origin not in {"none", "starter"})
    network = detectors.build(hp.model, len(run.classes), side_px, sizes, hp.nms_threshold)
    weights.load_some(network, source, state)
    network.to(run.compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    seen = [
        Scenes(
            run.env.scratch_dir / f"{role}.rgb", part, side_px, threads=run.env.num_cpus, device=run.compute.device,
            seed=hp.seed, augmentation=hp.augmentation,
        )
        for role, part in zip(("train", "validation"), sets, strict=True)
    ]  # fmt: skip
    frozen = detectors.freeze(network, hp.frozen_stages)
    return Job(network, side_px, sizes, Detecting(run, seen[0], seen[1], sets[1], frozen))


def fit(run: Run[Hyperparameters], job: Job, save: Callable[[], None]) -> None:
    """Train and save the best epoch, that of a run that is told to stop too."""
    spread = f"anchors of {job.anchors[0]:.0f} to {job.anchors[-1]:.0f} px" if job.anchors else "torchvision's anchors"
    print(
        f"training {run.hp.model} at {job.side_px} px with {spread} on {run.compute}, {run.env.num_cpus} CPUs",
        flush=True,
    )
    with results.kept(run, save), devices.memory_checked(run.hp.batch_size, job.side_px):
        loop.fit(run, job.network, job.work)


def best_confidence(run: Run[Hyperparameters], job: Job) -> float:
    """The confidence of the highest mean F1 on the validation set."""
    return float(np.clip(job.work.confidence(job.network), 0.05, 0.9))


def save_model(run: Run[Hyperparameters], job: Job, program: str, confidence: float) -> None:
    """Write the network as it is, and its metadata."""
    state = {name: value.contiguous().cpu() for name, value in job.network.state_dict().items()}
    header = {"architecture": run.hp.model, "classes": json.dumps(run.classes)}
    artefact.save(
        run.env.model_dir,
        {model_folder.WEIGHTS: model_folder.writer(save_file, state, header)},
        results.describe_model(
            run,
            program,
            "detect",
            packages=("torch", "torchvision"),
            input_size=[job.side_px, job.side_px],
            letterbox={"color": list(transforms.GREY), "scale_up": True, "center": True},
            architecture=run.hp.model,
            anchors=job.anchors,
            confidence=round(confidence, 3),
            nms_iou=run.hp.nms_threshold,
        ),
    )


def load(folder: Path, metadata: dict[str, Any], device: str) -> Detector:
    """The detector of a model folder whose metadata is known."""
    sizes = _known_anchors(metadata, metadata["input_size"][0], folder / artefact.METADATA)
    network = detectors.build(
        metadata["architecture"], len(metadata["classes"]), metadata["input_size"][0], sizes, metadata["nms_iou"]
    )
    model_folder.load_weights(network, folder)
    return Detector(network, metadata, device)


def _fitted(run: Run[Hyperparameters], shipped: Path, train_set: Dataset, side_px: int) -> weights.Start:
    """The starter with a row for each class, which starts as the defect that resembles it most."""
    sizes = _known_anchors(starter.header(shipped), side_px, shipped)

    def build(classes: int) -> torch.nn.Module:
        return detectors.build(run.hp.model, classes, side_px, sizes, run.hp.nms_threshold)

    words, state = starter.fitted(shipped, build, train_set, side_px, ssd_head.ByClass, background=True)
    return f"Drydock's starter {shipped.name} ({words})", state


def _anchors(run: Run[Hyperparameters], train_set: Dataset, side_px: int, *, given: bool) -> list[float] | None:
    """Sizes of anchors in pixels of the input; None for torchvision's own.

    With weights that the user gave, theirs; the starter's objects may be of other sizes than those of the data.
    """
    wanted = run.hp.anchors
    if wanted == "auto" and given:
        for folder in (run.env.channels.get("pretrained"), run.env.scratch_dir / "pretrained"):
            path = folder / artefact.METADATA if folder else None
            if path and path.is_file():
                return _known_anchors(json.loads(path.read_text(encoding="utf-8")), side_px, path)
        return None
    if wanted == "standard":
        return None
    if detectors.is_single_shot(run.hp.model):
        return anchors.grid_sizes(train_set, side_px, detectors.grids(run.hp.model, side_px))
    return anchors.sizes(train_set, side_px, detectors.anchor_count(run.hp.model))


def _known_anchors(metadata: dict[str, Any], side_px: int, path: Path) -> list[float] | None:
    """The anchors of a trained model, for an input of another size too."""
    found, architecture = metadata.get("anchors"), str(metadata.get("architecture"))
    if found is None:
        return None
    if (
        not isinstance(found, list)
        or len(found) != detectors.anchor_count(architecture)
        or any(not isinstance(size, int | float) or isinstance(size, bool) or size <= 0 for size in found)
    ):
        raise Refusal(f'"anchors" is not one that a model can have ({path})', "unpack model.tar.gz again")
    return [float(size) * side_px / metadata["input_size"][0] for size in found]
