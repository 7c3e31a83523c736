r"""A job's log: the program's output cut into lines, and the file that keeps them.

Everything a program writes appears: the last line without a newline, the pieces of a progress bar between
carriage returns, bytes that are not UTF-8 (as ``\xff``), and lines of any length (in pieces of 64 KiB).
"""

import re
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from local.jobs import jsonl

PIECE_BYTES = 65536
"""CloudWatch takes events of up to 256 KiB; undecodable bytes grow fourfold."""

_END_OF_LINE = re.compile(rb"\r?\n|\r(?!\Z)")  # a final CR may be the first half of CR LF


class Event(NamedTuple):
    """One line of a log."""

    t: int
    """Epoch milliseconds; never earlier than that of the line before."""
    m: str


class JobLog:
    """Appends lines to a JSONL file, ``{"t": epoch_ms, "m": line}`` each; safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        self._file = jsonl.Appender(path)
        self._lock = threading.Lock()
        self._last_ms = 0

    def append(self, lines: Iterable[str]) -> list[Event]:
        """Write the lines at once and return them with their times."""
        with self._lock:
            self._last_ms = max(self._last_ms, time.time_ns() // 1_000_000)
            events = [Event(self._last_ms, line) for line in lines]
            self._file.append(event._asdict() for event in events)
        return events

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> Iterator[Event]:
    """The events of a log file."""
    return (Event(**document) for document in jsonl.read(path))


def split_lines(chunks: Iterable[bytes]) -> Iterator[list[str]]:
    """The lines that each chunk completes; LF, CR LF and CR end a line, an empty piece before a bare CR is none."""
    pending = b""
    for chunk in chunks:
        pending += chunk
        lines, start = [], 0
        for end in _END_OF_LINE.finditer(pending):
            line = pending[start : end.start()]
            start = end.end()
            if line or end.group() != b"\r":
                lines += _pieces(line)
        pending = pending[start:]
        unended = pending.removesuffix(b"\r")
        *whole, rest = _cut(unended)
        lines += [_text(piece) for piece in whole]
        pending = rest + pending[len(unended) :]
        if lines:
            yield lines
    rest = pending.removesuffix(b"\r")
    if rest:
        yield _pieces(rest)


def _pieces(line: bytes) -> list[str]:
    return [_text(piece) for piece in _cut(line)]


def _cut(line: bytes) -> list[bytes]:
    """The line in pieces of at most PIECE_BYTES that do not split a character."""
    pieces = []
    while len(line) > PIECE_BYTES:
        end = PIECE_BYTES
        while end > PIECE_BYTES - 4 and line[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(line[:end])
        line = line[end:]
    return [*pieces, line]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace")
