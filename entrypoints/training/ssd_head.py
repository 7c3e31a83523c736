"""What an SSD's head says: its loss, and its boxes.

torchvision's loss passes over images without objects; here the hardest negatives are taken over the whole batch, so
such images are learnt from too. Its boxes are decoded as an exported graph decodes them: each with its best class.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssd import SSD
from torchvision.ops import batched_nms, box_iou, clip_boxes_to_image

Targets = list[dict[str, torch.Tensor]]
"""`boxes` (N, 4) xyxy in pixels of the input and `labels` (N,), classes from 0, of each image."""

NEGATIVES = 3
"""How many of the background for each that holds an object."""


class Found(NamedTuple):
    boxes: torch.Tensor  # (K, 4) xyxy in pixels of the input
    scores: torch.Tensor  # (K,)
    labels: torch.Tensor  # (K,) classes from 0


def outputs(network: SSD, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of (B, 3, S, S) in 0..1: offsets (B, A, 4), logits (B, A, 1 + classes) and default boxes (A, 4) in pixels."""
    transform: Any = network.transform
    features = list(network.backbone(transform.normalised(x)).values())
    head = network.head(features)
    side = (int(x.shape[-2]), int(x.shape[-1]))
    anchors = network.anchor_generator(ImageList(x[:1], [side]), features)[0]
    return head["bbox_regression"].float(), head["cls_logits"].float(), anchors.float()


def losses(network: SSD, x: torch.Tensor, targets: Targets) -> dict[str, torch.Tensor]:
    """`box_loss` and `cls_loss`, both for each default box that holds an object."""
    offsets, logits, anchors = outputs(network, x)
    wanted = torch.zeros(logits.shape[:2], dtype=torch.int64, device=x.device)
    box_loss = offsets.sum() * 0
    for index, target in enumerate(targets):
        if not len(target["labels"]):
            continue
        matched = network.proposal_matcher(box_iou(target["boxes"], anchors))
        holding = torch.where(matched >= 0)[0]
        wanted[index, holding] = target["labels"][matched[holding]] + 1
        goal = network.box_coder.encode_single(target["boxes"][matched[holding]], anchors[holding])
        box_loss = box_loss + functional.smooth_l1_loss(offsets[index, holding], goal, reduction="sum")
    each = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
    holding = wanted.flatten() > 0
    count = max(1, int(holding.sum()))
    hardest = each.masked_fill(holding, 0.0).topk(min(len(each), max(NEGATIVES * count, len(targets)))).values
    return {"box_loss": box_loss / count, "cls_loss": (each[holding].sum() + hardest.sum()) / count}


def detect(network: SSD, x: torch.Tensor, most: int, lowest: float) -> list[Found]:
    """The boxes of each image by falling score, without those that overlap a better one of their class."""
    found = []
    for boxes, scores, labels in zip(*decoded(network, x), strict=True):
        best = scores.topk(min(4 * most, len(scores))).indices
        best = best[scores[best] > lowest]
        kept = best[batched_nms(boxes[best], scores[best], labels[best], network.nms_thresh)[:most]]
        found.append(Found(boxes[kept], scores[kept], labels[kept]))
    return found


def decoded(network: SSD, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Boxes (B, A, 4) in pixels of the input, the score (B, A) of the best class of each, and that class (B, A)."""
    offsets, logits, anchors = outputs(network, x)
    scores, labels = logits.softmax(2)[..., 1:].max(2)
    return corners(network, offsets, anchors, (int(x.shape[-2]), int(x.shape[-1]))), scores, labels


def corners(network: SSD, offsets: torch.Tensor, anchors: torch.Tensor, side: tuple[int, int]) -> torch.Tensor:
    """Boxes (B, A, 4) xyxy in pixels of an input of (height, width), cut at its edges, of what `outputs` gives."""
    wx, wy, ww, wh = network.box_coder.weights
    size = anchors[:, 2:] - anchors[:, :2]
    centre = (anchors[:, :2] + anchors[:, 2:]) / 2 + offsets[..., :2] / offsets.new_tensor([wx, wy]) * size
    limit = network.box_coder.bbox_xform_clip
    half = (offsets[..., 2:] / offsets.new_tensor([ww, wh])).clamp(max=limit).exp() * size / 2
    cut: torch.Tensor = clip_boxes_to_image(torch.cat([centre - half, centre + half], 2), side)
    return cut


class ByClass(nn.Module):
    """An SSD whose (1, 4 + classes, A) are boxes as centre and size, then the score of each class: as YOLO says it."""

    def __init__(self, network: SSD) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        offsets, logits, anchors = outputs(self.network, x)
        found = corners(self.network, offsets, anchors, (int(x.shape[-2]), int(x.shape[-1])))
        low, high = found[..., :2], found[..., 2:]
        return torch.cat([(low + high) / 2, high - low, logits.softmax(2)[..., 1:]], 2).transpose(1, 2)
