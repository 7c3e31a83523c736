import math

import pytest

from local.cli.standing import Standing, main_score, parse_metric, training_loss


@pytest.mark.parametrize(
    ("line", "name", "value", "epoch"),
    [
        ("#metric epoch=3 step=120 name=validation:mAP50 value=7.312000e-01;", "validation:mAP50", 0.7312, 3),
        ("#metric epoch=3 name=a value=1;", "a", 1.0, 3),
        ("#metric step=3 name=a value=-2.5;", "a", -2.5, None),
        ("#metric name=mAP50-95 value=1e3;\n", "mAP50-95", 1000.0, None),
    ],
)
def test_a_metric_line_is_read(line: str, name: str, value: float, epoch: int | None) -> None:
    metric = parse_metric(line)

    assert metric is not None
    assert (metric.name, metric.value, metric.epoch) == (name, value, epoch)


def test_a_value_that_is_not_finite_is_no_number() -> None:
    metric = parse_metric("#metric epoch=1 name=train:loss nonfinite=1;")

    assert metric is not None
    assert math.isnan(metric.value)


@pytest.mark.parametrize("line", ["", "epoch 3/10", "#metric", "#metric name=a value=1", "x #metric name=a value=1;"])
def test_any_other_line_is_not(line: str) -> None:
    assert parse_metric(line) is None


def test_the_loss_is_the_sum_of_the_training_losses_or_the_one_that_is_called_so() -> None:
    assert training_loss({"train:box_loss": 1.0, "train:cls_loss": 2.0, "validation:box_loss": 9.0}) == 3.0
    assert training_loss({"train:loss": 5.0, "train:cls_loss": 2.0}) == 5.0
    assert training_loss({"train:epoch_seconds": 1.0}) is None


def test_the_main_score_is_map50_if_there_is_one() -> None:
    assert main_score({"validation:precision": 0.1, "validation:mAP50": 0.2}) == ("mAP50", 0.2)
    assert main_score({"validation:accuracy": 0.1}) == ("accuracy", 0.1)
    assert main_score({"validation:loss": 0.1}) is None


def test_the_standing_follows_the_lines() -> None:
    standing = Standing(epochs=5)
    for line in (
        "#metric epoch=1 name=train:loss value=2.0;",
        "#metric epoch=2 name=train:loss value=1.5;",
        "#metric epoch=2 name=validation:mAP50 value=0.25;",
    ):
        metric = parse_metric(line)
        assert metric
        standing.take(metric)

    assert standing.epoch == 2
    assert standing.headline() == "loss 1.500  mAP50 0.250"
