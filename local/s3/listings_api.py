"""Operations that list: objects in both generations, versions, multipart uploads."""

import base64
import binascii
import sqlite3
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from local.s3 import buckets, listing, multipart, versions
from local.s3.errors import invalid_argument
from local.s3.listing import Page, Position
from local.s3.operation import OWNER, Call, operation
from local.s3.serialising import Reply

_MOST_ENTRIES = 1000
_ENCODED = frozenset({"Prefix", "Delimiter", "Marker", "NextMarker", "StartAfter", "KeyMarker", "NextKeyMarker"})
_ENTRIES = {"CommonPrefixes": "Prefix", "Contents": "Key", "Versions": "Key", "DeleteMarkers": "Key", "Uploads": "Key"}


@operation("ListObjects", "Prefix Delimiter Marker MaxKeys EncodingType")
def list_objects(call: Call) -> Reply:
    marker = call.members.get("Marker", "")
    page = _page(call, listing.objects, listing.after(marker, _prefix(call), _delimiter(call)), "MaxKeys")
    following = _last_key(page) if page.next and _delimiter(call) else None
    return _reply(call, page, "MaxKeys", Marker=marker, NextMarker=following, Contents=_contents(page, owner=True))


@operation("ListObjectsV2", "Prefix Delimiter StartAfter ContinuationToken MaxKeys EncodingType FetchOwner")
def list_objects_v2(call: Call) -> Reply:
    token, start_after = call.members.get("ContinuationToken"), call.members.get("StartAfter")
    if token is not None:
        start = Position(_untoken(token))
    else:
        start = Position(listing.next_key(start_after.encode())) if start_after else Position()
    page = _page(call, listing.objects, start, "MaxKeys")
    return _reply(
        call,
        page,
        "MaxKeys",
        KeyCount=len(page.entries),
        StartAfter=start_after,
        ContinuationToken=token,
        NextContinuationToken=_token(page.next) if page.next else None,
        Contents=_contents(page, owner=bool(call.members.get("FetchOwner"))),
    )


@operation("ListObjectVersions", "Prefix Delimiter KeyMarker VersionIdMarker MaxKeys EncodingType")
def list_object_versions(call: Call) -> Reply:
    key_marker, id_marker = call.members.get("KeyMarker", ""), call.members.get("VersionIdMarker", "")
    seq = None
    if id_marker and not key_marker:
        raise invalid_argument(
            "A version-id marker cannot be specified without a key marker.", "version-id-marker", id_marker
        )
    if id_marker:
        version = versions.get(call.store.database.read(), call.bucket, key_marker, id_marker)
        seq = version.seq if version else None
    page = _page(call, listing.versions, _start(call, key_marker, id_marker, seq), "MaxKeys")
    found = [versions.from_row(row) for row in page.rows]
    return _reply(
        call,
        page,
        "MaxKeys",
        KeyMarker=key_marker,
        VersionIdMarker=id_marker,
        NextKeyMarker=_last_key(page) if page.next else None,
        NextVersionIdMarker=_last(page, "version_id") if page.next else None,
        Versions=[_version(call, each) for each in found if each.blob],
        DeleteMarkers=[_marker(call, each) for each in found if not each.blob],
    )


@operation("ListMultipartUploads", "Prefix Delimiter KeyMarker UploadIdMarker MaxUploads EncodingType")
def list_multipart_uploads(call: Call) -> Reply:
    key_marker, id_marker = call.members.get("KeyMarker", ""), call.members.get("UploadIdMarker", "")
    seq = None
    if key_marker and id_marker:
        row = call.store.database.read().execute("SELECT seq FROM uploads WHERE upload_id = ?", (id_marker,)).fetchone()
        seq = row["seq"] if row else None
    page = _page(call, listing.uploads, _start(call, key_marker, id_marker, seq), "MaxUploads")
    return _reply(
        call,
        page,
        "MaxUploads",
        KeyMarker=key_marker,
        UploadIdMarker=id_marker,
        NextKeyMarker=_last_key(page) if page.next else "",
        NextUploadIdMarker=_last(page, "upload_id") if page.next else "",
        Uploads=[_upload(call, multipart.from_row(row)) for row in page.rows],
    )


def _page(
    call: Call, source: Callable[[sqlite3.Connection, str], listing.Rows], start: Position, limit_member: str
) -> Page:
    connection = call.store.database.read()
    buckets.require(connection, call.bucket)
    limit = call.members.get(limit_member, _MOST_ENTRIES)
    if not 0 <= limit < 1 << 31:
        raise invalid_argument(
            f"Argument {limit_member} must be an integer between 0 and 2147483647", limit_member, limit
        )
    return listing.page(
        source(connection, call.bucket), _prefix(call), _delimiter(call), start, min(limit, _MOST_ENTRIES)
    )


def _start(call: Call, key_marker: str, id_marker: str, seq: int | None) -> Position:
    """Behind a marker. One that has gone since does not tell where: the rest of its key is listed once more."""
    if (
        id_marker
        and listing.common_prefix(key_marker.encode(), _prefix(call).encode(), _delimiter(call).encode()) is None
    ):
        return Position(key_marker.encode(), seq)
    return listing.after(key_marker, _prefix(call), _delimiter(call))


def _reply(call: Call, page: Page, limit_member: str, **members: Any) -> Reply:
    """The members that all listings have, with keys encoded if that was asked for."""
    encoding = call.members.get("EncodingType")
    result: dict[str, Any] = {
        "Bucket" if limit_member == "MaxUploads" else "Name": call.bucket,
        "Prefix": _prefix(call),
        "Delimiter": _delimiter(call) or None,
        limit_member: min(call.members.get(limit_member, _MOST_ENTRIES), _MOST_ENTRIES),
        "IsTruncated": page.next is not None,
        "EncodingType": encoding,
        "CommonPrefixes": [{"Prefix": prefix} for prefix in page.prefixes],
        **members,
    }
    return Reply(_encoded(result) if encoding else result)


def _encoded(result: dict[str, Any]) -> dict[str, Any]:
    encoded = dict(result)
    for name in _ENCODED & result.keys():
        if isinstance(result[name], str):
            encoded[name] = quote(result[name])
    for name in _ENTRIES.keys() & result.keys():
        field = _ENTRIES[name]
        encoded[name] = [{**entry, field: quote(entry[field])} for entry in result[name]]
    return encoded


def _contents(page: Page, *, owner: bool) -> list[dict[str, Any]]:
    return [{**_object(versions.from_row(row)), "Owner": OWNER if owner else None} for row in page.rows]


def _object(version: versions.Version) -> dict[str, Any]:
    checksum = version.attributes.checksum
    return {
        "Key": version.key,
        "LastModified": version.modified,
        "ETag": version.quoted_etag,
        "ChecksumAlgorithm": [checksum.algorithm] if checksum else None,
        "ChecksumType": checksum.type if checksum else None,
        "Size": version.size,
        "StorageClass": version.attributes.members.get("StorageClass", "STANDARD"),
    }


def _version(call: Call, version: versions.Version) -> dict[str, Any]:
    return {**_object(version), "VersionId": version.version_id, "IsLatest": version.latest, "Owner": OWNER}


def _marker(call: Call, version: versions.Version) -> dict[str, Any]:
    return {
        "Key": version.key,
        "VersionId": version.version_id,
        "IsLatest": version.latest,
        "LastModified": version.modified,
        "Owner": OWNER,
    }


def _upload(call: Call, upload: multipart.Upload) -> dict[str, Any]:
    return {
        "Key": upload.key,
        "UploadId": upload.upload_id,
        "Initiated": upload.initiated,
        "StorageClass": upload.attributes.members.get("StorageClass", "STANDARD"),
        "Owner": OWNER,
        "Initiator": OWNER,
        "ChecksumAlgorithm": upload.checksum_algorithm,
        "ChecksumType": upload.checksum_type,
    }


def _last_key(page: Page) -> str | None:
    entry = page.entries[-1] if page.entries else None
    return entry if entry is None or isinstance(entry, str) else entry["key"].decode()


def _last(page: Page, column: str) -> str | None:
    entry = page.entries[-1] if page.entries else None
    return None if entry is None or isinstance(entry, str) else entry[column]


def _prefix(call: Call) -> str:
    return str(call.members.get("Prefix", ""))


def _delimiter(call: Call) -> str:
    return str(call.members.get("Delimiter", ""))


def _token(position: Position) -> str:
    key = position.key if position.seq is None else listing.next_key(position.key)
    return base64.urlsafe_b64encode(key).decode()


def _untoken(token: str) -> bytes:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True)
    except binascii.Error:
        raise invalid_argument("The continuation token provided is incorrect", "continuation-token", token) from None


OPERATIONS = (list_objects, list_objects_v2, list_object_versions, list_multipart_uploads)
