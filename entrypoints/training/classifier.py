"""A trained network that gives an image a class: its answers in our words, alone and over a data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.backbones import normalised
from vision import images, transforms
from vision.images import Array
from vision.record import Dataset

Floats = NDArray[np.float64]
Decide = Callable[[Floats], int]
"""The class id for probabilities (C,)."""


class Classifier:
    """`network` holds the weights, `metadata` is that of the model folder."""

    def __init__(
        self,
        network: nn.Module,
        metadata: dict[str, Any],
        device: str,
        probabilities: Callable[[torch.Tensor], torch.Tensor],
        decide: Decide,
    ) -> None:
        self.metadata = metadata
        self.classes: list[str] = metadata["classes"]
        self.decide = decide
        self._network, self._probabilities = network.eval().to(device), probabilities
        self._device = device

    def probabilities(self, image: Array) -> Floats:
        """(C,) of one RGB image `(H, W, 3)`: what every verb answers from."""
        seen = transforms.to_square(image, self.metadata["input_size"][0], self.metadata["fit"])
        pixels = torch.from_numpy(seen.copy()).to(self._device).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            found = self._probabilities(self._network(normalised(pixels)).float())[0]
        return np.asarray(found.double().cpu())

    def predict(self, image: Array, confidence: float | None = None) -> list[dict[str, Any]]:
        """The classes of one RGB image `(H, W, 3)`, the chosen one first, then by score; schema in docs/contract.md.

        `confidence` is the lowest score reported; None reports every class.
        """
        return self.answer(self.probabilities(image), confidence)

    def answer(self, found: Floats, confidence: float | None = None) -> list[dict[str, Any]]:
        """`predict` for probabilities (C,) that are known."""
        chosen = self.decide(found)
        ranked = sorted(range(len(found)), key=lambda index: (index != chosen, -found[index]))
        return [
            {"class": self.classes[index], "class_id": index, "score": float(found[index])}
            for index in ranked
            if confidence is None or found[index] >= confidence
        ]

    def over(self, dataset: Dataset) -> Floats:
        """Probabilities (N, C) of every image of a data set."""
        opened = (images.open_image(sample.image, dataset.show(sample)) for sample in dataset.samples)
        return np.stack([self.probabilities(image) for image in opened])

    def export(self, path: Path) -> None:
        """Write TorchScript: images `(N, 3, S, S)` in 0..1 in, probabilities `(N, C)` out."""
        height, width = self.metadata["input_size"]
        whole = _Whole(self._network.cpu(), self._probabilities)
        traced = torch.jit.trace(whole.eval(), torch.rand(2, 3, height, width))  # type: ignore[no-untyped-call]
        traced.save(str(path))


class _Whole(nn.Module):
    def __init__(self, network: nn.Module, probabilities: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.network, self._probabilities = network, probabilities

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self._probabilities(self.network(normalised(pixels)))
