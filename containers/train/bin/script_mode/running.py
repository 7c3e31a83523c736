"""A child process that is told to stop when we are, and whose standard error is passed on and remembered."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from optml import stopping

_REMEMBERED_BYTES = 64 * 1024
_DRAIN_S = 2.0
"""For what a finished script's own children still write to its standard error."""
_POLL_S = 0.1


@dataclass(frozen=True)
class End:
    code: int
    """Exit code, 128 + signal for a process that was killed."""
    stderr: str
    """The last 64 KiB."""


def run(command: Sequence[str], folder: Path, *, whole_group: bool) -> End:
    """Run to the end. The first SIGTERM goes to the process alone, so that its data loaders live until it has saved.

    A shell passes no signal on: with `whole_group` all that it started gets the SIGTERM too, and is waited for.
    """
    stopping.arm()
    group = 0 if whole_group else None
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, process_group=group)
    stopping.on_stop(lambda: _terminate(process, whole_group))
    tail = bytearray()
    reader = threading.Thread(target=_pass_on, args=(process, tail), daemon=True)
    reader.start()
    code = process.wait()
    if whole_group and stopping.stop_requested():
        _wait_for_group(process.pid)
    reader.join(_DRAIN_S)
    return End(code if code >= 0 else 128 - code, bytes(tail).decode("utf-8", "replace"))


def _terminate(process: subprocess.Popen[bytes], whole_group: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        if whole_group:
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.send_signal(signal.SIGTERM)


def _pass_on(process: subprocess.Popen[bytes], tail: bytearray) -> None:
    assert process.stderr is not None
    while block := os.read(process.stderr.fileno(), 1 << 16):
        tail += block
        del tail[:-_REMEMBERED_BYTES]
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.buffer.write(block)
            sys.stderr.buffer.flush()


def _wait_for_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.killpg(group, 0)
            time.sleep(_POLL_S)
