"""What a detector sees of a data set: images letterboxed once, with their boxes, and both altered together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.image_store import Decoded, Rows, moved, tinted
from training.ssd_head import Targets
from vision import boxes, transforms
from vision.record import Dataset

SMALLEST_PX = 2.0
VISIBLE = 0.4
"""Share of a box that must still be seen for its object to be asked for."""


class Scenes(Decoded):
    """The images of a data set as squares of `side_px`, and their objects in pixels of these."""

    def __init__(
        self, file: Path, dataset: Dataset, side_px: int, *, threads: int, device: str, seed: int = 0,
        augmentation: str = "none",
    ) -> None:  # fmt: skip
        super().__init__(
            file, dataset, side_px, lambda image: transforms.letterbox(image, side_px)[0],
            threads=threads, device=device, seed=seed,
        )  # fmt: skip
        self._augmentation, self.side_px = augmentation, side_px
        self._boxes, self._labels = [], []
        for sample in dataset.samples:
            fitted = boxes.fit((sample.width, sample.height), (side_px, side_px))
            self._boxes.append(boxes.to_input([instance.box for instance in sample.instances], fitted))
            self._labels.append(np.array([instance.class_id for instance in sample.instances], np.int64))

    def images(self, rows: Rows) -> torch.Tensor:
        """(B, 3, S, S) in 0..1 as evaluation sees them."""
        return self.pixels(rows).contiguous(memory_format=torch.channels_last)

    def batch(self, rows: Rows, epoch: int) -> tuple[torch.Tensor, Targets]:
        """(B, 3, S, S) in 0..1 and their objects, altered for an epoch."""
        x, found = self.pixels(rows), [(self._boxes[row], self._labels[row]) for row in rows]
        if self._augmentation != "none":
            draws = self.draws(rows, epoch)
            affines = np.stack([affine(one, turn=self._augmentation == "full") for one in draws])
            x = tinted(moved(x, torch.from_numpy(affines).to(x)), torch.from_numpy(draws[:, 7:12]).to(x))
            found = [carried(*one, place, self.side_px) for one, place in zip(found, affines, strict=True)]
        targets = [
            {"boxes": torch.from_numpy(corners).to(x), "labels": torch.from_numpy(labels).to(x.device)}
            for corners, labels in found
        ]
        return x.contiguous(memory_format=torch.channels_last), targets


def affine(draws: NDArray[np.float32], *, turn: bool) -> NDArray[np.float32]:
    """(2, 3): where each place of the altered image is seen in the original one, both from -1 to 1.

    Mirrored left and right, scaled by 0.75 to 1.35, stretched by a tenth, moved; with `turn` also by quarter turns.
    """
    quarter = int(draws[0] * 4) if turn else 0
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter]
    mirror, scale = (-1 if draws[1] < 0.5 else 1), 1 / (0.75 * (1.35 / 0.75) ** draws[2])
    stretch = 0.95 + 0.1 * draws[3]
    across, down = mirror * scale * stretch, scale / stretch
    x, y = (draws[4:6] - 0.5) * 0.3
    return np.array([[cos * across, -sin * down, x], [sin * across, cos * down, y]], np.float32)


def carried(
    corners: boxes.Boxes, labels: NDArray[np.int64], place: NDArray[np.float32], side_px: int
) -> tuple[boxes.Boxes, NDArray[np.int64]]:
    """Boxes of the original image where `affine` puts them, cut at the edges; without those hardly seen any more."""
    turn, move = place[:, :2].astype(float), place[:, 2].astype(float)
    there = (corners.reshape(-1, 2, 2) * (2 / side_px) - 1 - move) @ np.linalg.inv(turn).T
    pixels = (there + 1) * (side_px / 2)
    whole = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
    cut = boxes.clip(whole, side_px, side_px)
    sides = cut[:, 2:] - cut[:, :2]
    kept = (boxes.area(cut) >= VISIBLE * boxes.area(whole)) & (sides.min(axis=1, initial=np.inf) >= SMALLEST_PX)
    return cut[kept], labels[kept]
