"""A detector's class heads carried over to new classes: each starts as the known class that sees its objects best.

A tensor of such a head has a row for each class; an SSD's has, for each box at a place, one for the background before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from vision import boxes

State = dict[str, torch.Tensor]
Scene = tuple[NDArray[np.uint8], Sequence[tuple[int, boxes.Boxes]]]
"""An input image (H, W, 3) and its objects as (class id, box (1, 4) xyxy in pixels of the input)."""

NEAR, APART = 0.3, 0.1
"""IoU from which a prediction speaks of an object, and below which it does not."""


def class_tensors(build: Callable[[int], torch.nn.Module]) -> set[str]:
    """Names of the tensors with one row a class, for models that `build` makes for a number of classes."""
    one, two = build(1).state_dict(), build(2).state_dict()
    return {name for name, tensor in one.items() if tensor.shape != two[name].shape}


def with_rows(weights: State, names: set[str], rows: Sequence[int], group: int = 0) -> State:
    """`weights` whose class tensors hold the given rows, in that order; of each `group` of rows, where they come so."""

    def picked(tensor: torch.Tensor) -> torch.Tensor:
        starts = range(0, len(tensor), group or len(tensor))
        return tensor[[start + row for start in starts for row in rows]]

    return {name: picked(tensor) if name in names else tensor for name, tensor in weights.items()}


def closest_classes(model: torch.nn.Module, known: int, scenes: Iterable[Scene], classes: int) -> list[int]:
    """For each of `classes` new classes the class of `model`, of the `known` ones, that sees its objects best.

    Best is the highest mean of: top score among the predictions that overlap an object, less the top score among
    those that overlap none. `model(images)` gives `(1, 4 + known + …, A)`: boxes as centre and size, then scores.
    """
    seen, elsewhere, counts = np.zeros((classes, known)), np.zeros(known), np.zeros(classes)
    images = 0
    for image, objects in scenes:
        found, scores = _predictions(model, image, known)
        overlap = (
            boxes.iou(found, np.concatenate([box for _, box in objects])) if objects else np.zeros((len(found), 1))
        )
        elsewhere += scores[overlap.max(axis=1) < APART].max(axis=0, initial=0)
        images += 1
        for column, (class_id, _) in enumerate(objects):
            seen[class_id] += scores[overlap[:, column] >= NEAR].max(axis=0, initial=0)
            counts[class_id] += 1
    advantage = seen / np.maximum(counts, 1)[:, None] - elsewhere / max(images, 1)
    return [int(row) for row in advantage.argmax(axis=1)]


def _predictions(
    model: torch.nn.Module, image: NDArray[np.uint8], known: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes (A, 4) xyxy and scores (A, known) for one image."""
    with torch.inference_mode():
        output = model(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)
    while not isinstance(output, torch.Tensor):  # masks and raw features come behind the predictions
        output = output[0]
    output = output[0]
    centre, size, scores = output[:2].T.numpy(), output[2:4].T.numpy(), output[4 : 4 + known].T.numpy()
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1).astype(float), scores.astype(float)
