"""Average precision of detectors: by hand, and the same numbers as pycocotools where that is installed."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from vision import anchors, boxes, detection_evaluation, detection_scores
from vision.detection_scores import objects
from vision.record import Instance, Sample, build


def shifted(by: float) -> list[float]:
    return [0 + by, 0, 10 + by, 10]


def test_three_detections_of_two_objects():
    """Right, wrong, right: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1."""
    truth = [objects([shifted(0), shifted(50)], [0, 0])]
    found = [objects([shifted(0), shifted(100), shifted(51)], [0, 0, 0], [0.9, 0.8, 0.7])]
    curve = detection_scores.coco(truth, found, 0)
    assert [list(part) for part in curve.rates()[:2]] == [[0.5, 0.5, 1], [1, 0.5, pytest.approx(2 / 3)]]
    assert detection_scores.coco_average(curve)[0] == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)
    by_voc = detection_scores.voc(truth, found, 0)
    assert detection_scores.voc07(by_voc) == pytest.approx((6 * 1 + 5 * 2 / 3) / 11)
    assert detection_scores.voc10(by_voc) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_second_detection_of_one_object_is_wrong_and_one_of_a_difficult_object_does_not_count():
    truth = [objects([shifted(0), shifted(50)], [0, 0], difficult=[False, True])]
    found = [objects([shifted(0), shifted(1), shifted(50), shifted(51)], [0] * 4, [0.9, 0.8, 0.7, 0.6])]
    for curve in (detection_scores.coco(truth, found, 0), detection_scores.voc(truth, found, 0)):
        assert curve.wanted == 1
        assert [list(part) for part in curve.rates()[:2]] == [[1, 1], [1, 0.5]]


def test_the_best_confidence_is_where_nothing_wrong_is_reported():
    truth = [objects([shifted(0)], [0]), objects([], [])]
    found = [objects([shifted(0)], [0], [0.6]), objects([shifted(0)], [0], [0.4])]
    values, confidence = detection_evaluation.main_metrics(detection_evaluation.curves(truth, found, 1))
    assert values == {name: pytest.approx(1) for name in values}
    assert 0.4 < confidence <= 0.6


def test_classes_without_objects_count_nowhere_and_images_without_any_do():
    truth = [objects([shifted(0)], [1]), objects([], [])]
    found = [objects([shifted(0)], [1], [0.5]), objects([shifted(0), shifted(0)], [0, 1], [0.9, 0.9])]
    values, curves = detection_evaluation.whole(truth, found, ["a", "b", "c"], 0.5)
    assert list(values["per_class"]) == list(curves.classes) == ["b"]
    assert values["validation:mAP50"] == values["VOC10"] == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(4))
def test_the_numbers_of_pycocotools(seed):
    coco_module = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    rng = np.random.default_rng(seed)
    truth, found, annotations, results = [], [], [], []
    for image in range(12):
        corners = rng.uniform(0, 80, (rng.integers(0, 6), 2)).repeat(2, axis=0).reshape(-1, 4)
        corners[:, 2:] += rng.uniform(5, 40, (len(corners), 2))
        labels, hard = rng.integers(0, 3, len(corners)), rng.random(len(corners)) < 0.2
        near = np.repeat(corners, 3, axis=0) + rng.normal(0, 3, (3 * len(corners), 4))
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        named = np.where(rng.random(len(near)) < 0.8, np.repeat(labels, 3), rng.integers(0, 3, len(near)))
        scores = rng.random(len(near)).round(2)
        truth.append(objects(corners, labels, difficult=hard))
        found.append(objects(near, named, scores))
        for box, label, crowd in zip(corners, labels, hard, strict=True):
            size = (box[2:] - box[:2]).tolist()
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image, "category_id": int(label), "iscrowd": int(crowd)}
                | {"bbox": [*box[:2].tolist(), *size], "area": size[0] * size[1]}
            )
        for box, label, score in zip(near, named, scores, strict=True):
            bbox = [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]
            results.append({"image_id": image, "category_id": int(label), "bbox": bbox, "score": float(score)})
    data = coco_module.COCO()
    data.dataset = {
        "images": [{"id": i} for i in range(12)],
        "categories": [{"id": i} for i in range(3)],
        "annotations": annotations,
        "info": {},
    }
    data.createIndex()
    judge = evaluation.COCOeval(data, data.loadRes(results), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    values, _ = detection_evaluation.main_metrics(detection_evaluation.curves(truth, found, 3))
    assert values["validation:mAP50-95"] == pytest.approx(judge.stats[0], abs=1e-9)
    assert values["validation:mAP50"] == pytest.approx(judge.stats[1], abs=1e-9)


def test_anchors_reach_from_the_small_to_the_large_objects(tmp_path):
    objects_ = tuple(Instance(0, (0, 0, side, side), (200, 200)) for side in (10, 20, 40, 80, 160))
    data = build(["a"], [Sample(tmp_path / "a.jpg", "a.jpg", 200, 200, objects_, "")])
    assert anchors.input_size(data, 640) == 400
    assert anchors.input_size(data, 320) == 320
    assert anchors.input_size(data, 640, 500) == 500
    sizes = anchors.sizes(data, 400, 6)
    assert 20 <= sizes[0] <= 30
    assert 260 <= sizes[-1] <= 320
    assert all(b / a == pytest.approx(sizes[1] / sizes[0], rel=0.01) for a, b in itertools.pairwise(sizes))


def test_an_ssd_has_a_box_to_learn_from_for_nearly_every_object(tmp_path):
    """Sizes that merely followed the objects' put most of them on grids too coarse to see them."""
    rng = np.random.default_rng(0)
    sides = np.exp(rng.uniform(math.log(40), math.log(130), 60))
    corners = rng.uniform(0, 320 - sides[:, None], (60, 2))
    objects_ = tuple(Instance(0, (x, y, x + a, y + a), (320, 320)) for (x, y), a in zip(corners, sides, strict=True))
    data = build(["a"], [Sample(tmp_path / "a.jpg", "a.jpg", 320, 320, objects_, "")])
    grids = [anchors.Grid(cells, (2.0, 3.0)) for cells in (20, 10, 5, 3, 2, 1)]
    sizes = anchors.grid_sizes(data, 320, grids)
    assert sizes == sorted(sizes)
    overlap = boxes.iou([one.box for one in objects_], anchors.default_boxes(sizes, 320, grids)).max(axis=1)
    assert (overlap >= 0.5).mean() > 0.9
    followed = anchors.default_boxes(anchors.sizes(data, 320, 6), 320, grids)
    assert (boxes.iou([one.box for one in objects_], followed).max(axis=1) >= 0.5).mean() < 0.8
