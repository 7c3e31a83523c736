"""How long a compiled model takes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from optml.errors import Refusal
from runtimes import Session

WARM_UP = 5
"""Inferences that are not counted: memory is laid out, clocks rise."""


def latency(session: Session, runs: int) -> dict[str, Any]:
    """Percentiles over `runs` inferences of one input, milliseconds; no reading or letterboxing of images."""
    if runs < 1:
        raise Refusal(f"--runs is {runs}", "give a number of inferences, 1 or more")
    array = np.random.default_rng(0).random(session.shape).astype(np.float32)
    started = time.perf_counter()
    session.predict(array)
    first_ms = (time.perf_counter() - started) * 1000
    for _ in range(WARM_UP - 1):
        session.predict(array)
    durations_ms = []
    for _ in range(runs):
        started = time.perf_counter()
        session.predict(array)
        durations_ms.append((time.perf_counter() - started) * 1000)
    p50, p90, p99 = np.percentile(durations_ms, (50, 90, 99))
    numbers = {"first_ms": first_ms, "min_ms": min(durations_ms), "p50_ms": p50, "p90_ms": p90, "p99_ms": p99}
    rounded = {name: round(float(value), 3) for name, value in numbers.items()}
    return {"runtime": session.runtime, "shape": list(session.shape), "runs": runs, **rounded}
