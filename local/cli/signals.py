"""Ctrl-C, and the SIGTERM of whoever runs the command: the first one asks, the second one insists."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def noted() -> Iterator[list[int]]:
    """The first SIGINT or SIGTERM is only noted in the list that this yields, the second raises KeyboardInterrupt."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        if len(seen) > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_code(number: int) -> int:
    """Of a command that a signal ended, as shells have it."""
    return 128 + number


def name(number: int) -> str:
    """``SIGKILL`` for 9."""
    return next((known.name for known in signal.Signals if known == number), f"signal {number}")
