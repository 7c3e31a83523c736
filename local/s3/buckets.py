"""Buckets: their names, their versioning state, and the documents that are stored with them."""

import ipaddress
import json
import re
import sqlite3
import time
from typing import Any

from local.s3.errors import S3Error, no_such_bucket

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_RESERVED = re.compile(r"(xn--|sthree-|amzn-s3-demo-).*|.*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)")


def check_name(name: str) -> None:
    """S3Error InvalidBucketName unless ``name`` follows S3's rules."""
    if not _NAME.fullmatch(name) or ".." in name or _RESERVED.fullmatch(name) or _is_address(name):
        raise S3Error("InvalidBucketName", BucketName=name)


def create(connection: sqlite3.Connection, name: str, region: str | None) -> None:
    """Add a bucket. Repeating it is refused, except without a location, as in us-east-1."""
    check_name(name)
    created = time.time_ns() // 1_000_000
    added = connection.execute(
        "INSERT OR IGNORE INTO buckets (name, created, region) VALUES (?, ?, ?)", (name, created, region)
    )
    if not added.rowcount and region is not None:
        raise S3Error("BucketAlreadyOwnedByYou", BucketName=name)


def require(connection: sqlite3.Connection, name: str) -> sqlite3.Row:
    """The bucket's row; S3Error NoSuchBucket."""
    row: sqlite3.Row | None = connection.execute("SELECT * FROM buckets WHERE name = ?", (name,)).fetchone()
    if row is None:
        check_name(name)
        raise no_such_bucket(name)
    return row


def delete(connection: sqlite3.Connection, name: str) -> list[str]:
    """Remove an empty bucket and its unfinished uploads; the blobs of their parts."""
    require(connection, name)
    if connection.execute("SELECT 1 FROM versions WHERE bucket = ? LIMIT 1", (name,)).fetchone():
        raise S3Error("BucketNotEmpty", BucketName=name)
    blobs = connection.execute("SELECT blob FROM parts JOIN uploads USING (upload_id) WHERE bucket = ?", (name,))
    names = [row["blob"] for row in blobs]
    connection.execute("DELETE FROM uploads WHERE bucket = ?", (name,))
    connection.execute("DELETE FROM buckets WHERE name = ?", (name,))
    return names


def versioning(connection: sqlite3.Connection, name: str) -> str | None:
    """``Enabled``, ``Suspended``, or None where it was never set; S3Error NoSuchBucket."""
    state: str | None = require(connection, name)["versioning"]
    return state


def set_versioning(connection: sqlite3.Connection, name: str, state: str) -> None:
    require(connection, name)
    connection.execute("UPDATE buckets SET versioning = ? WHERE name = ?", (state, name))


def document(connection: sqlite3.Connection, name: str, kind: str) -> Any:
    """A stored document, or None; S3Error NoSuchBucket."""
    require(connection, name)
    row = connection.execute("SELECT body FROM documents WHERE bucket = ? AND kind = ?", (name, kind)).fetchone()
    return json.loads(row["body"]) if row else None


def put_document(connection: sqlite3.Connection, name: str, kind: str, body: Any) -> None:
    """Store a document in place of an earlier one; None removes it."""
    require(connection, name)
    if body is None:
        connection.execute("DELETE FROM documents WHERE bucket = ? AND kind = ?", (name, kind))
        return
    text = json.dumps(body, default=lambda value: value.isoformat())
    connection.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (name, kind, text))


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True
