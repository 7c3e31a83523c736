"""How fast training goes: seconds of an epoch, and when a line of progress is due."""

from __future__ import annotations

import time

EVERY_S = 10.0


class Pace:
    """Times epochs and counts their batches."""

    def __init__(self) -> None:
        self.batches = 0
        self._started = self._said = time.monotonic()

    def start_epoch(self) -> None:
        self._started, self.batches = time.monotonic(), 0

    def due(self) -> bool:
        """Count a batch; True where the last progress line is ten seconds old."""
        self.batches += 1
        if time.monotonic() - self._said < EVERY_S:
            return False
        self._said = time.monotonic()
        return True

    def seconds(self) -> float:
        """Since the epoch began."""
        return time.monotonic() - self._started
