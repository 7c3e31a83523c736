"""A container that runs a job's program: its output as it comes, its end, and the order to end."""

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from local.jobs.backend import Exit
from local.jobs.engine import Engine, asked_to, if_it_can

_LONGEST_PIECE_BYTES = 65536
_LOOK_S = 0.05
_BLIND_LOOKS = 100  # 5 s


class Container:
    """A started container, whose output was attached to before it started."""

    def __init__(
        self,
        engine: Engine,
        identity: str,
        output: Iterator[tuple[bytes | None, bytes | None]],
        grace_s: float,
        remove: Callable[[], None],
        memory_ran_out: Callable[[], bool | None],
    ) -> None:
        """``output`` yields pieces of stdout and stderr; ``remove`` leaves nothing of the container.

        ``memory_ran_out`` is asked where the engine does not say that it did.
        """
        self._engine = engine
        self._id = identity
        self._output = output
        self._grace_s = grace_s
        self._remove = remove
        self._memory_ran_out = memory_ran_out
        self._lock = threading.Lock()
        self._killer: threading.Timer | None = None
        self._over = threading.Event()

    def logs(self) -> Iterator[bytes]:
        with asked_to("show the program's output"):
            yield from whole_lines(self._output)

    def wait(self) -> Exit:
        try:
            with asked_to("wait for the program's end"):
                code = self._engine.api.wait(self._id, timeout=None)["StatusCode"]
                killed = self._engine.api.inspect_container(self._id)["State"]["OOMKilled"]
        finally:
            self._end()
        return Exit(code, True if killed else self._memory_ran_out())

    def stop(self, grace_s: float | None = None) -> None:
        seconds = self._grace_s if grace_s is None else grace_s
        with self._lock:
            if self._over.is_set():
                return
            if self._killer:
                self._killer.cancel()
            else:
                threading.Thread(target=self._ask, name="stop", daemon=True).start()
            self._killer = threading.Timer(seconds, self._signal, ["SIGKILL"])
            self._killer.daemon = True
            self._killer.start()

    def _ask(self) -> None:
        """Send SIGTERM once the program hears it: the kernel drops what process 1 has no handler for, yet.

        Where another user's process cannot be looked into, one that only waits for signals seems deaf: it is also
        sent one in the meantime.
        """
        with if_it_can("look at the program"):
            pid = self._engine.api.inspect_container(self._id)["State"]["Pid"]
            looks = 0
            while hears_sigterm(pid) is False:
                if self._over.wait(_LOOK_S):
                    return
                looks += 1
                if looks == _BLIND_LOOKS:
                    self._signal("SIGTERM")
        self._signal("SIGTERM")

    def _signal(self, name: str) -> None:
        with if_it_can(f"send {name} to the program"):
            self._engine.api.kill(self._id, name)

    def _end(self) -> None:
        with self._lock:
            self._over.set()
            if self._killer:
                self._killer.cancel()
        self._remove()


def hears_sigterm(pid: int) -> bool | None:
    """Whether SIGTERM reaches a process of this machine that is process 1 of a container; None if there is no telling.

    It does if there is a handler, if the signal is blocked, and while the process waits for signals (sigwait), which
    the kernel shows as neither.
    """
    process = Path(f"/proc/{pid}")
    try:
        lines = (process / "status").read_text(encoding="utf-8", errors="replace").splitlines()
        waits_in = (process / "wchan").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    sets = [int(line.split()[1], 16) for line in lines if line.startswith(("SigCgt:", "SigBlk:"))]
    if not sets:
        return None
    return any(signals & 1 << signal.SIGTERM - 1 for signals in sets) or "sigtimedwait" in waits_in


def whole_lines(output: Iterator[tuple[bytes | None, bytes | None]]) -> Iterator[bytes]:
    """Pieces of stdout and stderr as one stream, in which neither cuts a line of the other in two."""
    waiting = [b"", b""]
    for pieces in output:
        for stream, piece in enumerate(pieces):
            if piece:
                text = waiting[stream] + piece
                end = _end_of_lines(text)
                waiting[stream] = text[end:]
                if end:
                    yield text[:end]
    out, err = waiting
    if out or err:
        yield out + (b"\n" if out and err else b"") + err


def _end_of_lines(text: bytes) -> int:
    """Where the last complete line ends; a final CR may be the first half of CR LF."""
    if len(text) > _LONGEST_PIECE_BYTES:
        return len(text)
    return max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1
