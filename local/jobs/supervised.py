"""A program behind its supervisor: its output as it comes, its end, the order to end, and what a killed one left."""

import contextlib
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from local.jobs import memory, supervisor
from local.jobs.backend import Exit

_RECORD = "process.json"
_CHUNK_BYTES = 65536
_SUPERVISOR_S = 5.0  # it ends at once when the emulator does
_SOCKET_ROOM = 60  # a Unix socket's path has at most 107 bytes, and Python puts its own names below TMPDIR


class Process:
    """A program behind its supervisor."""

    def __init__(
        self, child: "subprocess.Popen[bytes]", folder: Path, grace_s: float, memory_ran_out: Callable[[], bool | None]
    ) -> None:
        self._child = child
        self._folder = folder
        self._grace_s = grace_s
        self._memory_ran_out = memory_ran_out
        self._pipe = threading.Lock()  # a stop must not write to a descriptor that wait() is closing

    def logs(self) -> Iterator[bytes]:
        assert self._child.stdout is not None
        ready = select.poll()
        with self._child.stdout as output, os.fdopen(os.pidfd_open(self._child.pid), "rb", buffering=0) as supervised:
            ready.register(output, select.POLLIN)
            ready.register(supervised, select.POLLIN)
            while events := [fd for fd, _ in ready.poll()]:
                if supervised.fileno() in events:
                    ready.unregister(supervised)
                    _clear(self._folder)  # in case the supervisor was killed: whoever is left could write for ever
                if output.fileno() in events:
                    chunk = os.read(output.fileno(), _CHUNK_BYTES)
                    if not chunk:
                        return
                    yield chunk

    def wait(self) -> Exit:
        code = self._child.wait()
        assert self._child.stdin is not None
        with self._pipe:
            self._child.stdin.close()
        _link(self._folder).unlink(missing_ok=True)
        return Exit(code if code >= 0 else 128 - code, self._memory_ran_out())

    def stop(self, grace_s: float | None = None) -> None:
        assert self._child.stdin is not None
        seconds = self._grace_s if grace_s is None else grace_s
        with self._pipe:
            if self._child.stdin.closed:
                return
            with contextlib.suppress(BrokenPipeError):  # it ended
                self._child.stdin.write(f"stop {seconds}\n".encode())


def run(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], grace_s: float) -> Process:
    """Start a command in a folder that is its own; ``clear`` ends it after the emulator was killed."""
    memory_ran_out = memory.watch()
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", supervisor.__file__, folder / _RECORD, *command],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        start_new_session=True,
    )
    return Process(child, folder, grace_s, memory_ran_out)


def clear(folder: Path) -> None:
    """Kill what a killed emulator left running in the folder, and remove what lies outside it."""
    _clear(folder)
    _link(folder).unlink(missing_ok=True)


def scratch(folder: Path) -> Path:
    """A TMPDIR inside the job's folder, reached through a short link when Unix sockets below it would not fit."""
    inside = folder / "tmp"
    inside.mkdir(exist_ok=True)
    if len(os.fsencode(inside)) <= _SOCKET_ROOM:
        return inside
    link = _link(folder)
    link.unlink(missing_ok=True)
    link.symlink_to(inside)
    return link


def _link(folder: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"drydock-{os.getuid()}-{digest}"


def _clear(folder: Path) -> None:
    """Kill what is recorded as running for the job of this folder, and wait until it is gone."""
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return
    guard, program = record["supervisor"], record["program"]
    _until(lambda: _is_gone(guard), _SUPERVISOR_S)
    if supervisor.process_start(program["pid"]) in (program["start"], None):  # else the id is another's by now
        for pid in supervisor.all_processes():
            if supervisor.process_fields(pid)[3:4] == [str(program["pid"])]:
                _kill(pid)
    if not _is_gone(guard):
        _kill(guard["pid"])
    _until(lambda: _is_gone(guard) and _is_gone(program), _SUPERVISOR_S)


def _is_gone(recorded: dict[str, int]) -> bool:
    return supervisor.process_start(recorded["pid"]) != recorded["start"]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
