"""Photographs and masks fitted to a network's input once; an epoch then costs augmentation only.

They lie as uint8 in files of the scratch folder, outside the channel. Imports no framework.
"""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from optml.program import leave_if_stopped
from vision import images, segmentation, transforms
from vision.mask_scores import IGNORED
from vision.record import Dataset, Sample

Rows = NDArray[np.int64]
DRAWS = 12


class Masked:
    """The images of a data set as the network takes them, and what it shall find."""

    def __init__(self, folder: Path, dataset: Dataset, size: tuple[int, int], *, threads: int) -> None:
        """Decode every image with `threads` threads into two files of `folder` (scratch); `size` is (width, height).

        Refusal that names the first image that does not decode.
        """
        folder.mkdir(parents=True, exist_ok=True)
        shape = (len(dataset.samples), size[1], size[0])
        self.pixels = np.memmap(folder / "pixels", np.uint8, "w+", shape=(*shape, 3))
        """(N, H, W, 3) RGB"""
        self.labels = np.memmap(folder / "labels", np.uint8, "w+", shape=shape)
        """(N, H, W): 0 background, else class id + 1; IGNORED beside the image"""
        self.anomalous = np.array([bool(sample.instances) for sample in dataset.samples])
        """(N,)"""
        self.classes = len(dataset.classes)
        self._identities = [zlib.crc32(sample.name.encode()) for sample in dataset.samples]

        def decode(row: int, sample: Sample) -> None:
            leave_if_stopped()
            self.pixels[row], box = transforms.padded(images.open_image(sample.image, dataset.show(sample)), size)
            self.labels[row] = transforms.labels_to_input(segmentation.labels(sample), box, IGNORED)

        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(decode, range(len(dataset.samples)), dataset.samples):
                pass

    def __len__(self) -> int:
        return len(self._identities)

    def order(self, seed: int, epoch: int, *, balanced: bool) -> Rows:
        """The rows of an epoch, shuffled; balanced: every defective image, and no more others than these."""
        random = np.random.default_rng([seed, epoch])
        rows = random.permutation(len(self))
        if not balanced:
            return rows
        others = rows[~self.anomalous[rows]][: int(self.anomalous.sum())]
        taken: Rows = rows[np.isin(rows, others) | self.anomalous[rows]]
        return taken

    def draws(self, rows: Rows, seed: int, epoch: int) -> NDArray[np.float32]:
        """(B, DRAWS) uniform random numbers in 0..1, of (seed, epoch, image): neither batch nor resuming matters."""
        seeds = ([seed, epoch, self._identities[row]] for row in rows)
        return np.stack([np.random.default_rng(one).random(DRAWS, np.float32) for one in seeds])
