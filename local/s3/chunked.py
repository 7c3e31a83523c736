"""The ``aws-chunked`` content encoding: the body in chunks with sizes, and checksums in a trailer.

Chunk signatures are read over: Drydock checks no credentials.
"""

from collections.abc import Iterator
from typing import Protocol

from local.s3.errors import S3Error

_MAXIMUM_LINE_BYTES = 8192


class Stream(Protocol):
    """The part of ``wsgi.input`` that is used."""

    def read(self, size: int, /) -> bytes: ...


class Buffered:
    """Lines and exact counts from a stream that is read in large pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._offset = 0

    def line(self) -> str:
        """Up to CRLF, without it; S3Error IncompleteBody at the end of the stream."""
        while (end := self._buffer.find(b"\r\n", self._offset)) < 0:
            if len(self._buffer) - self._offset > _MAXIMUM_LINE_BYTES:
                raise _malformed()
            self._buffer, self._offset = self._buffer[self._offset :] + self._next(), 0
        line = self._buffer[self._offset : end]
        self._offset = end + 2
        return line.decode("latin-1")

    def take(self, size: int) -> Iterator[bytes]:
        """The next ``size`` bytes, in pieces; S3Error IncompleteBody if there are fewer."""
        while size:
            if self._offset == len(self._buffer):
                self._buffer, self._offset = self._next(), 0
            piece = self._buffer[self._offset : self._offset + size]
            self._offset += len(piece)
            size -= len(piece)
            yield piece

    def _next(self) -> bytes:
        piece = next(self._pieces, b"")
        if not piece:
            raise S3Error("IncompleteBody")
        return piece


def decode(pieces: Iterator[bytes], trailers: dict[str, str]) -> Iterator[bytes]:
    """The content of an aws-chunked body; its trailer's headers, lower-cased, are added to ``trailers``."""
    source = Buffered(pieces)
    while size := _size(source.line()):
        yield from source.take(size)
        if source.line():
            raise _malformed()
    while line := source.line():
        name, _, value = line.partition(":")
        trailers[name.strip().lower()] = value.strip()


def _size(line: str) -> int:
    digits = line.partition(";")[0].strip()
    try:
        size = int(digits, 16)
    except ValueError:
        raise _malformed() from None
    if size < 0:
        raise _malformed()
    return size


def _malformed() -> S3Error:
    return S3Error("InvalidRequest", "The aws-chunked body is malformed: a chunk must be SIZE-IN-HEX CRLF DATA CRLF")
