"""Weights averaged over the last few epochs: on a few dozen photographs those of one batch swing with it."""

from __future__ import annotations

import math
from collections.abc import Callable

EPOCHS = 5
SHARE = 1 / 8
"""Of all epochs, for programs of ours to look back over: the weights of a short run else lag behind what it learns."""


def averaging(batches: int, look_back: float = EPOCHS) -> Callable[[int], float]:
    """Decay of the averaged weights after a number of updates: they look back some epochs of `batches`, five at most.

    Ultralytics' own looks back 10,000 updates and hardly averages in the first 2,000, so on a few dozen photographs the
    scores swing with the last batch.
    """
    horizon = max(1.0, min(10_000, min(EPOCHS, look_back) * batches))
    return lambda updates: (1 - 1 / horizon) * (1 - math.exp(-updates / (0.6 * horizon)))
