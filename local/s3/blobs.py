"""Bytes of objects and parts, each an immutable file that is on disk before anything refers to it."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

CHUNK_BYTES = 1 << 20


class Hash(Protocol):
    """What a hashlib object and our checksums have in common."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


@dataclass(frozen=True)
class Blob:
    """A file of the store: its name and its size in bytes."""

    name: str
    size: int


class Blobs:
    """The files below ``root``: ``incoming/`` while they are written, ``objects/ab/abcd…`` from then on."""

    def __init__(self, root: Path) -> None:
        self._incoming = root / "incoming"
        self._objects = root / "objects"
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._objects.mkdir(exist_ok=True)
        existing = {path.name for path in self._objects.iterdir()}
        for name in {f"{number:02x}" for number in range(256)} - existing:
            (self._objects / name).mkdir()
        _sync_folder(self._objects)
        _sync_folder(root)

    def path(self, name: str) -> Path:
        return self._objects / name[:2] / name

    @contextmanager
    def receive(self, chunks: Iterable[bytes]) -> Iterator[Blob]:
        """A new blob holding ``chunks``, on disk when the block begins; removed again if the block raises."""

        def write(path: Path) -> None:
            with path.open("xb") as file:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())

        with self._create(write) as blob:
            yield blob

    @contextmanager
    def copy(self, name: str) -> Iterator[Blob]:
        """A second blob with the bytes of ``name``: a hard link, or a copy where the file system has none."""

        def write(path: Path) -> None:
            try:
                os.link(self.path(name), path)
            except FileNotFoundError:
                raise
            except OSError:
                shutil.copyfile(self.path(name), path)
                with path.open("rb") as file:
                    os.fsync(file.fileno())

        with self._create(write) as blob:
            yield blob

    def remove(self, names: Iterable[str]) -> None:
        """Remove blobs that nothing refers to any more; what resists goes at the next start."""
        for name in names:
            with suppress(OSError):
                self.path(name).unlink(missing_ok=True)

    def sweep(self, referenced: set[str]) -> None:
        """Remove what a killed process left behind: unfinished files and those that nothing refers to."""
        for path in [*self._incoming.iterdir(), *self._objects.glob("??/*")]:
            if path.parent == self._incoming or path.name not in referenced:
                path.unlink()

    @contextmanager
    def _create(self, write: Callable[[Path], None]) -> Iterator[Blob]:
        name = uuid.uuid4().hex
        temporary, final = self._incoming / name, self.path(name)
        try:
            write(temporary)
            size = temporary.stat().st_size
            temporary.rename(final)
            _sync_folder(final.parent)
            yield Blob(name, size)
        except Exception:
            for path in (temporary, final):
                with suppress(OSError):
                    path.unlink(missing_ok=True)
            raise


def read_chunks(file: BinaryIO, start: int = 0, size: int | None = None) -> Iterator[bytes]:
    """``size`` bytes of an open file from offset ``start``, to its end by default."""
    file.seek(start)
    while size is None or size > 0:
        chunk = file.read(CHUNK_BYTES if size is None else min(CHUNK_BYTES, size))
        if not chunk:
            return
        if size is not None:
            size -= len(chunk)
        yield chunk


def hashed(chunks: Iterable[bytes], *hashes: Hash) -> Iterator[bytes]:
    """The chunks, unchanged, fed to each hash as they pass."""
    for chunk in chunks:
        for each in hashes:
            each.update(chunk)
        yield chunk


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
