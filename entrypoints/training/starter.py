"""Starter weights that ship with Drydock, fitted to the classes of a data set.

The header of their files says `classes` and, of a detector of torchvision, `input_size` and `anchors`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from training import backbones, heads, weights
from training.weights import State
from vision import boxes, images, transforms
from vision.record import Dataset


def header(path: Path) -> dict[str, Any]:
    """What a starter says of itself."""
    with safe_open(path, "pt") as file:
        said = file.metadata()
    return {name: value if name == "architecture" else json.loads(value) for name, value in said.items()}


def fitted(
    path: Path, build: Callable[[int], torch.nn.Module], dataset: Dataset, side_px: int,
    seen_by: Callable[[torch.nn.Module], torch.nn.Module] = lambda model: model, *, background: bool = False,
) -> tuple[str, State]:  # fmt: skip
    """The starter's tensors with a row for each class of `dataset`, and which defect each class starts as, in words.

    `build(count)` makes the starter's model for a number of classes; `seen_by` what answers as YOLO of it; images are
    looked at as squares of `side_px`. With `background` its class tensors are an SSD's.
    """
    state = weights.read(path)
    known = header(path)["classes"]
    model = build(len(known))
    model.load_state_dict(state)
    sight = seen_by(model.float().eval())
    closest = heads.closest_classes(sight, len(known), _scenes(dataset, side_px), len(dataset.classes))
    words = ", ".join(f"{name} as {known[row]}" for name, row in zip(dataset.classes, closest, strict=True))
    rows, group = ([0, *(row + 1 for row in closest)], len(known) + 1) if background else (closest, 0)
    return words, heads.with_rows(state, heads.class_tensors(build), rows, group)


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
