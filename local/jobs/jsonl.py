"""Files of one JSON document a line that survive a crash: appended to line by line, read without the broken line."""

import errno
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any


class Appender:
    """An open file that takes documents; each ``append`` is one write."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b", buffering=0)
        if self._file.tell() and os.pread(self._file.fileno(), 1, self._file.tell() - 1) != b"\n":
            self._file.write(b"\n")  # a crash cut the last line short; the next one must not be lost with it

    def append(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Write the documents; OSError if the disk does not take all of them."""
        data = b"".join(json.dumps(document).encode() + b"\n" for document in documents)
        if self._file.write(data) != len(data):
            self._file.write(b"\n")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._file.name)

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The documents of a file, none if it does not exist; lines that a crash cut short are left out."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                continue
