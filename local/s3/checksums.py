"""S3's additional checksums: which ones a request carries, how they are computed, how parts combine."""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from local.s3.blobs import Hash
from local.s3.crc import CRC32C, CRC64NVME, Polynomial, crc
from local.s3.errors import S3Error, invalid_argument, not_implemented

_HEADER = "x-amz-checksum-"
_NOT_VALUES = frozenset({"algorithm", "mode", "type"})


class _Crc:
    """A CRC with the interface of a hashlib object; ``digest`` is big-endian, as S3 sends it."""

    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function, self._size, self._value = function, size, 0

    def update(self, data: bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


def _polynomial(polynomial: Polynomial) -> Callable[[], Hash]:
    return lambda: _Crc(lambda data, value: crc(polynomial, data, value), polynomial.bits // 8)


_ALGORITHMS: dict[str, Callable[[], Hash]] = {
    "CRC32": lambda: _Crc(zlib.crc32, 4),
    "CRC32C": _polynomial(CRC32C),
    "CRC64NVME": _polynomial(CRC64NVME),
    "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
}


@dataclass(frozen=True)
class Checksum:
    """A value as S3 writes it: base64, with ``-N`` behind it if it is composed of N parts' checksums."""

    algorithm: str
    value: str
    type: str = "FULL_OBJECT"

    def members(self) -> dict[str, str]:
        """The members of an output shape that carry it."""
        return {f"Checksum{self.algorithm}": self.value, "ChecksumType": self.type}


def new_hash(algorithm: str) -> Hash:
    """A fresh computation; S3Error NotImplemented for an algorithm that we cannot verify."""
    if algorithm not in _ALGORITHMS:
        raise not_implemented(f"The checksum algorithm {algorithm} is not implemented; use {', '.join(_ALGORITHMS)}")
    return _ALGORITHMS[algorithm]()


def new_md5() -> Hash:
    """For entity tags and Content-MD5."""
    return hashlib.md5(usedforsecurity=False)


def encode(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def announced(headers: Mapping[str, str]) -> tuple[str, str | None] | None:
    """The algorithm that a request's body is protected by, and the value unless it follows in a trailer."""
    values = {
        name.removeprefix(_HEADER).upper(): value
        for name, value in headers.items()
        if name.startswith(_HEADER) and name.removeprefix(_HEADER) not in _NOT_VALUES
    }
    trailer = headers.get("x-amz-trailer", "").strip().lower()
    if len(values) + bool(trailer) > 1:
        raise S3Error(
            "InvalidRequest",
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        )
    if trailer:
        if not trailer.startswith(_HEADER):
            message = "The value specified in the x-amz-trailer header is not supported"
            raise invalid_argument(message, "x-amz-trailer", trailer)
        return trailer.removeprefix(_HEADER).upper(), None
    for algorithm, value in values.items():
        return algorithm, _checked(algorithm, value)
    if "x-amz-sdk-checksum-algorithm" in headers:
        raise S3Error(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* "
            "or x-amz-trailer headers were found.",
        )
    return None


def verify(algorithm: str, expected: str, digest: bytes) -> Checksum:
    """The checksum that a client sent; S3Error BadDigest if the bytes have another."""
    if _checked(algorithm, expected) != encode(digest):
        raise S3Error("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
    return Checksum(algorithm, expected)


def given(params: Mapping[str, Any]) -> Checksum | None:
    """The checksum among an operation's members, as in the elements of CompleteMultipartUpload."""
    for name, value in params.items():
        if name.startswith("Checksum") and name not in ("ChecksumAlgorithm", "ChecksumType", "ChecksumMode"):
            return Checksum(name.removeprefix("Checksum"), value)
    return None


def composite(algorithm: str, parts: Iterable[str]) -> Checksum:
    """The checksum of the parts' checksums."""
    values = list(parts)
    total = new_hash(algorithm)
    for value in values:
        total.update(base64.b64decode(value))
    return Checksum(algorithm, f"{encode(total.digest())}-{len(values)}", "COMPOSITE")


def content_md5(value: str) -> bytes:
    """The 16 bytes of a Content-MD5 header; S3Error InvalidDigest."""
    try:
        digest = base64.b64decode(value, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 16:
        raise S3Error("InvalidDigest", Content_MD5=value)
    return digest


def _checked(algorithm: str, value: str) -> str:
    try:
        size = len(base64.b64decode(value, validate=True))
    except binascii.Error:
        size = -1
    if size != len(new_hash(algorithm).digest()):
        raise S3Error("InvalidRequest", f"Value for {_HEADER}{algorithm.lower()} header is invalid.")
    return value
