"""Durable records by kind and name: one SQLite table of JSON documents.

A write that returned is on disk (``synchronous=FULL``) and survives a kill -9. One connection is
shared by all threads behind a lock: writes are rare and small, and SQLite has one writer anyway.
"""

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID
"""


class Store:
    """JSON documents addressed by (kind, name); safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(_SCHEMA)

    def insert(self, kind: str, name: str, record: Record) -> None:
        """Add a record; KeyError if the name exists."""
        try:
            self._run("INSERT INTO records VALUES (?, ?, ?)", kind, name, json.dumps(record))
        except sqlite3.IntegrityError:
            raise KeyError(name) from None

    def put(self, kind: str, name: str, record: Record) -> None:
        """Add or replace a record."""
        self._run("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", kind, name, json.dumps(record))

    def get(self, kind: str, name: str) -> Record | None:
        """The record, or None."""
        rows = self._run("SELECT record FROM records WHERE kind = ? AND name = ?", kind, name)
        return _decode(rows[0][0]) if rows else None

    def all(self, kind: str) -> list[Record]:
        """Every record of a kind, in the order of their names."""
        rows = self._run("SELECT record FROM records WHERE kind = ? ORDER BY name", kind)
        return [_decode(row[0]) for row in rows]

    def delete(self, kind: str, name: str) -> bool:
        """Remove a record; False if there was none."""
        return bool(self._run("DELETE FROM records WHERE kind = ? AND name = ? RETURNING name", kind, name))

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _run(self, statement: str, *parameters: str) -> list[tuple[str, ...]]:
        with self._lock:
            return self._connection.execute(statement, parameters).fetchall()


def _decode(text: str) -> Record:
    record: Record = json.loads(text)
    return record
