"""The charts of a training run: curves over epochs, precision over recall, confusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from vision.pictures import COLORS, INK, PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def curves(path: Path, rows: Sequence[Mapping[str, str | float]]) -> None:
    """Write training curves from the rows of a results.csv (`epoch`, `train/…`, `val/…`, `metrics/…`) as PNG."""
    names = [name.strip() for name in rows[0]] if rows else []
    table = {name: [float(value) for value in column] for name, column in _columns(rows).items()}
    losses = list(dict.fromkeys(n.partition("/")[2] for n in names if n.startswith(("train/", "val/"))))
    scores = [n for n in names if n.startswith("metrics/")]
    figure, axes = new_figure(len(losses) + bool(scores))
    epochs = table.get("epoch", list(range(1, len(rows) + 1)))
    for axis, loss in zip(axes, losses, strict=False):
        series = {part: table[f"{part}/{loss}"] for part in ("train", "val") if f"{part}/{loss}" in table}
        lines(axis, epochs, series, loss.replace("_", " "))
    if scores:
        lines(axes[-1], epochs, {n.removeprefix("metrics/"): table[n] for n in scores}, "validation scores")
        axes[-1].set_ylim(0, 1.02)
    figure.savefig(path, dpi=110)


def precision_recall(
    path: Path, recall: ArrayLike, precision: ArrayLike, classes: Sequence[str], average_precision: Sequence[float]
) -> None:
    """Write a PNG of precision (C, N) over recall (N,), a line a class, with each class's average precision."""
    figure, (axis,) = new_figure(1, width=7.2)
    for i, (name, curve) in enumerate(zip(classes, np.atleast_2d(precision), strict=True)):
        label = f"{name}  AP50 {average_precision[i]:.3f}"
        axis.plot(np.asarray(recall), curve, color=COLORS[i % len(COLORS)], lw=2, label=label)
        axis.fill_between(np.asarray(recall), curve, color=COLORS[i % len(COLORS)], alpha=0.08, lw=0)
    axis.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axis.set_title("precision and recall at IoU 0.5", loc="left", fontsize=11)
    figure.legend(frameon=False, loc="outside right upper")  # a curve may be anywhere within
    figure.savefig(path, dpi=110)


def confusion(path: Path, matrix: ArrayLike, classes: Sequence[str], of: str = "objects") -> None:
    """Write a PNG of counts (C, C) or (C + 1, C + 1), [predicted, true]; the last of each is then "nothing there"."""
    counts = np.asarray(matrix, float)
    names = [*classes, "background"][: len(counts)]
    figure, (axis,) = new_figure(1, width=max(4.4, 2.6 + 0.75 * len(names)), height=max(3.8, 2 + 0.7 * len(names)))
    shares = counts / np.maximum(counts.sum(axis=0, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1.15)
    for y, x in np.ndindex(counts.shape):
        if y < len(classes) or x < len(classes):
            axis.text(x, y, f"{counts[y, x]:.0f}", ha="center", va="center", color=PAPER if shares[y, x] > 0.6 else INK)
    axis.set_xticks(range(len(names)), names, rotation=0 if len(names) < 5 else 40)
    axis.set_yticks(range(len(names)), names)
    axis.set(xlabel="true", ylabel="predicted")
    axis.set_title(f"confusion, number of {of}", loc="left", fontsize=11)
    axis.grid(visible=False)
    axis.tick_params(length=0)
    figure.savefig(path, dpi=110)


def _columns(rows: Sequence[Mapping[str, str | float]]) -> dict[str, list[str | float]]:
    return {name.strip(): [row[name] for row in rows] for name in rows[0]} if rows else {}


def new_figure(panels: int, width: float = 3.6, height: float = 3.8) -> tuple[Figure, list[Axes]]:
    """A figure of panels side by side, drawn by Agg; matplotlib's global state is not touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * max(1, panels), height), layout="constrained", facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(1, max(1, panels), i + 1) for i in range(max(1, panels))]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(visible=True, color="#E6E9EC", lw=0.8)
        axis.set_axisbelow(True)
        axis.tick_params(colors=INK, labelsize=9)
    return figure, axes


def lines(axis: Axes, epochs: Sequence[float], series: Mapping[str, Sequence[float]], title: str) -> None:
    """Draw values over whole epochs, a line a name."""
    from matplotlib.ticker import MaxNLocator

    for i, (name, values) in enumerate(series.items()):
        finite = [value if np.isfinite(value) else np.nan for value in values]
        axis.plot(
            epochs, finite, color=COLORS[i % len(COLORS)], lw=1.8, label=name, marker="o" if len(values) < 3 else ""
        )
    axis.set_title(title, loc="left", fontsize=11)
    axis.set_xlabel("epoch", fontsize=9)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    axis.legend(frameon=False, fontsize=8)
