"""Reads an image from an OCI layout (folder or tar), from the tar of ``docker save``, or from an engine.

All of them are a series of files, of which JSON documents are kept and layers read once. What lies on disk is gone
through twice, so that only the layers of the image asked for are read; an engine's stream has no others.
"""

import io
import json
import platform
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

from local.doctor import layer, manifests
from local.doctor.errors import UnreadableError
from local.doctor.image import Image, with_history
from local.doctor.layer import Layer

Say = Callable[[str], None]

_LARGEST_DOCUMENT_BYTES = 16 << 20
_WORTH_TELLING_BYTES = 200_000_000
_STREAM_BYTES = 1 << 20
_BROKEN = (tarfile.TarError, EOFError, zlib.error, OSError, UnicodeDecodeError)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Member:
    """One file of an archive."""

    name: str
    size_bytes: int
    content: Any
    """An ``io.BufferedReader``; None for a link."""
    link: str = ""
    """Name of the file that it stands for."""
    seekable: bool = False


@dataclass
class Found:
    """What one pass over an archive has brought."""

    documents: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, Layer] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def names(self, manifest: manifests.Manifest) -> list[str]:
        return [self.links.get(name, name) for name in manifest.layers]


def host_platform() -> str:
    """The platform of this machine's containers, ``linux/amd64``."""
    return f"linux/{_ARCHITECTURES.get(platform.machine(), platform.machine())}"


def of_path(path: Path, wanted: str, say: Say) -> Image:
    """The image of a layout's folder or of an archive's file; ``wanted`` is its platform where there are several."""
    with _told(str(path)):
        files = _of_folder if path.is_dir() else _of_tar
        first = _collect(files(path), frozenset(), say)
        manifest = manifests.find(first.documents, wanted)
        names = first.names(manifest)
        second = _collect(files(path), frozenset(names), say)
    return Image(str(path), manifest.config, _layers(second, names, manifest))


def of_engine(api: Any, reference: str, wanted: str, say: Say) -> Image:
    """The image of that name in an engine (``docker.APIClient``), which saves it for this."""
    with _told(reference):
        stream = io.BufferedReader(_Chunks(api.get_image(reference, chunk_size=_STREAM_BYTES)), _STREAM_BYTES)
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_STREAM_BYTES) as tar:
            found = _collect(_members(tar, seekable=False), None, say)
        manifest = manifests.find(found.documents, wanted)
    return Image(reference, manifest.config, _layers(found, found.names(manifest), manifest), reference)


def _layers(found: Found, names: list[str], manifest: manifests.Manifest) -> list[Layer]:
    missing = [name for name in names if name not in found.layers]
    if missing:
        raise UnreadableError(f"the archive is incomplete: it has no layer {missing[0]}", "save the image again")
    return with_history(manifest.config, [found.layers[name] for name in names])


def _collect(members: Iterable[Member], only: Set[str] | None, say: Say) -> Found:
    """Documents and links, and the layers named in ``only``, or all."""
    found = Found()
    for member in members:
        if member.link:
            found.links[member.name] = member.link
            continue
        head = member.content.peek(512)[:512]
        if head[:1] in (b"{", b"[") and member.size_bytes <= _LARGEST_DOCUMENT_BYTES:
            found.documents[member.name] = _json(member)
        elif layer.is_layer(head) and (only is None or member.name in only):
            if member.size_bytes > _WORTH_TELLING_BYTES:
                say(f"reading a layer of {member.size_bytes / 1e9:.1f} GB")
            found.layers[member.name] = layer.read(member.content, member.name, member.seekable)
    return found


def _json(member: Member) -> Any:
    try:
        return json.loads(member.content.read())
    except ValueError:
        return None


def _of_folder(path: Path) -> Iterator[Member]:
    for file in sorted(path.rglob("*")):
        if file.is_file():
            with file.open("rb") as content:
                yield Member(file.relative_to(path).as_posix(), file.stat().st_size, content, seekable=True)


def _of_tar(path: Path) -> Iterator[Member]:
    with path.open("rb") as file:
        plain = file.read(262)[257:] == b"ustar"
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:" if plain else "r|*", bufsize=_STREAM_BYTES) as tar:
            yield from _members(tar, plain)


def _members(tar: tarfile.TarFile, seekable: bool) -> Iterator[Member]:
    for member in tar:
        name = normpath(member.name)
        if member.issym() or member.islnk():
            target = join(dirname(name), member.linkname) if member.issym() else member.linkname
            yield Member(name, 0, None, link=normpath(target))
        elif member.isreg():
            yield Member(name, member.size, tar.extractfile(member), seekable=seekable)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turns what a damaged archive brings about into one error."""
    try:
        yield
    except _BROKEN as error:
        raise UnreadableError(
            f"{name} cannot be read as an image: {error}",
            "name an image of the engine, a tar of docker save, or an OCI layout",
        ) from error


class _Chunks(io.RawIOBase):
    """Chunks of bytes as a file that is read once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
