"""An HTTP request as S3 reads it: bucket, key, query, headers, and a body that is verified as it is streamed."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from local.s3 import checksums, chunked
from local.s3.blobs import CHUNK_BYTES, hashed
from local.s3.checksums import Checksum, content_md5, new_hash, new_md5
from local.s3.errors import S3Error
from local.s3.store import MAXIMUM_KEY_BYTES

_BUCKET_HOST = re.compile(r"(?P<bucket>.{3,}?)(?:\.s3)?\.localhost(?::\d+)?")
_MAXIMUM_DOCUMENT_BYTES = 16 << 20
_MAXIMUM_BODY_BYTES = 5 << 30


@dataclass
class Request:
    """``headers`` have lower-case names; ``checksum`` is known once the body has been read to its end."""

    method: str
    bucket: str | None
    key: str | None
    query: dict[str, str]
    headers: dict[str, str]
    stream: chunked.Stream
    path: str = "/"
    checksum: Checksum | None = field(default=None, init=False)

    def body(self, algorithm: str | None = None, *, protected: bool = True) -> Iterator[bytes]:
        """The content in pieces. At its end S3Error IncompleteBody, BadDigest if it is not what was announced.

        With ``algorithm`` that checksum is computed although the request does not carry it; unless
        ``protected``, checksums in the headers are not those of the body.
        """
        trailers: dict[str, str] = {}
        pieces = self._decoded(trailers)
        announced = checksums.announced(self.headers) if protected else None
        algorithm = announced[0] if announced else algorithm
        computed = new_hash(algorithm) if algorithm else None
        md5 = self.headers.get("content-md5")
        expected_md5 = content_md5(md5) if md5 is not None else None
        md5_computed = new_md5() if expected_md5 else None
        yield from hashed(pieces, *[each for each in (computed, md5_computed) if each])
        if md5_computed and md5_computed.digest() != expected_md5:
            raise S3Error("BadDigest", ExpectedDigest=md5)
        if computed is None or algorithm is None:
            return
        if announced is None:
            self.checksum = Checksum(algorithm, checksums.encode(computed.digest()))
            return
        value = announced[1] or trailers.get(f"x-amz-checksum-{algorithm.lower()}")
        if value is None:
            raise S3Error("MalformedTrailerError", Trailer=f"x-amz-checksum-{algorithm.lower()}")
        self.checksum = checksums.verify(algorithm, value, computed.digest())

    def document(self, *, protected: bool) -> bytes:
        """The whole body of a request whose content is XML or JSON."""
        content = bytearray()
        for piece in self.body(protected=protected):
            content += piece
            if len(content) > _MAXIMUM_DOCUMENT_BYTES:
                raise S3Error("MaxMessageLengthExceeded", MaxMessageLengthBytes=_MAXIMUM_DOCUMENT_BYTES)
        return bytes(content)

    def _decoded(self, trailers: dict[str, str]) -> Iterator[bytes]:
        encoded = "aws-chunked" in self.headers.get("content-encoding", "") or self.headers.get(
            "x-amz-content-sha256", ""
        ).startswith("STREAMING-")
        pieces = chunked.decode(self._raw(), trailers) if encoded else self._raw()
        length = self._length("x-amz-decoded-content-length" if encoded else "content-length")
        received = 0
        for piece in pieces:
            received += len(piece)
            if received > _MAXIMUM_BODY_BYTES:
                raise S3Error("EntityTooLarge", MaxSizeAllowed=_MAXIMUM_BODY_BYTES)
            yield piece
        if length is not None and received != length:
            raise S3Error("IncompleteBody")

    def _length(self, header: str) -> int | None:
        value = self.headers.get(header)
        if value is None:
            if self.headers.get("transfer-encoding") is None and self.method == "PUT" and self.key:
                raise S3Error("MissingContentLength")
            return None
        if not value.isdecimal():
            raise S3Error("InvalidArgument", f"The {header} header is not a number", ArgumentValue=value)
        if int(value) > _MAXIMUM_BODY_BYTES:
            raise S3Error("EntityTooLarge", ProposedSize=value, MaxSizeAllowed=_MAXIMUM_BODY_BYTES)
        return int(value)

    def _raw(self) -> Iterator[bytes]:
        try:
            while piece := self.stream.read(CHUNK_BYTES):
                yield piece
        except (OSError, ValueError):  # the client went away, or its chunked coding is broken
            raise S3Error("IncompleteBody") from None


def drain(stream: chunked.Stream) -> None:
    """Read what is left of a body, so that the client gets to read the reply."""
    with suppress(OSError, ValueError):
        while stream.read(CHUNK_BYTES):
            pass


def read(environ: Mapping[str, Any]) -> Request:
    """The request in a WSGI environment; S3Error InvalidURI, KeyTooLongError."""
    path, _, query = _target(environ).partition("?")
    headers = _headers(environ)
    parameters = _query(query)
    headers = _restore_names(headers, parameters)
    host = _BUCKET_HOST.fullmatch(headers.get("host", ""))
    name = _decode(path.removeprefix("/"))
    bucket, _, key = (host["bucket"], "", name) if host else name.partition("/")
    if len(key.encode()) > MAXIMUM_KEY_BYTES:
        raise S3Error("KeyTooLongError", Size=len(key.encode()), MaxSizeAllowed=MAXIMUM_KEY_BYTES)
    return Request(
        environ["REQUEST_METHOD"], bucket or None, key or None, parameters, headers, environ["wsgi.input"], path
    )


def _target(environ: Mapping[str, Any]) -> str:
    """The request target as it was sent: PATH_INFO no longer tells %2F from a slash."""
    target: str = environ["REQUEST_URI"]
    return re.sub(r"^https?://[^/]*", "", target)


def _decode(text: str) -> str:
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode()
    except UnicodeError:
        raise S3Error("InvalidURI", URI=text) from None


def _query(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict"))
    except UnicodeError:
        raise S3Error("InvalidURI", URI=f"?{text}") from None


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    names = {name: name.removeprefix("HTTP_") for name in environ if name.startswith("HTTP_")}
    names |= {name: name for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}
    return {short.lower().replace("_", "-"): _utf8(environ[name]) for name, short in names.items()}


def _utf8(value: str) -> str:
    """WSGI gives header bytes as Latin-1; what is UTF-8 is read as that."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


def _restore_names(headers: dict[str, str], query: Mapping[str, str]) -> dict[str, str]:
    """WSGI folds ``_`` and ``-`` in header names; the names that were signed tell them apart."""
    signed = re.search(r"SignedHeaders=([^,\s]+)", headers.get("authorization", ""))
    names = (signed[1] if signed else query.get("X-Amz-SignedHeaders", "")).split(";")
    exact = {name.replace("_", "-"): name for name in names if "_" in name}
    return {exact.get(name, name): value for name, value in headers.items()}
