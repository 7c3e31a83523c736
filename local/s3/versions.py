"""Versions of objects and delete markers: the rules by which a write or a delete changes them.

Functions take a connection; those that write expect an open transaction and name the blobs that the
caller removes once it has committed.
"""

import json
import secrets
import sqlite3
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

from local.s3.blobs import Blob
from local.s3.buckets import versioning
from local.s3.checksums import Checksum
from local.s3.errors import no_such_key, precondition_failed

NULL_VERSION = "null"


@dataclass(frozen=True)
class Part:
    """One part of an object that was uploaded in parts."""

    number: int
    size: int
    checksum: str | None = None


@dataclass(frozen=True)
class Attributes:
    """What an object carries besides its bytes."""

    members: dict[str, str | bool] = field(default_factory=dict)
    """Members of HeadObject's reply as they were sent: ContentType, CacheControl, StorageClass …"""
    metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    checksum: Checksum | None = None
    parts: tuple[Part, ...] = ()

    def to_json(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value})

    @classmethod
    def from_json(cls, text: str) -> "Attributes":
        values = json.loads(text)
        checksum = values.pop("checksum", None)
        parts = tuple(Part(**part) for part in values.pop("parts", ()))
        return cls(**values, checksum=checksum and Checksum(**checksum), parts=parts)


@dataclass(frozen=True)
class Content:
    """What a new version is made of."""

    blob: Blob
    etag: str
    attributes: Attributes
    upload_id: str | None = None


@dataclass(frozen=True)
class Version:
    """A row of ``versions``; a delete marker has no blob."""

    seq: int
    bucket: str
    key: str
    version_id: str
    latest: bool
    modified: datetime
    blob: str | None
    size: int
    etag: str
    attributes: Attributes

    @property
    def quoted_etag(self) -> str:
        return f'"{self.etag}"'


@dataclass(frozen=True)
class Conditions:
    """Preconditions of a write: If-Match with an entity tag, If-None-Match with ``*``."""

    if_match: str | None = None
    if_none_match: bool = False


@dataclass(frozen=True)
class Deleted:
    """The outcome of a delete: the version that was made or removed, if the bucket keeps versions."""

    version_id: str | None
    marker: bool
    blobs: tuple[str, ...]


def from_row(row: sqlite3.Row) -> Version:
    return Version(
        row["seq"],
        row["bucket"],
        row["key"].decode(),
        row["version_id"],
        bool(row["latest"]),
        from_milliseconds(row["modified"]),
        row["blob"],
        row["size"],
        row["etag"],
        Attributes.from_json(row["attributes"]),
    )


def now_milliseconds() -> int:
    return time.time_ns() // 1_000_000


def from_milliseconds(value: int) -> datetime:
    return datetime.fromtimestamp(value / 1000, UTC)


def latest(connection: sqlite3.Connection, bucket: str, key: str) -> Version | None:
    """The newest version, which may be a delete marker."""
    row = connection.execute(
        "SELECT * FROM versions WHERE bucket = ? AND key = ? AND latest", (bucket, key.encode())
    ).fetchone()
    return row and from_row(row)


def get(connection: sqlite3.Connection, bucket: str, key: str, version_id: str) -> Version | None:
    row = connection.execute(
        "SELECT * FROM versions WHERE bucket = ? AND key = ? AND version_id = ?", (bucket, key.encode(), version_id)
    ).fetchone()
    return row and from_row(row)


def check(connection: sqlite3.Connection, bucket: str, key: str, conditions: Conditions) -> None:
    """S3Error unless the newest version fulfils the conditions."""
    if conditions == Conditions():
        return
    current = latest(connection, bucket, key)
    exists = current is not None and current.blob is not None
    if conditions.if_none_match and exists:
        raise precondition_failed("If-None-Match")
    if conditions.if_match is None:
        return
    if current is None or not exists:
        raise no_such_key(key)
    if conditions.if_match not in ("*", current.etag):
        raise precondition_failed("If-Match")


def insert(connection: sqlite3.Connection, bucket: str, key: str, content: Content) -> tuple[Version, tuple[str, ...]]:
    """Make content the newest version of a key; also the blobs it replaces."""
    kept = versioning(connection, bucket) == "Enabled"
    replaced = () if kept else _remove(connection, bucket, key, NULL_VERSION)
    version_id = secrets.token_urlsafe(24) if kept else NULL_VERSION
    _append(connection, bucket, key, version_id, content)
    version = get(connection, bucket, key, version_id)
    assert version is not None
    return version, replaced


def delete(connection: sqlite3.Connection, bucket: str, key: str) -> Deleted:
    """Delete a key: for good in a bucket without versions, else by a delete marker."""
    state = versioning(connection, bucket)
    if state is None:
        return Deleted(None, marker=False, blobs=_remove(connection, bucket, key, NULL_VERSION))
    replaced = () if state == "Enabled" else _remove(connection, bucket, key, NULL_VERSION)
    version_id = secrets.token_urlsafe(24) if state == "Enabled" else NULL_VERSION
    _append(connection, bucket, key, version_id, None)
    return Deleted(version_id, marker=True, blobs=replaced)


def delete_version(connection: sqlite3.Connection, bucket: str, key: str, version_id: str) -> Deleted:
    """Remove one version for good; the one before it becomes the newest."""
    version = get(connection, bucket, key, version_id)
    blobs = _remove(connection, bucket, key, version_id)
    return Deleted(version_id, marker=version is not None and version.blob is None, blobs=blobs)


def set_tags(connection: sqlite3.Connection, version: Version, tags: dict[str, str]) -> None:
    text = replace(version.attributes, tags=tags).to_json()
    connection.execute("UPDATE versions SET attributes = ? WHERE seq = ?", (text, version.seq))


def _append(connection: sqlite3.Connection, bucket: str, key: str, version_id: str, content: Content | None) -> None:
    """Add a row for new content, or for a delete marker, as the newest version."""
    name = key.encode()
    connection.execute("UPDATE versions SET latest = 0 WHERE bucket = ? AND key = ? AND latest", (bucket, name))
    values: tuple[object, ...] = (None, 0, "", "{}", None)
    if content:
        blob = content.blob
        values = (blob.name, blob.size, content.etag, content.attributes.to_json(), content.upload_id)
    connection.execute(
        "INSERT INTO versions (bucket, key, version_id, latest, modified, blob, size, etag, attributes, upload_id)"
        " VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?)",
        (bucket, name, version_id, now_milliseconds(), *values),
    )


def _remove(connection: sqlite3.Connection, bucket: str, key: str, version_id: str) -> tuple[str, ...]:
    """Remove a version's row if there is one; its blob."""
    name = key.encode()
    row = connection.execute(
        "DELETE FROM versions WHERE bucket = ? AND key = ? AND version_id = ? RETURNING blob, latest",
        (bucket, name, version_id),
    ).fetchone()
    if row is None:
        return ()
    if row["latest"]:
        connection.execute(
            "UPDATE versions SET latest = 1 WHERE seq ="
            " (SELECT seq FROM versions WHERE bucket = ? AND key = ? ORDER BY seq DESC LIMIT 1)",
            (bucket, name),
        )
    return (row["blob"],) if row["blob"] else ()
