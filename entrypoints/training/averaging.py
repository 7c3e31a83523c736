"""Weights averaged over the last few epochs: on a few dozen photographs those of one batch swing with it."""

from __future__ import annotations

import math
from collections.abc import Callable

EPOCHS = 5


def averaging(batches: int) -> Callable[[int], float]:
    """Decay of the averaged weights after a number of updates: they look back about `EPOCHS` epochs of `batches`.

    Ultralytics' own looks back 10,000 updates and hardly averages in the first 2,000, so on a few dozen photographs the
    scores swing with the last batch.
    """
    horizon = min(10_000, EPOCHS * batches)
    return lambda updates: (1 - 1 / horizon) * (1 - math.exp(-updates / (0.6 * horizon)))
