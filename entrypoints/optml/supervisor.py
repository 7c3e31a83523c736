"""What process 1 of a container owes its children: pass signals on, reap every zombie, exit as the worker did."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

_FORWARDED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def needed() -> bool:
    """Whether this process is process 1 (or a test says that it shall act so)."""
    return os.getpid() == 1 or os.environ.get("DRYDOCK_FORCE_INIT") == "1"


def split() -> int | None:
    """Go on in a child with a process group of its own: None there; here, when it has ended, its exit code.

    The signals are blocked from before the fork and taken with sigwait, so none is lost and none interrupts. SIGTERM
    goes to the worker alone, which decides what becomes of its data loaders; a terminal's signals go to its group.
    A handler that never runs shows those outside that SIGTERM is heard here: sigwait alone is not to be seen.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    watched = _FORWARDED | {signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    worker = os.fork()
    if worker == 0:
        os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return None
    signal.signal(signal.SIGTERM, lambda *_: None)
    with contextlib.suppress(OSError):
        os.setpgid(worker, worker)
    while True:
        received = signal.sigwait(watched)
        if received != signal.SIGCHLD:
            _forward(worker, received)
        elif (code := _reap(worker)) is not None:
            return code


def _forward(worker: int, received: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        if received == signal.SIGTERM:
            os.kill(worker, received)
        else:
            os.killpg(worker, received)


def _reap(worker: int) -> int | None:
    """Collect every child that has ended; the worker's exit code (128 + signal) once it is among them."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == worker:
                code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
    return code
