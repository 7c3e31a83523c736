"""Reads a layer's tar once, from front to back, and keeps what the checks ask about: names, modes, sizes, and a few
facts of what files contain. Nothing is unpacked.
"""

import gzip
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, Any

from local.doctor import elf, traces, window
from local.doctor.elf import Elf
from local.doctor.errors import UnreadableError
from local.doctor.traces import Trace

MOST_TEXT_BYTES = 64 << 10
_READ_BYTES = 1 << 20
_KEPT = {"etc/passwd", "etc/os-release", "usr/lib/os-release"}
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
"""Members that take away: one file or folder of a lower layer, or all of a folder's."""
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Kind(StrEnum):
    file = "file"
    folder = "folder"
    symlink = "symlink"
    hardlink = "hardlink"
    other = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of a layer."""

    kind: Kind
    mode: int
    """Permission bits, set-user-ID and sticky included."""
    size_bytes: int = 0
    target: str = ""
    """Of a link, as written."""
    text: bytes | None = None
    """The beginning of a script, and of the few files that the checks read."""
    elf: Elf | None = None
    unread: bool = False
    """An ELF file whose tables were not at hand while it streamed past."""
    trace: Trace | None = None


@dataclass
class Layer:
    """What one layer adds; a member ``.wh.NAME`` takes NAME of a lower one away."""

    digest: str
    entries: dict[str, Entry] = field(default_factory=dict)
    """By path, without a leading slash."""
    created_by: str = ""
    """What the history of the image says of it."""

    @property
    def size_bytes(self) -> int:
        return sum(entry.size_bytes for entry in self.entries.values())


def is_layer(head: bytes) -> bool:
    """Whether a blob that begins so (512 bytes) is a layer's tar, compressed or not; an empty tar is zeros."""
    return head[257:262] == b"ustar" or head[:2] == _GZIP or head[:4] == _ZSTD or (bool(head) and not any(head))


def read(blob: Any, digest: str, seekable: bool) -> Layer:
    """The layer of a blob, an ``io.BufferedReader``; ``seekable`` saves reading what nobody asks about."""
    layer = Layer(digest)
    with _opened(blob, seekable) as (tar, can_seek):
        for member in tar:
            path = member.name.removeprefix("./").strip("/")
            if path and path != ".":
                layer.entries[path] = _entry(tar, member, path, can_seek)
    return layer


@contextmanager
def _opened(blob: Any, seekable: bool) -> Iterator[tuple[tarfile.TarFile, bool]]:
    head = blob.peek(4)[:4]
    if head[:2] == _GZIP:
        with gzip.GzipFile(fileobj=blob) as plain, _streamed(plain) as tar:
            yield tar, False
    elif head == _ZSTD:
        with _zstd(blob) as plain, _streamed(plain) as tar:
            yield tar, False
    elif seekable:
        with tarfile.open(fileobj=blob, mode="r:") as tar:
            yield tar, True
    else:
        with _streamed(blob) as tar:
            yield tar, False


def _streamed(plain: Any) -> tarfile.TarFile:
    return tarfile.open(fileobj=plain, mode="r|", bufsize=_READ_BYTES)


def _zstd(blob: Any) -> Any:
    for module in ("compression.zstd", "backports.zstd"):
        try:
            return __import__(module, fromlist=["ZstdFile"]).ZstdFile(blob)
        except ImportError:
            continue
    raise UnreadableError(
        "a layer is compressed with zstd, and this Python has nothing that reads it",
        "docker load -i FILE, then name the image; or build with compression=gzip",
    )


def _entry(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str, can_seek: bool) -> Entry:
    mode = member.mode & 0o7777
    if member.isdir():
        return Entry(Kind.folder, mode)
    if member.issym():
        return Entry(Kind.symlink, mode, target=member.linkname)
    if member.islnk():
        return Entry(Kind.hardlink, mode, target=member.linkname.removeprefix("./").strip("/"))
    if not member.isreg():
        return Entry(Kind.other, mode)
    return file_entry(tar.extractfile(member), path, mode, member.size, can_seek)


def file_entry(stream: Any, path: str, mode: int, size: int, can_seek: bool) -> Entry:
    """What is kept of a regular file of that many bytes; ``stream`` is an ``io.BufferedReader``."""
    if size == 0:
        return Entry(Kind.file, mode)
    head = stream.peek(4)[:4]
    if head == elf.MAGIC:
        facts, unread = _elf(stream, size, can_seek)
        return Entry(Kind.file, mode, size, elf=facts, unread=unread)
    script = head[:2] == b"#!" or path in _KEPT
    secret = traces.worth_reading(path, size)
    if not (script or secret):
        return Entry(Kind.file, mode, size)
    data = stream.read() if secret else stream.read(MOST_TEXT_BYTES)
    trace = traces.of_file(path, data) if secret else None
    return Entry(Kind.file, mode, size, text=data[:MOST_TEXT_BYTES] if script else None, trace=trace)


def _elf(stream: IO[bytes], size_bytes: int, can_seek: bool) -> tuple[Elf | None, bool]:
    try:
        return elf.read(window.of_file(stream) if can_seek else window.of_stream(stream, size_bytes)), False
    except LookupError:
        return None, True
