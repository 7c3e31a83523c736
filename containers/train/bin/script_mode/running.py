"""A child process that is told to stop when we are, and whose output is passed on and the end of it remembered."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from optml import stopping

_REMEMBERED_BYTES = 64 * 1024
_PIPE_BYTES = 64 * 1024
_SILENCE_S, _DRAIN_S = 2.0, 10.0
"""How long a finished script's own children may be silent, and may write, until nobody listens to them any more."""
_POLL_S = 0.1


@dataclass(frozen=True)
class End:
    code: int
    """Exit code, 128 + signal for a process that was killed."""
    stdout: str
    """The last 64 KiB."""
    stderr: str
    """The last 64 KiB."""


def run(command: Sequence[str], folder: Path, *, whole_group: bool) -> End:
    """Run to the end. The first SIGTERM goes to the process alone, so that its data loaders live until it has saved.

    A shell passes no signal on: with `whole_group` all that it started gets the SIGTERM too, and is waited for.
    """
    stopping.arm()
    group = 0 if whole_group else None
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=group)
    stopping.on_stop(lambda: _terminate(process, whole_group))
    over = threading.Event()
    listeners = _listen(process, over)
    code = process.wait()
    if whole_group and stopping.stop_requested():
        _wait_for_group(process.pid)
    over.set()
    stdout, stderr = (listener.end() for listener in listeners)
    return End(code if code >= 0 else 128 - code, stdout, stderr)


def _listen(process: subprocess.Popen[bytes], over: threading.Event) -> list[_Listener]:
    """To stdout and stderr of a process, which go to ours."""
    assert process.stdout is not None
    assert process.stderr is not None
    sys.stdout.flush()
    writing = threading.Lock()
    return [_Listener(process.stdout, 1, writing, over), _Listener(process.stderr, 2, writing, over)]


def _terminate(process: subprocess.Popen[bytes], whole_group: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        if whole_group:
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.send_signal(signal.SIGTERM)


class _Listener:
    """Passes on what comes through a pipe to a descriptor, which others write to as well: no line is cut in two."""

    def __init__(self, pipe: IO[bytes], ours: int, writing: threading.Lock, over: threading.Event) -> None:
        """``over`` is set once the script has ended."""
        self._pipe = pipe
        self._ours = ours
        self._writing = writing
        self._tail = bytearray()
        self._over = over
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def end(self) -> str:
        """The last of all that was written, once it is over."""
        self._thread.join(_DRAIN_S)
        return bytes(self._tail).decode("utf-8", "replace")

    def _pass_on(self) -> None:
        cut = b""
        while self._more() and (block := os.read(self._pipe.fileno(), _PIPE_BYTES)):
            self._tail += block
            del self._tail[:-_REMEMBERED_BYTES]
            text = cut + block
            end = text.rfind(b"\n") + 1 if len(block) == _PIPE_BYTES else len(text)
            self._write(text[: end or len(text)])
            cut = text[end:] if end else b""
        self._write(cut)

    def _more(self) -> bool:
        """Wait for more; False once the script has ended and whoever else holds the pipe has been silent."""
        while not select.select([self._pipe], [], [], _SILENCE_S)[0]:
            if self._over.is_set():
                return False
        return True

    def _write(self, text: bytes) -> None:
        with contextlib.suppress(OSError), self._writing:
            while text:
                text = text[os.write(self._ours, text) :]


def _wait_for_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.killpg(group, 0)
            time.sleep(_POLL_S)
