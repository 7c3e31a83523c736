"""How well label maps agree, against counts made by hand and by a slower way."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vision import mask_evaluation, mask_scores, transforms
from vision.mask_scores import IGNORED, Tally


def test_dice_and_iou_of_images_that_hold_a_defect() -> None:
    tally = Tally(1)
    half = np.array([[1, 1, 0, 0]], np.uint8)
    tally.add(half, np.array([[[0.9], [0.2], [0.7], [0.1]]], np.float32))  # one right, one missed, one too many
    tally.add(np.zeros((1, 4), np.uint8), np.full((1, 4, 1), 0.9, np.float32))  # without a defect: in neither mean
    assert tally.dice(0.5) == pytest.approx(0.5)
    assert tally.iou(0.5) == pytest.approx(1 / 3)
    assert tally.dice(0.125) == pytest.approx(4 / 5)
    assert tally.everywhere() == pytest.approx(2 * 2 / (4 + 2))


def test_the_best_threshold_is_one_that_the_decision_takes() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((64, 64)) < 0.2).astype(np.uint8)
    found = np.clip(labels * 0.3 + rng.normal(0.3, 0.1, labels.shape), 0, 1).astype(np.float32)[..., None]
    tally = Tally(1)
    tally.add(labels, found)
    threshold = tally.best_threshold()
    called = found[..., 0] >= threshold
    both = 2 * (called & (labels > 0)).sum() / (called.sum() + labels.sum())
    assert tally.dice(threshold) == pytest.approx(both)
    assert tally.dice(threshold) == max(tally.dice(n / 256) for n in range(1, 256))


def test_several_classes_and_pixels_beside_the_image() -> None:
    labels = np.array([[1, 2, 0, IGNORED]], np.uint8)
    found = np.array([[[0.8, 0.1], [0.6, 0.3], [0.1, 0.1], [0.9, 0.0]]], np.float32)
    tally = Tally(2)
    tally.add(labels, found)
    dice, _, images = tally.of_classes(0.5)
    assert dice.tolist() == pytest.approx([2 / 3, 0.0])
    assert images.tolist() == [1, 1]


def test_nothing_to_find_is_not_a_number_and_left_out() -> None:
    tally = Tally(1)
    tally.add(np.zeros((2, 2), np.uint8), np.zeros((2, 2, 1), np.float32))
    assert math.isnan(tally.dice(0.5))
    assert tally.best_threshold() == 0.5
    answers = [{"image_score": 0.1, "anomalous": False}]
    values = mask_evaluation.whole(tally, ["defect"], 0.5, answers, np.array([False]))
    assert "validation:dice" not in values
    assert values["per_class"] == {}
    assert values["image_accuracy"] == 1.0


def test_average_precision_of_pixels() -> None:
    tally = Tally(1)
    tally.add(np.array([[1, 0, 1, 0]], np.uint8), np.array([[[0.9], [0.8], [0.7], [0.1]]], np.float32))
    assert tally.average_precision() == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_the_most_suspicious_pixels() -> None:
    found = np.zeros((100, 1), np.float32)
    found[:8] = 1
    assert mask_scores.most(found) == 1.0


def test_labels_go_into_the_letterbox_by_the_nearest_pixel_and_values_come_back() -> None:
    image = np.zeros((40, 20, 3), np.uint8)
    pixels, box = transforms.padded(image, (32, 32))
    assert pixels.shape == (32, 32, 3)
    assert (box.content, box.left, box.top) == ((16, 32), 8, 0)
    labels = np.zeros((40, 20), np.uint8)
    labels[:, 10:] = 3
    seen = transforms.labels_to_input(labels, box, IGNORED)
    assert set(np.unique(seen)) == {0, 3, IGNORED}
    assert (seen[:, :8] == IGNORED).all()
    back = transforms.values_to_image((seen == 3).astype(np.float32), box)
    assert back.shape == (40, 20)
    assert ((back > 0.5) == (labels == 3)).mean() > 0.95
