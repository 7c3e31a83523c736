"""torchvision's detectors by name, for our classes, anchors and input; their weights keep torchvision's names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torchvision
from torch import nn
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssd import SSD

from training import ssd_head
from training.backbones import BATCH_NORM_MOMENTUM
from training.ssd_head import Found, Targets
from vision.anchors import Grid

LOSSES = {
    "loss_classifier": "cls_loss",
    "loss_box_reg": "box_loss",
    "loss_objectness": "objectness_loss",
    "loss_rpn_box_reg": "proposal_loss",
}
"""Faster R-CNN's names for its losses, and ours."""
CANDIDATES = 300
"""Detections of one image before a confidence is asked for."""
MIN_SCORE = 0.001


def is_single_shot(name: str) -> bool:
    """Whether it is an SSD: one pass, and boxes that a graph can give as they are."""
    return name.startswith("ssd")


def build(name: str, classes: int, side_px: int, anchors: Sequence[float] | None, nms_iou: float) -> nn.Module:
    """A detector of random weights for (B, 3, S, S) pixels in 0..1; `anchors` in pixels, None: torchvision's own."""
    options: dict[str, Any] = {"weights": None, "weights_backbone": None, "num_classes": classes + 1}
    if not is_single_shot(name):
        options |= {"box_score_thresh": MIN_SCORE, "box_nms_thresh": nms_iou, "box_detections_per_img": CANDIDATES}
    network: nn.Module = torchvision.models.get_model(name, **options)
    network.transform = _Prepared(network.transform)
    if isinstance(network, SSD):
        _place_default_boxes(network, side_px, anchors)
        network.nms_thresh = nms_iou
    elif anchors is not None:
        _place_anchors(network, anchors)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = BATCH_NORM_MOMENTUM
    return network


def anchor_count(name: str) -> int:
    """How many sizes `build` takes."""
    return 6 if is_single_shot(name) else 5


def grids(name: str, side_px: int) -> list[Grid]:
    """Where an SSD for (B, 3, S, S) looks for objects; found without computing anything."""
    with torch.device("meta"):
        network: Any = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=2)
        maps = network.eval().backbone(torch.empty(1, 3, side_px, side_px)).values()
    ratios = network.anchor_generator.aspect_ratios
    return [Grid(int(map_.shape[-1]), tuple(each)) for map_, each in zip(maps, ratios, strict=True)]


def losses(network: nn.Module, x: torch.Tensor, targets: Targets) -> dict[str, torch.Tensor]:
    """The parts of the loss of a network that trains, by our names; boxes in pixels, classes from 0."""
    if isinstance(network, SSD):
        return ssd_head.losses(network, x, targets)
    shifted = [{"boxes": one["boxes"], "labels": one["labels"] + 1} for one in targets]  # 0 is the background
    return {LOSSES[name]: value for name, value in network(list(x), shifted).items()}


def detect(network: nn.Module, x: torch.Tensor) -> list[Found]:
    """What an evaluated network finds in (B, 3, S, S): boxes in pixels of the input, by falling score."""
    if isinstance(network, SSD):
        return ssd_head.detect(network, x, CANDIDATES, MIN_SCORE)
    return [Found(one["boxes"], one["scores"], one["labels"] - 1) for one in network(list(x))]


def freeze(network: nn.Module, stages: int) -> list[nn.Module]:
    """Let the first stages of the backbone be; a stage ends where the image gets smaller. Those that must not train."""
    frozen, stage = [], 0
    for name, module in _leaves(network.backbone):
        shrinks = isinstance(module, nn.MaxPool2d) or (isinstance(module, nn.Conv2d) and module.kernel_size > (1, 1))
        stage += shrinks and module.stride not in (1, (1, 1))
        if max(stage, 1) > stages or "fpn" in name or "extra" in name:
            break
        frozen.append(module)
        module.requires_grad_(False)
    return frozen


def _leaves(module: Any) -> Iterator[tuple[str, nn.Module]]:
    return ((name, one) for name, one in module.named_modules() if not any(True for _ in one.children()))


def _place_default_boxes(network: SSD, side_px: int, anchors: Sequence[float] | None) -> None:
    """Default boxes of an SSD for an input, one size a feature map, the last one's neighbour a quarter larger."""
    old: Any = network.anchor_generator
    steps = old.steps if side_px == 300 else None  # those of other inputs follow from the feature maps
    scales = old.scales if anchors is None else [*(size / side_px for size in anchors), anchors[-1] * 1.25 / side_px]
    network.anchor_generator = DefaultBoxGenerator(old.aspect_ratios, scales=list(scales), steps=steps)


def _place_anchors(network: Any, anchors: Sequence[float]) -> None:
    """Anchors of a Faster R-CNN: a size a level, or every size on each level, as it had them before."""
    old = network.rpn.anchor_generator
    each = tuple(anchors) if len(old.sizes[0]) > 1 else None
    sizes = tuple(each or (anchors[level],) for level in range(len(old.sizes)))
    network.rpn.anchor_generator = AnchorGenerator(sizes, old.aspect_ratios)


class _Prepared(nn.Module):
    """In place of torchvision's transform: images are squares of one size already, and are only normalised."""

    def __init__(self, old: Any) -> None:
        super().__init__()
        self.mean, self.deviation = list(old.image_mean), list(old.image_std)

    def normalised(self, x: torch.Tensor) -> torch.Tensor:
        mean, deviation = (x.new_tensor(values)[:, None, None] for values in (self.mean, self.deviation))
        return (x - mean) / deviation

    def forward(self, images: list[torch.Tensor], targets: Targets | None = None) -> tuple[ImageList, Targets | None]:
        x = self.normalised(torch.stack(images))
        return ImageList(x, [tuple(x.shape[-2:])] * len(images)), targets

    def postprocess(self, found: list[Any], _sizes: Any, _original: Any) -> list[Any]:
        return found
