from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vision import charts


def test_charts_are_drawn_from_one_epoch_and_from_values_that_are_not_finite(tmp_path):
    row = {"epoch": "1", " train/box_loss": "1.5", "val/box_loss": "nan", "metrics/mAP50(B)": "0.5", "lr/pg0": "0.1"}
    charts.curves(tmp_path / "curves.png", [row])
    charts.precision_recall(tmp_path / "pr.png", np.linspace(0, 1, 20), np.ones((2, 20)), ["a", "b"], [1.0, 0.5])
    charts.confusion(tmp_path / "confusion.png", np.eye(3) * 7, ["a", "b"])
    for name in ("curves.png", "pr.png", "confusion.png"):
        with Image.open(tmp_path / name) as chart:
            assert min(chart.size) > 300
            assert len(chart.convert("RGB").getcolors(1 << 20)) > 20


@pytest.mark.parametrize("epochs", [[1.0], [1.0, 2.0], [float(number) for number in range(1, 31)]])
def test_the_epochs_of_a_chart_are_whole_numbers(epochs):
    figure, (axis,) = charts.new_figure(1)
    charts.lines(axis, epochs, {"train": epochs}, "loss")
    figure.canvas.draw()
    low, high = axis.get_xlim()
    shown = [tick for tick in axis.get_xticks() if low <= tick <= high]
    assert shown
    assert all(tick == round(tick) for tick in shown)
