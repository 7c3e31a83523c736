"""How a program learns that it shall stop: the first SIGTERM sets a flag, the second raises `Stopped`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType


class Stopped(BaseException):
    """The program was told to stop: ends it with exit code 143 and no failure file. Raise it to unwind a framework."""


class _State:
    requested = False
    armed = False
    callbacks: list[Callable[[], None]] = []  # noqa: RUF012  (one process, one state)


def arm() -> None:
    """Install the handler in this process; its forked children (data loaders) keep the default and can be killed."""
    if not _State.armed:
        _State.armed = True
        os.register_at_fork(after_in_child=_disarm)
    signal.signal(signal.SIGTERM, _on_sigterm)


def stop_requested() -> bool:
    """Whether a SIGTERM has come; a training loop asks at every batch boundary."""
    return _State.requested


def leave_if_stopped() -> None:
    """Raise `Stopped` once a SIGTERM has come: called wherever a run can be left, at each batch too."""
    if _State.requested:
        raise Stopped


def on_stop(callback: Callable[[], None]) -> None:
    """Call back when the first SIGTERM comes, at once if it has.

    It runs inside the signal handler: it may set a flag or pass the signal on; printing there can fail as re-entrant.
    """
    _State.callbacks.append(callback)
    if _State.requested:
        _call_back()


def _on_sigterm(_signal: int, _frame: FrameType | None) -> None:
    if _State.requested:
        raise Stopped
    _State.requested = True
    _call_back()


def _call_back() -> None:
    while _State.callbacks:
        _State.callbacks.pop(0)()


def _disarm() -> None:
    if signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
