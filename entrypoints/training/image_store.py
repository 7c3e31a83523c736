"""Images decoded and fitted to a network's input once; an epoch then costs augmentation only.

They lie as uint8 in a file of the scratch folder. How an image is altered is a function of (seed, epoch, its name), so
neither its place in a batch nor a resumed run changes it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from optml.program import leave_if_stopped
from training.backbones import normalised
from vision import images, transforms
from vision.record import Dataset, Sample

Rows = NDArray[np.int64]
AUGMENTATIONS = ("none", "light", "full")
"""`light` mirrors left and right, moves, scales and tints; `full` turns by any angle and mirrors up and down too."""
FILL = transforms.GREY[0] / 255


class Decoded:
    """The images of a data set as squares that `see` makes of them; (N, S, S, 3) RGB uint8 on disk."""

    def __init__(
        self, file: Path, dataset: Dataset, side_px: int, see: Callable[[images.Array], images.Array], *,
        threads: int, device: str, seed: int = 0,
    ) -> None:  # fmt: skip
        """Decode every image with `threads` threads; Refusal that names the first that does not decode."""
        shape = (len(dataset.samples), side_px, side_px, 3)
        self._pixels = np.memmap(file, np.uint8, "w+", shape=shape)
        self._identities = [zlib.crc32(sample.name.encode()) for sample in dataset.samples]
        self._device, self._seed = device, seed

        def decode(row: int, sample: Sample) -> None:
            leave_if_stopped()
            self._pixels[row] = see(images.open_image(sample.image, dataset.show(sample)))

        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(decode, range(len(dataset.samples)), dataset.samples):
                pass

    def __len__(self) -> int:
        return len(self._identities)

    def pixels(self, rows: Rows) -> torch.Tensor:
        """(B, 3, S, S) of some images in 0..1, on the device."""
        pixels = torch.from_numpy(self._pixels[rows]).to(self._device)
        return pixels.permute(0, 3, 1, 2).float().div_(255)

    def draws(self, rows: Rows, epoch: int) -> NDArray[np.float32]:
        """(B, 12) uniform random numbers in 0..1."""
        seeds = ([self._seed, epoch, self._identities[row]] for row in rows)
        return np.stack([np.random.default_rng(seed).random(12, np.float32) for seed in seeds])


class Images(Decoded):
    """The images of a data set as a classifier takes them."""

    def __init__(
        self, file: Path, dataset: Dataset, side_px: int, fit: str, *, threads: int, device: str,
        seed: int = 0, augmentation: str = "none",
    ) -> None:  # fmt: skip
        def see(image: images.Array) -> images.Array:
            return transforms.to_square(image, side_px, fit)

        super().__init__(file, dataset, side_px, see, threads=threads, device=device, seed=seed)
        self._augmentation = augmentation

    def batch(self, rows: Rows, epoch: int | None = None) -> torch.Tensor:
        """(B, 3, S, S) normalised pixels of some images, augmented for an `epoch`, plain without."""
        x = self.pixels(rows)
        if epoch is not None and self._augmentation != "none":
            x = augmented(x, self.draws(rows, epoch), turn=self._augmentation == "full")
        return normalised(x).contiguous(memory_format=torch.channels_last)


def augmented(x: torch.Tensor, draws: NDArray[np.float32], *, turn: bool) -> torch.Tensor:
    """(B, 3, S, S) in 0..1 turned, mirrored, scaled, moved and tinted as `draws` (B, 12) in 0..1 say."""
    d = torch.from_numpy(draws).to(x.device)
    angle = (d[:, 0] * 2 - 1) * (math.pi if turn else math.radians(8))
    mirror, scale = torch.where(d[:, 1] < 0.5, -1.0, 1.0), 1 / (0.85 + 0.35 * d[:, 2])
    move = (d[:, 3:5] - 0.5) * 0.16
    cos, sin = angle.cos() * scale, angle.sin() * scale
    rows = torch.stack([mirror * cos, -sin, move[:, 0], mirror * sin, cos, move[:, 1]], dim=1)
    return tinted(moved(x, rows.reshape(-1, 2, 3)), d[:, 5:10])


def moved(x: torch.Tensor, affine: torch.Tensor) -> torch.Tensor:
    """(B, 3, S, S) where `affine` (B, 2, 3) says of each place which one is seen there, both from -1 to 1."""
    grid = functional.affine_grid(affine, list(x.shape), align_corners=False)
    seen = functional.grid_sample(x - FILL, grid, align_corners=False)
    return seen.add_(FILL)  # what comes in is the letterbox's grey


def tinted(x: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """(B, 3, S, S) with contrast, light and colours as `draws` (B, 5) in 0..1 say."""
    contrast, light, tint = 0.7 + 0.6 * draws[:, :1], 0.4 * draws[:, 1:2] - 0.2, 0.9 + 0.2 * draws[:, 2:5]
    factor, shift = contrast * tint, (0.5 - 0.5 * contrast + light) * tint
    return torch.addcmul(shift[..., None, None], x, factor[..., None, None])  # one pass over the pixels


class Features:
    """What a backbone that is not trained makes of images, computed once: (N, F). Nothing is augmented."""

    def __init__(self, images_: Images, backbone: torch.nn.Module, batch_size: int) -> None:
        backbone.eval()
        batches = np.array_split(np.arange(len(images_)), max(1, math.ceil(len(images_) / batch_size)))
        with torch.inference_mode():
            found = [backbone(images_.batch(rows)) for rows in batches]
        self._features = torch.cat(found).clone()

    def __len__(self) -> int:
        return len(self._features)

    def batch(self, rows: Rows, epoch: int | None = None) -> torch.Tensor:
        """(B, F) features of some images."""
        return self._features[torch.from_numpy(rows)]
