"""Listings: one page of keys and common prefixes, in bytewise key order, read through ranges of the index."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

Rows: TypeAlias = Callable[["Position", bytes], Iterator[sqlite3.Row]]
"""Rows from a position up to a key, each with ``key`` and ``seq``, in order."""


@dataclass(frozen=True)
class Position:
    """Where a listing goes on: from ``key``; among the rows of that very key only those beyond ``seq``."""

    key: bytes = b""
    seq: int | None = None


@dataclass(frozen=True)
class Page:
    """``entries`` are rows or common prefixes in key order; ``next`` is where the rest begins, if there is more."""

    entries: list[sqlite3.Row | str]
    next: Position | None

    @property
    def rows(self) -> list[sqlite3.Row]:
        return [entry for entry in self.entries if not isinstance(entry, str)]

    @property
    def prefixes(self) -> list[str]:
        return [entry for entry in self.entries if isinstance(entry, str)]


def objects(connection: sqlite3.Connection, bucket: str) -> Rows:
    """The newest versions that are no delete markers."""
    return _rows(
        connection,
        bucket,
        "SELECT * FROM versions INDEXED BY latest_versions WHERE bucket = :bucket AND latest AND blob IS NOT NULL"
        " AND key >= :key AND key < :stop AND NOT (:seq IS NOT NULL AND key = :key) ORDER BY key",
    )


def versions(connection: sqlite3.Connection, bucket: str) -> Rows:
    """All versions and delete markers, the newest of a key first."""
    return _rows(
        connection,
        bucket,
        "SELECT * FROM versions WHERE bucket = :bucket AND key >= :key AND key < :stop"
        " AND NOT (:seq IS NOT NULL AND key = :key AND seq >= :seq) ORDER BY key, seq DESC",
    )


def uploads(connection: sqlite3.Connection, bucket: str) -> Rows:
    """Unfinished multipart uploads, the oldest of a key first."""
    return _rows(
        connection,
        bucket,
        "SELECT * FROM uploads WHERE bucket = :bucket AND key >= :key AND key < :stop"
        " AND NOT (:seq IS NOT NULL AND key = :key AND seq <= :seq) ORDER BY key, seq",
    )


def page(rows: Rows, prefix: str, delimiter: str, start: Position, limit: int) -> Page:
    """At most ``limit`` entries with ``prefix``; keys that share a part up to ``delimiter`` make one entry.

    A group of keys costs one look-up, however many keys it has.
    """
    first, group_mark = prefix.encode(), delimiter.encode()
    stop = successor(first)
    position = start if start.key >= first else Position(first)
    entries: list[sqlite3.Row | str] = []
    while limit:
        for row in rows(position, stop):
            if len(entries) == limit:
                return Page(entries, position)
            group = common_prefix(row["key"], first, group_mark)
            if group is not None:
                entries.append(group.decode())
                position = Position(successor(group))
                break
            entries.append(row)
            position = Position(row["key"], row["seq"])
        else:
            break
    return Page(entries, None)


def after(marker: str, prefix: str, delimiter: str) -> Position:
    """Where a listing goes on behind a marker; the group that a marker lies in has been listed already."""
    if not marker:
        return Position()
    key = marker.encode()
    group = common_prefix(key, prefix.encode(), delimiter.encode())
    return Position(next_key(key) if group is None else successor(group))


def next_key(key: bytes) -> bytes:
    """The smallest key that is greater."""
    return key + b"\0"


def successor(prefix: bytes) -> bytes:
    """The smallest bytes that are greater than every key with ``prefix``; UTF-8 holds no 0xff."""
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else b"\xff"


def common_prefix(key: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    """The key up to and with the first delimiter behind the prefix, or None."""
    if not delimiter or not key.startswith(prefix):
        return None
    end = key.find(delimiter, len(prefix))
    return key[: end + len(delimiter)] if end >= 0 else None


def _rows(connection: sqlite3.Connection, bucket: str, query: str) -> Rows:
    def rows(start: Position, stop: bytes) -> Iterator[sqlite3.Row]:
        return connection.execute(query, {"bucket": bucket, "key": start.key, "stop": stop, "seq": start.seq})

    return rows
