"""torchvision's image networks by name, with a head for our classes; their weights keep torchvision's names."""

from __future__ import annotations

from pathlib import Path

import torch
import torchvision
from torch import nn
from torchvision.models.efficientnet import MBConv

from training import weights
from training.weights import Start

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels in 0..1: what the published weights were trained with."""

BATCH_NORM_MOMENTUM = 0.1
"""Share of a batch in the running statistics. MobileNetV3's own, 0.01, takes more batches than few photographs make:
what is evaluated would still be the statistics that it was born with.
"""


def build(name: str, outputs: int, *, hidden: int = 0, dropout: float | None = None) -> nn.Module:
    """A network of random weights that makes (N, outputs) of (N, 3, S, S) normalised pixels.

    With `hidden` its head is a hidden layer of that width with batch norm and dropout, in place of torchvision's own.
    """
    network: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=outputs)
    if hidden:
        features = next(module.in_features for module in parts(network)[1].modules() if isinstance(module, nn.Linear))
        head = nn.Sequential(
            nn.Linear(features, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(hidden, outputs),
        )
        setattr(network, head_name(network), head)
    for module in parts(network)[1].modules():
        if isinstance(module, nn.Dropout) and dropout is not None:
            module.p = dropout
        if isinstance(module, nn.Linear) and isinstance(network, torchvision.models.EfficientNet):
            module.reset_parameters()  # torchvision's own, ±1/√outputs, answers far from a guess and learns late
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = BATCH_NORM_MOMENTUM
        if isinstance(module, MBConv) and module.use_res_connect:
            nn.init.zeros_(module.block[-1][1].weight)  # begins as a short cut: arXiv 1706.02677, 5.1
    return network


def parts(network: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The backbone, which makes (N, F) features, and the head, which makes outputs of them; they share weights."""
    head = network.get_submodule(head_name(network))
    body = [module for module in network.children() if module is not head]
    return nn.Sequential(*body, nn.Flatten(1)), head


def head_name(network: nn.Module) -> str:
    """The attribute that holds its head."""
    return "fc" if hasattr(network, "fc") else "classifier"


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """(N, 3, S, S) in 0..1 as the networks take them."""
    mean, deviation = (pixels.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
    return torch.addcmul(-mean / deviation, pixels, 1 / deviation)  # one pass over the pixels


def published(name: str, scratch: Path) -> Start:
    """The weights that torchvision publishes for an architecture, trained on ImageNet; needs the internet."""
    best = torchvision.models.get_model_weights(name).DEFAULT

    def fetch(file: str) -> Path:
        torch.hub.download_url_to_file(best.url, str(scratch / file), progress=False)
        return scratch / file

    return weights.downloaded("torchvision", f"{name}.pth", fetch)
