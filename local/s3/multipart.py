"""Multipart uploads: parts are blobs and rows of their own until an upload is completed or aborted."""

import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from local.s3 import buckets, versions
from local.s3.blobs import Blob, Blobs, hashed, read_chunks
from local.s3.checksums import Checksum, composite, encode, new_hash, new_md5
from local.s3.database import Database
from local.s3.errors import S3Error
from local.s3.versions import (
    Attributes,
    Conditions,
    Content,
    Part,
    Version,
    from_milliseconds,
    now_milliseconds,
)

MINIMUM_PART_BYTES = 5 << 20
_TYPES = {"SHA1": "COMPOSITE", "SHA256": "COMPOSITE", "SHA512": "COMPOSITE", "CRC64NVME": "FULL_OBJECT"}


@dataclass(frozen=True)
class Upload:
    """A row of ``uploads``."""

    seq: int
    upload_id: str
    bucket: str
    key: str
    initiated: datetime
    attributes: Attributes
    checksum_algorithm: str | None
    checksum_type: str | None


@dataclass(frozen=True)
class UploadedPart:
    """A row of ``parts``."""

    number: int
    modified: datetime
    blob: str
    size: int
    etag: str
    checksum: str | None


@dataclass(frozen=True)
class WantedPart:
    """A part as CompleteMultipartUpload names it."""

    number: int
    etag: str
    checksum: Checksum | None


def create(
    connection: sqlite3.Connection,
    bucket: str,
    key: str,
    attributes: Attributes,
    *,
    algorithm: str | None,
    checksum_type: str | None,
) -> Upload:
    """Begin an upload. S3Error for a checksum that S3 cannot compute in this way."""
    buckets.require(connection, bucket)
    if algorithm is not None:
        new_hash(algorithm)
        checksum_type = checksum_type or _TYPES.get(algorithm, "COMPOSITE")
        if checksum_type != _TYPES.get(algorithm, checksum_type):
            raise S3Error(
                "InvalidRequest",
                f"The {checksum_type} checksum type cannot be used with the {algorithm.lower()} checksum algorithm.",
            )
    upload_id = secrets.token_urlsafe(48)
    connection.execute(
        "INSERT INTO uploads (upload_id, bucket, key, initiated, attributes, checksum_algorithm, checksum_type)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (upload_id, bucket, key.encode(), now_milliseconds(), attributes.to_json(), algorithm, checksum_type),
    )
    return require(connection, bucket, key, upload_id)


def from_row(row: sqlite3.Row) -> Upload:
    return Upload(
        row["seq"],
        row["upload_id"],
        row["bucket"],
        row["key"].decode(),
        from_milliseconds(row["initiated"]),
        Attributes.from_json(row["attributes"]),
        row["checksum_algorithm"],
        row["checksum_type"],
    )


def require(connection: sqlite3.Connection, bucket: str, key: str, upload_id: str) -> Upload:
    """The upload; S3Error NoSuchBucket, NoSuchUpload."""
    buckets.require(connection, bucket)
    row = connection.execute(
        "SELECT * FROM uploads WHERE upload_id = ? AND bucket = ? AND key = ?", (upload_id, bucket, key.encode())
    ).fetchone()
    if row is None:
        raise S3Error("NoSuchUpload", UploadId=upload_id)
    return from_row(row)


def parts(connection: sqlite3.Connection, upload_id: str) -> list[UploadedPart]:
    """What has been uploaded, in the order of the part numbers."""
    rows = connection.execute("SELECT * FROM parts WHERE upload_id = ? ORDER BY number", (upload_id,))
    return [
        UploadedPart(
            row["number"], from_milliseconds(row["modified"]), row["blob"], row["size"], row["etag"], row["checksum"]
        )
        for row in rows
    ]


def put_part(
    connection: sqlite3.Connection, upload: Upload, number: int, blob: Blob, *, etag: str, checksum: str | None
) -> list[str]:
    """Add a part, or replace the one with its number; the blobs it replaces."""
    old = connection.execute(
        "SELECT blob FROM parts WHERE upload_id = ? AND number = ?", (upload.upload_id, number)
    ).fetchall()
    connection.execute(
        "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)",
        (upload.upload_id, number, now_milliseconds(), blob.name, blob.size, etag, checksum),
    )
    return [row["blob"] for row in old]


def discard(connection: sqlite3.Connection, upload_id: str) -> list[str]:
    """Forget an upload and its parts; their blobs."""
    blobs = [part.blob for part in parts(connection, upload_id)]
    connection.execute("DELETE FROM uploads WHERE upload_id = ?", (upload_id,))
    return blobs


def completed(connection: sqlite3.Connection, bucket: str, key: str, upload_id: str) -> Version | None:
    """The object that an upload became: completing it once more is no error."""
    row = connection.execute(
        "SELECT * FROM versions WHERE upload_id = ? AND bucket = ? AND key = ?", (upload_id, bucket, key.encode())
    ).fetchone()
    return row and versions.from_row(row)


def complete(
    database: Database,
    blobs: Blobs,
    upload: Upload,
    wanted: list[WantedPart],
    *,
    conditions: Conditions,
    checksum: Checksum | None = None,
    size: int | None = None,
) -> Version:
    """Join the wanted parts to one object; S3Error if they are not as the client believes."""
    chosen = choose(parts(database.read(), upload.upload_id), wanted, upload)
    if size is not None and size != sum(part.size for part in chosen):
        raise S3Error("InvalidRequest", "The provided 'x-amz-mp-object-size' header does not match what was uploaded.")
    whole = new_hash(upload.checksum_algorithm or "CRC32") if upload.checksum_type == "FULL_OBJECT" else None
    with blobs.receive(hashed(_read(blobs, chosen), *([whole] if whole else []))) as blob:
        computed = _checksum(upload, chosen, whole.digest() if whole else b"")
        if checksum and (computed is None or computed.value.split("-")[0] != checksum.value.split("-")[0]):
            raise S3Error("BadDigest", f"The {checksum.algorithm} you specified did not match the calculated checksum.")
        joined = tuple(Part(part.number, part.size, part.checksum) for part in chosen)
        attributes = replace(upload.attributes, checksum=computed, parts=joined)
        content = Content(blob, _etag(chosen), attributes, upload.upload_id)
        with database.write() as connection:
            require(connection, upload.bucket, upload.key, upload.upload_id)
            if choose(parts(connection, upload.upload_id), wanted, upload) != chosen:
                raise S3Error("OperationAborted")
            versions.check(connection, upload.bucket, upload.key, conditions)
            version, replaced = versions.insert(connection, upload.bucket, upload.key, content)
            used = discard(connection, upload.upload_id)
    blobs.remove([*replaced, *used])
    return version


def choose(uploaded: list[UploadedPart], wanted: list[WantedPart], upload: Upload) -> list[UploadedPart]:
    """The wanted parts; S3Error InvalidPart, InvalidPartOrder, EntityTooSmall, MalformedXML."""
    if not wanted:
        raise S3Error("MalformedXML")
    if any(later.number <= earlier.number for earlier, later in pairwise(wanted)):
        raise S3Error("InvalidPartOrder", UploadId=upload.upload_id)
    by_number = {part.number: part for part in uploaded}
    chosen = []
    for want in wanted:
        part = by_number.get(want.number)
        if part is None or part.etag != want.etag or (want.checksum and want.checksum.value != part.checksum):
            raise S3Error("InvalidPart", UploadId=upload.upload_id, PartNumber=want.number, ETag=want.etag)
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size < MINIMUM_PART_BYTES:
            raise S3Error(
                "EntityTooSmall",
                PartNumber=part.number,
                ETag=part.etag,
                ProposedSize=part.size,
                MinSizeAllowed=MINIMUM_PART_BYTES,
            )
    return chosen


def _read(blobs: Blobs, chosen: list[UploadedPart]) -> Iterator[bytes]:
    for part in chosen:
        try:
            file = blobs.path(part.blob).open("rb")
        except FileNotFoundError:
            raise S3Error("OperationAborted") from None
        with file:
            yield from read_chunks(file)


def _checksum(upload: Upload, chosen: list[UploadedPart], whole: bytes) -> Checksum | None:
    if upload.checksum_algorithm is None:
        return None
    if upload.checksum_type == "FULL_OBJECT":
        return Checksum(upload.checksum_algorithm, encode(whole))
    return composite(upload.checksum_algorithm, [part.checksum or "" for part in chosen])


def _etag(chosen: list[UploadedPart]) -> str:
    md5 = new_md5()
    for part in chosen:
        md5.update(bytes.fromhex(part.etag))
    return f"{md5.digest().hex()}-{len(chosen)}"
