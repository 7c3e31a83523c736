"""Our own S3 behind its wire format: bytes as files, their index in SQLite, every acknowledged write on disk.

``ObjectStore`` is what code in this process uses; the HTTP face is ``local/s3/app.py``.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from local.s3 import buckets, listing, versions
from local.s3.blobs import Blobs, hashed, read_chunks
from local.s3.checksums import new_md5
from local.s3.database import Database
from local.s3.versions import Attributes, Conditions, Content, Version

_DEFAULT_CONTENT_TYPE = "binary/octet-stream"
_PAGE_KEYS = 1000
MAXIMUM_KEY_BYTES = 1024


@dataclass(frozen=True)
class StoredObject:
    """An object as it was when it was looked up; ``path`` is an immutable file with its bytes.

    The file is removed when the object is deleted or overwritten: open or link it to keep it.
    """

    bucket: str
    key: str
    size: int
    etag: str
    last_modified: datetime
    path: Path
    version_id: str
    metadata: Mapping[str, str]

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class ObjectStore:
    """Buckets and objects below a folder; safe to use from any thread of one process."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.database = Database(root / "index.sqlite")
        self.blobs = Blobs(root)
        self.blobs.sweep(self._referenced())

    def create_bucket(self, bucket: str, region: str | None = None) -> None:
        """Make a bucket; S3Error InvalidBucketName, BucketAlreadyOwnedByYou (only with a region)."""
        with self.database.write() as connection:
            buckets.create(connection, bucket, region)

    def has_bucket(self, bucket: str) -> bool:
        row = self.database.read().execute("SELECT 1 FROM buckets WHERE name = ?", (bucket,)).fetchone()
        return row is not None

    def list(self, bucket: str, prefix: str = "") -> Iterator[StoredObject]:
        """The objects whose keys begin with ``prefix``, in key order; S3Error NoSuchBucket."""
        connection = self.database.read()
        buckets.require(connection, bucket)
        position: listing.Position | None = listing.Position()
        while position:
            page = listing.page(listing.objects(connection, bucket), prefix, "", position, _PAGE_KEYS)
            for row in page.rows:
                yield self._stored(versions.from_row(row))
            position = page.next

    def head(self, bucket: str, key: str) -> StoredObject | None:
        """The object, or None; S3Error NoSuchBucket."""
        connection = self.database.read()
        buckets.require(connection, bucket)
        version = versions.latest(connection, bucket, key)
        return self._stored(version) if version and version.blob else None

    def put(
        self, bucket: str, key: str, source: Path | BinaryIO | bytes, content_type: str | None = None
    ) -> StoredObject:
        """Store the content of a file, by path or open, or bytes; durable when it returns. S3Error NoSuchBucket."""
        buckets.require(self.database.read(), bucket)
        attributes = Attributes({"ContentType": content_type or _DEFAULT_CONTENT_TYPE})
        if isinstance(source, bytes):
            return self._stored(self.write(bucket, key, [source], attributes))
        with source.open("rb") if isinstance(source, Path) else nullcontext(source) as file:
            return self._stored(self.write(bucket, key, read_chunks(file), attributes))

    def delete(self, bucket: str, key: str) -> None:
        """Delete the object, by a marker where the bucket keeps versions; no error if there is none."""
        with self.database.write() as connection:
            deleted = versions.delete(connection, bucket, key)
        self.blobs.remove(deleted.blobs)

    def write(
        self,
        bucket: str,
        key: str,
        chunks: Iterable[bytes],
        attributes: Attributes,
        conditions: Conditions = Conditions(),  # noqa: B008
    ) -> Version:
        """Receive an object's bytes and make them the newest version; nothing is left if that fails."""
        md5 = new_md5()
        with self.blobs.receive(hashed(chunks, md5)) as blob:
            return self.commit(bucket, key, Content(blob, md5.digest().hex(), attributes), conditions)

    def commit(self, bucket: str, key: str, content: Content, conditions: Conditions) -> Version:
        """Make content that is on disk the newest version of a key."""
        with self.database.write() as connection:
            buckets.require(connection, bucket)
            versions.check(connection, bucket, key, conditions)
            version, replaced = versions.insert(connection, bucket, key, content)
        self.blobs.remove(replaced)
        return version

    def close(self) -> None:
        self.database.close()

    def _stored(self, version: Version) -> StoredObject:
        assert version.blob is not None
        return StoredObject(
            version.bucket,
            version.key,
            version.size,
            version.etag,
            version.modified,
            self.blobs.path(version.blob),
            version.version_id,
            version.attributes.metadata,
        )

    def _referenced(self) -> set[str]:
        rows = self.database.read().execute(
            "SELECT blob FROM versions WHERE blob IS NOT NULL UNION ALL SELECT blob FROM parts"
        )
        return {row["blob"] for row in rows}
