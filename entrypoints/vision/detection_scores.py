"""Average precision of detectors: COCO's (as pycocotools computes it), Pascal VOC's of 2007 and of 2010, per class.

Boxes are xyxy. An object marked difficult is neither asked for nor held against a detection that covers it: what
pycocotools does with a crowd.

| | how precision becomes a number | IoU | difficult |
|---|---|---|---|
| COCO | mean over 101 points of recall of the monotone curve; 100 detections an image and class | .5 to .95 | a crowd |
| VOC07 | mean over 11 points of recall | 0.5 | passed over |
| VOC10 | area below the monotone curve | 0.5 | passed over |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision import boxes

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MOST = 100
"""Detections of one image and class that count."""


@dataclass(frozen=True, eq=False)
class Objects:
    """Those of one image, all or of one class; `scores` of detections, `difficult` of true ones."""

    boxes: Floats  # (N, 4)
    labels: NDArray[np.int64]  # (N,)
    scores: Floats  # (N,)
    difficult: Bools  # (N,)

    def of_class(self, label: int) -> Objects:
        chosen = self.labels == label
        return Objects(self.boxes[chosen], self.labels[chosen], self.scores[chosen], self.difficult[chosen])

    def best(self, count: int) -> Objects:
        order = np.argsort(-self.scores, kind="stable")[:count]
        return Objects(self.boxes[order], self.labels[order], self.scores[order], self.difficult[order])


def objects(
    corners: Sequence[Sequence[float]] | Floats,
    labels: Sequence[int] | NDArray[np.int64],
    scores: Sequence[float] | Floats = (),
    difficult: Sequence[bool] = (),
) -> Objects:
    """From plain lists; scores and marks that are not given are 0 and False."""
    count = len(labels)
    return Objects(
        boxes.as_boxes(corners),
        np.asarray(labels, np.int64),
        np.asarray(scores, float) if len(scores) else np.zeros(count),
        np.asarray(difficult, bool) if len(difficult) else np.zeros(count, bool),
    )


@dataclass(frozen=True, eq=False)
class Curve:
    """The detections of one class over all images by falling score."""

    scores: Floats  # (D,)
    right: Bools  # (T, D) for T thresholds of IoU
    counted: Bools  # (T, D); not those that cover a difficult object only
    wanted: int  # objects that are not difficult

    def rates(self, threshold: int = 0) -> tuple[Floats, Floats, Floats]:
        """Recall, precision and score (D',) of the detections that count at a threshold."""
        chosen = self.counted[threshold]
        hits = np.cumsum(self.right[threshold][chosen])
        total = np.arange(1, chosen.sum() + 1)
        return hits / max(self.wanted, 1), hits / total, self.scores[chosen]


def coco(truth: Sequence[Objects], found: Sequence[Objects], label: int) -> Curve:
    """A class as pycocotools matches it: each detection, best first, takes the free object that it overlaps most."""
    return _joined(
        [_matched(t.of_class(label), f.of_class(label).best(MOST)) for t, f in zip(truth, found, strict=True)]
    )


def voc(truth: Sequence[Objects], found: Sequence[Objects], label: int, iou: float = 0.5) -> Curve:
    """A class as VOC's kit matches it: a detection is for the object that it overlaps most, be that taken or not."""
    parts = []
    for t, f in zip(truth, found, strict=True):
        true, detected = t.of_class(label), f.of_class(label).best(len(f.labels))
        right, counted = np.zeros((1, len(detected.scores)), bool), np.ones((1, len(detected.scores)), bool)
        overlap, taken = boxes.iou(detected.boxes, true.boxes), set[int]()
        for index in range(len(detected.scores)) if len(true.labels) else ():
            best = int(overlap[index].argmax())
            if overlap[index, best] < iou:
                continue
            if true.difficult[best]:
                counted[0, index] = False
            elif best not in taken:
                taken.add(best)
                right[0, index] = True
        parts.append(Curve(detected.scores, right, counted, int((~true.difficult).sum())))
    return _joined(parts)


def precision_at(recall: Floats, precision: Floats) -> Floats:
    """(101,) precision made monotone, at RECALLS; 0 beyond the highest recall."""
    monotone = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, RECALLS, side="left")
    return np.asarray(np.append(monotone, 0.0)[np.minimum(at, len(monotone))])


def coco_average(curve: Curve) -> Floats:
    """(T,) average precision at each IoU."""
    return np.array([precision_at(*curve.rates(t)[:2]).mean() for t in range(len(curve.right))])


def voc07(curve: Curve) -> float:
    """The mean over 11 points of recall of the highest precision from there on."""
    recall, precision, _ = curve.rates()
    return float(np.mean([max(precision[recall >= point - 1e-12], default=0.0) for point in np.linspace(0, 1, 11)]))


def voc10(curve: Curve) -> float:
    """The area below the monotone curve."""
    recall, precision, _ = curve.rates()
    monotone = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * monotone).sum())


def _matched(true: Objects, detected: Objects) -> Curve:
    """One image: which detections are right, and which count, at each of THRESHOLDS."""
    shape = (len(THRESHOLDS), len(detected.scores))
    right, counted = np.zeros(shape, bool), np.ones(shape, bool)
    wanted, passed = true.boxes[~true.difficult], true.boxes[true.difficult]
    overlap = boxes.iou(detected.boxes, wanted)
    covered = _covered(detected.boxes, passed)
    for level, threshold in enumerate(THRESHOLDS):
        needed, free = min(threshold, 1 - 1e-10), overlap.copy()
        for index in range(shape[1]):
            best = int(free.shape[1] - 1 - free[index, ::-1].argmax()) if len(wanted) else 0  # of equals the last
            if len(wanted) and free[index, best] >= needed:
                right[level, index] = True
                free[:, best] = -1
            elif covered[index] >= needed:
                counted[level, index] = False
    return Curve(detected.scores, right, counted, len(wanted))


def _covered(detected: Floats, passed: Floats) -> Floats:
    """(D,) the largest share of each detection that lies in one difficult object."""
    if not len(passed):
        return np.zeros(len(detected))
    first, second = detected[:, None], passed[None]
    low, high = np.maximum(first[..., :2], second[..., :2]), np.minimum(first[..., 2:], second[..., 2:])
    inside = np.prod(np.maximum(high - low, 0), axis=2)
    return np.asarray((inside / np.maximum(boxes.area(detected), 1e-12)[:, None]).max(axis=1))


def _joined(parts: Sequence[Curve]) -> Curve:
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    return Curve(
        scores[order],
        np.concatenate([part.right for part in parts], axis=1)[:, order],
        np.concatenate([part.counted for part in parts], axis=1)[:, order],
        sum(part.wanted for part in parts),
    )
