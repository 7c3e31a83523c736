"""The index of the object store: one SQLite file whose committed rows survive a kill -9."""

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.errors import disk_is_full

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY,
    created INTEGER NOT NULL,           -- milliseconds since the epoch
    region TEXT,                        -- NULL: us-east-1, which S3 reports as no location
    versioning TEXT                     -- NULL (never set), Enabled, Suspended
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS documents (  -- policy, tags, lifecycle …: stored and returned
    bucket TEXT NOT NULL REFERENCES buckets ON DELETE CASCADE,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,                 -- JSON
    PRIMARY KEY (bucket, kind)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS versions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- the newest version of a key has the highest
    bucket TEXT NOT NULL REFERENCES buckets,
    key BLOB NOT NULL,                  -- UTF-8: BLOBs compare bytewise, as S3 orders keys
    version_id TEXT NOT NULL,
    latest INTEGER NOT NULL,
    modified INTEGER NOT NULL,          -- milliseconds since the epoch
    blob TEXT,                          -- name of the file with the bytes; NULL: a delete marker
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    attributes TEXT NOT NULL,           -- JSON: see versions.Attributes
    upload_id TEXT,                     -- the multipart upload it came from
    UNIQUE (bucket, key, version_id)
);
CREATE UNIQUE INDEX IF NOT EXISTS latest_versions ON versions (bucket, key) WHERE latest;
CREATE UNIQUE INDEX IF NOT EXISTS versions_by_key ON versions (bucket, key, seq DESC);
CREATE INDEX IF NOT EXISTS versions_by_upload ON versions (upload_id) WHERE upload_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS uploads (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    upload_id TEXT NOT NULL UNIQUE,
    bucket TEXT NOT NULL REFERENCES buckets,
    key BLOB NOT NULL,
    initiated INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    checksum_algorithm TEXT,
    checksum_type TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS uploads_by_key ON uploads (bucket, key, seq);

CREATE TABLE IF NOT EXISTS parts (
    upload_id TEXT NOT NULL REFERENCES uploads (upload_id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    blob TEXT NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    checksum TEXT,
    PRIMARY KEY (upload_id, number)
) WITHOUT ROWID;
"""


class Database:
    """One connection for each thread; writers take turns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = threading.Lock()
        self._local = threading.local()
        self.read().executescript(_SCHEMA)

    def read(self) -> sqlite3.Connection:
        """This thread's connection; each statement sees the last commit."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: on disk when the block ends, undone if it raises; OSError ENOSPC when the disk is full."""
        connection = self.read()
        with self._writing:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error) and disk_is_full(error):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path)) from error
                raise

    def close(self) -> None:
        """Close this thread's connection; those of other threads close when the threads end."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            self._local.connection = None
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=30, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        return connection
