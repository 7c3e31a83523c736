"""How the learning rate moves: a rise from nothing, then one cosine. Imports no framework."""

from __future__ import annotations

import math

WARM_UP = 0.1
"""Share of all steps in which the learning rate rises from nothing."""


def learning_rate(peak: float, updates: int, steps: int) -> float:
    """After `updates` of `steps` updates; the cosine ends at a hundredth of the peak."""
    rising = min(1.0, (updates + 1) / max(1.0, WARM_UP * steps))
    return peak * rising * (0.505 + 0.495 * math.cos(math.pi * min(1.0, updates / steps)))
