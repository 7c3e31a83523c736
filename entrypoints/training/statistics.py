"""The running statistics of batch normalisation, taken anew for weights that moved on since."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import nn

Batch = TypeVar("Batch")
KINDS = (nn.BatchNorm1d, nn.BatchNorm2d)


@torch.no_grad()
def settle(network: nn.Module, batches: Iterable[Batch], see: Callable[[Batch], object]) -> None:
    """Replace them by their means over `batches`, which `see` sends through `network`; of layers that train only.

    What training keeps of them lags ten updates behind. While all layers still move, each a few per cent an update,
    that is enough for an evaluated network to find nothing where the trained one finds all.
    """
    layers = [one for one in network.modules() if isinstance(one, KINDS) and one.track_running_stats]
    settled = [one for one in layers if one.weight is None or one.weight.requires_grad]
    if not settled:
        return
    shares = [one.momentum for one in settled]
    network.train()
    for layer in layers:
        layer.train(layer in settled)
    for layer in settled:
        layer.reset_running_stats()
        layer.momentum = None  # a mean, each batch as much as the others
    for batch in batches:
        see(batch)
    for layer, share in zip(settled, shares, strict=True):
        layer.momentum = share
