"""Starter weights that ship with Drydock, fitted to the classes of a data set."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors import safe_open

from training import backbones, heads, weights
from training.weights import State
from vision import boxes, images, transforms
from vision.record import Dataset


def fitted(path: Path, build: Callable[[int], torch.nn.Module], dataset: Dataset, side_px: int) -> tuple[str, State]:
    """The starter's tensors with a row for each class of `dataset`, and which defect each class starts as, in words.

    `build(count)` makes the starter's model for a number of classes; images are looked at as squares of `side_px`.
    """
    state = weights.read(path)
    with safe_open(path, "pt") as file:
        known = json.loads(file.metadata()["classes"])
    model = build(len(known))
    model.load_state_dict(state)
    closest = heads.closest_classes(model.float().eval(), len(known), _scenes(dataset, side_px), len(dataset.classes))
    words = ", ".join(f"{name} as {known[row]}" for name, row in zip(dataset.classes, closest, strict=True))
    return words, heads.with_rows(state, heads.class_tensors(build), closest)


def headless(path: Path, network: torch.nn.Module) -> tuple[str, State]:
    """The starter's tensors for the backbone of a classifier, whose head is for other classes and stays random."""
    head = f"{backbones.head_name(network)}."
    state = {name: tensor for name, tensor in weights.read(path).items() if not name.startswith(head)}
    return f"Drydock's starter {path.name} (its head is new)", state


def _scenes(dataset: Dataset, side_px: int) -> Iterator[heads.Scene]:
    for sample in dataset.samples:
        box = boxes.fit((sample.width, sample.height), (side_px, side_px))
        objects = [(instance.class_id, boxes.to_input(instance.box, box)) for instance in sample.instances]
        yield transforms.letterbox(images.open_image(sample.image), side_px)[0], objects
