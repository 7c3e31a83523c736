"""Operations that read one object: GetObject, HeadObject and what is known about it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from local.s3 import buckets, versions
from local.s3.blobs import read_chunks
from local.s3.buckets_api import owner_only_acl
from local.s3.errors import S3Error, no_such_key, not_implemented
from local.s3.operation import Call, operation
from local.s3.preconditions import check_read
from local.s3.serialising import Reply, http_date
from local.s3.store import ObjectStore
from local.s3.versions import Version

_HONOURED = (
    "VersionId Range PartNumber IfMatch IfNoneMatch IfModifiedSince IfUnmodifiedSince ResponseCacheControl"
    " ResponseContentDisposition ResponseContentEncoding ResponseContentLanguage ResponseContentType ResponseExpires"
)
_SENT_WITH_304 = ("ETag", "LastModified", "CacheControl", "Expires", "VersionId")
_LOOKUPS = 5


@dataclass(frozen=True)
class Span:
    """The bytes that are asked for: ``size`` of them from ``start``."""

    start: int
    size: int

    def content_range(self, total: int) -> str:
        return f"bytes {self.start}-{self.start + self.size - 1}/{total}"


@operation("GetObject", _HONOURED)
def get_object(call: Call) -> Reply:
    for _ in range(_LOOKUPS):
        version = find(call.store, call.bucket, call.key, call.members.get("VersionId"))
        reply, span = _describe(call, version)
        if span is None:
            return reply
        try:
            reply.body = _stream(open_blob(call.store, version), span)
        except FileNotFoundError:  # overwritten since it was looked up
            continue
        return reply
    raise S3Error("OperationAborted")


@operation("HeadObject", _HONOURED)
def head_object(call: Call) -> Reply:
    return _describe(call, find(call.store, call.bucket, call.key, call.members.get("VersionId")))[0]


@operation("GetObjectAcl", "VersionId")
def get_object_acl(call: Call) -> Reply:
    find(call.store, call.bucket, call.key, call.members.get("VersionId"))
    return Reply(owner_only_acl())


def find(store: ObjectStore, bucket: str, key: str, version_id: str | None = None) -> Version:
    """The version, by default the newest; S3Error NoSuchBucket, NoSuchKey, NoSuchVersion, MethodNotAllowed."""
    connection = store.database.read()
    buckets.require(connection, bucket)
    if version_id is None:
        newest = versions.latest(connection, bucket, key)
        if newest is None:
            raise no_such_key(key)
        if newest.blob is None:
            headers = {"x-amz-delete-marker": "true", "x-amz-version-id": newest.version_id}
            raise S3Error("NoSuchKey", headers=headers, Key=key)
        return newest
    version = versions.get(connection, bucket, key, version_id)
    if version is None:
        raise S3Error("NoSuchVersion", Key=key, VersionId=version_id)
    if version.blob is None:
        headers = {
            "x-amz-delete-marker": "true",
            "x-amz-version-id": version_id,
            "Allow": "DELETE",
            "Last-Modified": http_date(version.modified),
        }
        raise S3Error("MethodNotAllowed", headers=headers, Method="GET", ResourceType="DeleteMarker")
    return version


def open_blob(store: ObjectStore, version: Version) -> BinaryIO:
    """The file with a version's bytes; FileNotFoundError if the version has been removed since."""
    assert version.blob is not None
    return store.blobs.path(version.blob).open("rb")


def byte_range(header: str, total: int) -> Span | None:
    """The part that a Range header asks for; None for one without meaning. S3Error InvalidRange."""
    match = re.fullmatch(r"\s*bytes=(\d*)-(\d*)\s*", header)
    if "," in header:
        raise not_implemented("A Range of several parts is not implemented")
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(total - int(last), 0), total - 1
    else:
        start, end = int(first), min(int(last), total - 1) if last else total - 1
        if last and int(last) < start:
            return None
    if start >= total or (not first and int(last) == 0):
        headers = {"Content-Range": f"bytes */{total}"}
        raise S3Error("InvalidRange", headers=headers, RangeRequested=header, ActualObjectSize=total)
    return Span(start, end - start + 1)


def _describe(call: Call, version: Version) -> tuple[Reply, Span | None]:
    """The reply without its body, and the bytes that belong in it (None if it has no body)."""
    attributes, asked = version.attributes, call.members
    members: dict[str, Any] = {
        **attributes.members,
        "Metadata": attributes.metadata or None,
        "ETag": version.quoted_etag,
        "LastModified": version.modified,
        "AcceptRanges": "bytes",
        "VersionId": call.shown(version.version_id),
        "TagCount": len(attributes.tags) or None,
    }
    if check_read(version, asked):
        return Reply({name: members.get(name) for name in _SENT_WITH_304}, status=304), None
    span, count = _span(call, version)
    if asked.get("ChecksumMode") == "ENABLED" and attributes.checksum and span is None:
        members |= attributes.checksum.members()
    for name, value in asked.items():
        if name.startswith("Response"):
            members[name.removeprefix("Response")] = value
    whole = Span(0, version.size)
    members["PartsCount"] = count
    members["ContentLength"] = (span or whole).size
    if span is None:
        return Reply(members), whole
    members["ContentRange"] = span.content_range(version.size)
    return Reply(members, status=206), span


def _span(call: Call, version: Version) -> tuple[Span | None, int | None]:
    """The bytes asked for by Range or PartNumber, None for all; how many parts there are if that was asked."""
    header, number, parts = call.members.get("Range"), call.members.get("PartNumber"), version.attributes.parts
    if header is not None and number is not None:
        raise S3Error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    if number is None:
        return byte_range(header, version.size) if header else None, None
    if not 1 <= number <= max(len(parts), 1):
        raise S3Error("InvalidPartNumber", ActualPartCount=max(len(parts), 1), PartNumberRequested=number)
    if not parts:
        return Span(0, version.size) if version.size else None, None
    start = sum(part.size for part in parts[: number - 1])
    return Span(start, parts[number - 1].size), len(parts)


def _stream(file: BinaryIO, span: Span) -> Iterator[bytes]:
    with file:
        yield from read_chunks(file, span.start, span.size)


OPERATIONS = (get_object, head_object, get_object_acl)
