"""Training torchvision's detectors, and a trained one's answers in our words, alone and over a data set."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from optml.errors import Refusal
from optml.program import leave_if_stopped
from training import detectors, statistics
from training.image_store import Rows
from training.loop import Judged
from training.run import Run
from training.scenes import Scenes
from training.ssd_head import Found, decoded
from vision import boxes, detection_evaluation, detection_scores, images, transforms
from vision.detection_scores import Objects
from vision.images import Array
from vision.record import Dataset

if TYPE_CHECKING:
    from torchvision.models.detection.ssd import SSD

SETTLING = 8
"""Batches over which the statistics of batch normalisation are taken before an epoch is judged."""
MAIN = "validation:mAP50-95"
EXPORTED = 1000
"""The most detections that leave an exported graph, before overlaps are dropped."""


class Detecting:
    """The work of `loop.fit` for a detector."""

    def __init__(
        self, run: Run[Any], train: Scenes, validation: Scenes, validation_set: Dataset, frozen: list[nn.Module]
    ) -> None:
        self._run, self._train, self._validation, self._set = run, train, validation, validation_set
        self._frozen, self._truth = frozen, detection_evaluation.truth(validation_set)
        self.samples, self._epoch = len(train), 0

    def lines(self, _values: dict[str, float], /) -> list[str]:
        return []

    def learn(self, network: nn.Module, rows: Rows, epoch: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        self._epoch = epoch
        for module in self._frozen:
            module.eval()
        x, targets = self._train.batch(rows, epoch)
        with torch.autocast(self._run.compute.device, torch.bfloat16, enabled=self._run.compute.half):
            parts = detectors.losses(network, x, targets)
        loss = torch.stack([part.float() for part in parts.values()]).sum()
        return loss, {"loss": loss.detach(), **{name: part.detach() for name, part in parts.items()}}

    def judge(self, network: nn.Module) -> Judged:
        statistics.settle(network, self._some(), lambda rows: self._seen(network, rows))
        placed = self._detected(network, stoppable=True)
        made = detection_evaluation.curves(self._truth, placed, len(self._run.classes))
        scores, _ = detection_evaluation.main_metrics(made)
        iou = self._run.hp.overlap_threshold
        others = {"validation:mAP": detection_evaluation.voc_metric(self._truth, placed, made, iou)}
        return Judged(scores, others, (scores[MAIN], scores["validation:mAP50"]))

    def _seen(self, network: nn.Module, rows: Rows) -> None:
        loss, _ = self.learn(network, rows, self._epoch)
        self._run.check_loss(float(loss), self._epoch)

    def _some(self) -> Iterator[Rows]:
        """Batches of the training set, some of an epoch's."""
        order = np.random.default_rng([self._run.hp.seed, self._epoch, 1]).permutation(self.samples)
        for rows in np.array_split(order, math.ceil(self.samples / self._run.hp.batch_size))[:SETTLING]:
            leave_if_stopped()
            yield rows

    def confidence(self, network: nn.Module) -> float:
        """The confidence of the highest mean F1 on the validation set; a run that was stopped gets it too."""
        placed = self._detected(network, stoppable=False)
        return detection_evaluation.main_metrics(
            detection_evaluation.curves(self._truth, placed, len(self._run.classes))
        )[1]

    def _detected(self, network: nn.Module, *, stoppable: bool) -> list[Objects]:
        """What an evaluated network finds in every image of the validation set."""
        network.eval()
        found: list[Found] = []
        samples, side_px = self._set.samples, self._validation.side_px
        with torch.inference_mode():
            for rows in np.array_split(np.arange(len(samples)), math.ceil(len(samples) / self._run.hp.batch_size)):
                if stoppable:
                    leave_if_stopped()
                found += detectors.detect(network, self._validation.images(rows))
        return [in_image(one, s.width, s.height, side_px) for one, s in zip(found, samples, strict=True)]


def in_image(found: Found, width: int, height: int, side_px: int) -> Objects:
    """Detections in pixels of the image that was letterboxed; none of what lies in the border beside it."""
    letterbox = boxes.fit((width, height), (side_px, side_px))
    corners = boxes.to_image(found.boxes.double().cpu().numpy(), letterbox)
    labels, scores = found.labels.cpu().numpy().astype(np.int64), found.scores.double().cpu().numpy()
    seen = boxes.visible(corners)
    return detection_scores.objects(corners[seen], labels[seen], scores[seen])


class Detector:
    """A trained detector: `network` holds the weights, `metadata` is that of the model folder."""

    def __init__(self, network: nn.Module, metadata: dict[str, Any], device: str) -> None:
        self.metadata = metadata
        self.classes: list[str] = metadata["classes"]
        self._side_px: int = metadata["input_size"][0]
        self._network, self._device = network.eval().requires_grad_(False).to(device), device

    def found(self, image: Array) -> Objects:
        """All detections in one RGB image `(H, W, 3)`, in its pixels: what every verb answers from."""
        seen = transforms.letterbox(image, self._side_px)[0]
        pixels = torch.from_numpy(seen).to(self._device).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            (one,) = detectors.detect(self._network, pixels)
        return in_image(one, image.shape[1], image.shape[0], self._side_px)

    def over(self, dataset: Dataset) -> list[Objects]:
        """The detections in every image of a data set."""
        opened = (images.open_image(sample.image, dataset.show(sample)) for sample in dataset.samples)
        return [self.found(image) for image in opened]

    def predict(self, image: Array, confidence: float | None = None) -> list[dict[str, Any]]:
        """Predictions of one RGB image `(H, W, 3)`, boxes xyxy in its pixels; schema in docs/contract.md.

        `confidence` is the lowest score reported; None takes the model's own.
        """
        return self.answer(self.found(image), confidence)

    def answer(self, found: Objects, confidence: float | None = None) -> list[dict[str, Any]]:
        """`predict` for detections that are known."""
        lowest = self.metadata["confidence"] if confidence is None else confidence
        return [
            {
                "class": self.classes[label],
                "class_id": int(label),
                "score": round(float(score), 4),
                "box": [round(float(value), 2) for value in box],
            }
            for box, label, score in zip(found.boxes, found.labels, found.scores, strict=True)
            if score > lowest
        ]

    def export(self, path: Path) -> None:
        """Write TorchScript: images `(1, 3, S, S)` in 0..1 in, detections `(1, K, 6)` as those of ONNX out."""
        graph, example = self.graph(), torch.zeros(1, 3, self._side_px, self._side_px)
        traced = torch.jit.trace(graph, example, check_trace=False)  # type: ignore[no-untyped-call]
        traced.save(str(path))

    def graph(self) -> nn.Module:
        """The network with its decoding; Refusal for one whose second stage no runtime here takes."""
        name = self.metadata["architecture"]
        if not detectors.is_single_shot(name):
            raise Refusal(
                f"{name} is not exported: it looks at an image's parts again, as many as it proposes, and the runtimes "
                "take one pass with a fixed number of boxes",
                "train ssdlite320_mobilenet_v3_large or ssd300_vgg16, or serve this model with `serve`",
            )
        return _Graph(self._network.cpu()).eval()


class _Graph(nn.Module):
    """(1, 3, S, S) in 0..1 to rows (1, K, 6): x1, y1, x2, y2 in pixels of the input, score, class; by falling score."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network: SSD = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        corners, scores, labels = decoded(self.network, x)
        best, index = scores.topk(min(EXPORTED, scores.shape[1]), dim=1)
        corners = corners.gather(1, index[..., None].expand(-1, -1, 4))
        return torch.cat([corners, best[..., None], labels.gather(1, index)[..., None].to(best.dtype)], 2)
