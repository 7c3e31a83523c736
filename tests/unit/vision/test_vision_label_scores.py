"""Areas under curves, thresholds and accuracies against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from vision import label_evaluation, label_scores


@pytest.fixture(params=range(6))
def case(request):
    """Scores with ties, and which of them are positive."""
    rng = np.random.default_rng(request.param)
    positive = rng.random(40) < 0.4
    return np.round(rng.random(40) + 0.3 * positive, 1), positive


def test_auroc_is_how_often_a_positive_scores_higher(case):
    scores, positive = case
    pairs = scores[positive][:, None] - scores[~positive][None]
    expected = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    assert label_scores.auroc(label_scores.curves(scores, positive)) == pytest.approx(expected)


def test_average_precision_is_the_step_integral(case):
    scores, positive = case
    total, recalled = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        accepted = scores >= threshold
        recall = (accepted & positive).sum() / positive.sum()
        total += (recall - recalled) * (accepted & positive).sum() / accepted.sum()
        recalled = recall
    assert label_scores.average_precision(label_scores.curves(scores, positive)) == pytest.approx(total)


def test_no_threshold_is_better_than_the_chosen_one(case):
    scores, positive = case

    def balanced(threshold: float) -> float:
        return ((scores >= threshold)[positive].mean() + (scores < threshold)[~positive].mean()) / 2

    chosen = label_scores.best_threshold(label_scores.curves(scores, positive))
    assert balanced(chosen) == pytest.approx(max(balanced(t) for t in [*scores, 2.0]))


def test_a_threshold_between_two_scores_lies_half_way():
    curves = label_scores.curves(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True]))
    assert label_scores.best_threshold(curves) == pytest.approx(0.5)


def test_confusion_and_what_follows_from_it():
    matrix = label_scores.confusion(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 3)
    assert matrix.tolist() == [[2, 0, 0], [1, 1, 0], [0, 0, 0]]
    precision, recall, f1 = label_scores.of_classes(matrix)
    assert precision.tolist() == pytest.approx([1, 0.5, 0])
    assert recall.tolist() == pytest.approx([2 / 3, 1, 0])
    assert f1.tolist() == pytest.approx([0.8, 2 / 3, 0])
    assert label_scores.accuracy(matrix) == 0.75
    assert label_scores.balanced_accuracy(matrix) == pytest.approx(5 / 6)  # class 2 has no image


def test_the_threshold_decides_between_two_classes():
    found = np.array([[0.7, 0.3], [0.2, 0.8]])
    assert label_evaluation.decided(found, 1, 0.25).tolist() == [1, 1]
    assert label_evaluation.decided(found, 0, 0.9).tolist() == [1, 1]
    assert label_evaluation.decided(found, None, None).tolist() == [0, 1]
    whole = label_evaluation.whole(found, np.array([0, 1]), ("ok", "bad"), 1, 0.25)
    assert whole["validation:accuracy"] == 0.5
    assert whole["validation:auroc"] == 1
    assert whole["majority_accuracy"] == 0.5
    assert whole["per_class"]["ok"] == {"precision": 0, "recall": 0, "f1": 0, "images": 1}


@pytest.mark.parametrize("label", [0, 1])
def test_what_images_of_one_class_leave_undefined_is_left_out(label):
    whole = label_evaluation.whole(np.array([[0.7, 0.3], [0.2, 0.8]]), np.full(2, label), ("ok", "bad"), 1, 0.5)
    assert {name for name in whole if name.startswith("validation:")} == {
        "validation:accuracy", "validation:balanced_accuracy",
    }  # fmt: skip
    assert whole["validation:accuracy"] == 0.5
