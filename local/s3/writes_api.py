"""Operations that make or remove one object: PutObject, CopyObject, DeleteObject, DeleteObjects, tags."""

from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from local.s3 import buckets, preconditions, versions
from local.s3.blobs import hashed, read_chunks
from local.s3.checksums import Checksum, encode, new_hash, new_md5
from local.s3.errors import S3Error, invalid_argument, not_implemented
from local.s3.operation import Call, operation
from local.s3.parsing import Members
from local.s3.reads_api import find, open_blob
from local.s3.serialising import Reply
from local.s3.tags import tag_set, tags_from_header, tags_from_set
from local.s3.versions import Attributes, Content, Version

_ENCRYPTION = ("ServerSideEncryption", "SSEKMSKeyId", "SSEKMSEncryptionContext", "BucketKeyEnabled")
_DESCRIPTION = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "WebsiteRedirectLocation",
)
DESCRIBED = " ".join([*_DESCRIPTION, *_ENCRYPTION, "StorageClass Metadata Tagging"])
_READ_AT_ONCE = (
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
)
_MOST_TAGS = 10
_MOST_KEYS = 1000
_MOST_METADATA_BYTES = 2048
_MOST_COPIED_BYTES = 5 << 30
_CONDITIONS_OF_SOURCE = " ".join(
    f"CopySource{name}" for name in ("", "IfMatch", "IfNoneMatch", "IfModifiedSince", "IfUnmodifiedSince")
)


@operation("PutObject", f"{DESCRIBED} IfMatch IfNoneMatch")
def put_object(call: Call) -> Reply:
    buckets.require(call.store.database.read(), call.bucket)
    attributes, conditions = described(call.members), preconditions.of_write(call.members)
    versions.check(call.store.database.read(), call.bucket, call.key, conditions)
    md5 = new_md5()
    with call.store.blobs.receive(hashed(call.request.body(), md5)) as blob:
        content = Content(blob, md5.digest().hex(), replace(attributes, checksum=call.request.checksum))
        version = call.store.commit(call.bucket, call.key, content, conditions)
    checksum = version.attributes.checksum
    return Reply({**written(call, version), "ETag": version.quoted_etag, **(checksum.members() if checksum else {})})


@operation("CopyObject", f"{DESCRIBED} IfMatch IfNoneMatch MetadataDirective TaggingDirective {_CONDITIONS_OF_SOURCE}")
def copy_object(call: Call) -> Reply:
    source = copy_source(call)
    if source.size > _MOST_COPIED_BYTES:
        raise S3Error(
            "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy source: "
            f"{_MOST_COPIED_BYTES}",
        )
    attributes = _copied_attributes(call, source)
    assert source.blob is not None
    try:
        with call.store.blobs.copy(source.blob) as blob:
            etag, checksum = _rehashed(call, source)
            content = Content(blob, etag, replace(attributes, checksum=checksum))
            version = call.store.commit(call.bucket, call.key, content, preconditions.of_write(call.members))
    except FileNotFoundError:
        raise S3Error("OperationAborted") from None
    sums = checksum.members() if checksum else {}
    return Reply(
        {
            **written(call, version),
            "CopyObjectResult": {"ETag": version.quoted_etag, "LastModified": version.modified, **sums},
            "CopySourceVersionId": source_version(call, source),
        }
    )


@operation("DeleteObject", "VersionId IfMatch")
def delete_object(call: Call) -> Reply:
    with call.store.database.write() as connection:
        buckets.require(connection, call.bucket)
        versions.check(connection, call.bucket, call.key, preconditions.of_write(call.members))
        version_id = call.members.get("VersionId")
        if version_id is None:
            deleted = versions.delete(connection, call.bucket, call.key)
        else:
            deleted = versions.delete_version(connection, call.bucket, call.key, version_id)
    call.store.blobs.remove(deleted.blobs)
    return Reply({"VersionId": deleted.version_id, "DeleteMarker": deleted.marker or None})


@operation("DeleteObjects", "Delete")
def delete_objects(call: Call) -> Reply:
    wanted = call.members["Delete"]["Objects"]
    if len(wanted) > _MOST_KEYS:
        raise S3Error("MalformedXML")
    for each in wanted:
        if unknown := each.keys() - {"Key", "VersionId"}:
            raise not_implemented(f"DeleteObjects with {min(unknown)} is not implemented by Drydock's S3")
    blobs: list[str] = []
    done = []
    with call.store.database.write() as connection:
        buckets.require(connection, call.bucket)
        for each in wanted:
            key, version_id = each["Key"], each.get("VersionId")
            if version_id is None:
                deleted = versions.delete(connection, call.bucket, key)
            else:
                deleted = versions.delete_version(connection, call.bucket, key, version_id)
            blobs += deleted.blobs
            done.append(
                {
                    "Key": key,
                    "VersionId": version_id,
                    "DeleteMarker": deleted.marker or None,
                    "DeleteMarkerVersionId": deleted.version_id if deleted.marker else None,
                }
            )
    call.store.blobs.remove(blobs)
    return Reply({"Deleted": [] if call.members["Delete"].get("Quiet") else done})


@operation("GetObjectTagging", "VersionId")
def get_object_tagging(call: Call) -> Reply:
    version = find(call.store, call.bucket, call.key, call.members.get("VersionId"))
    return Reply({"TagSet": tag_set(version.attributes.tags), "VersionId": call.shown(version.version_id)})


@operation("PutObjectTagging", "VersionId Tagging")
def put_object_tagging(call: Call) -> Reply:
    return _set_tags(call, tags_from_set(call.members["Tagging"]["TagSet"], _MOST_TAGS))


@operation("DeleteObjectTagging", "VersionId")
def delete_object_tagging(call: Call) -> Reply:
    return _set_tags(call, {})


def described(members: Members) -> Attributes:
    """What a request says about an object it makes; S3Error for what S3 refuses."""
    metadata = members.get("Metadata", {})
    if sum(len(name) + len(value) for name, value in metadata.items()) > _MOST_METADATA_BYTES:
        raise S3Error("MetadataTooLarge", MaxSizeAllowed=_MOST_METADATA_BYTES)
    storage_class = members.get("StorageClass", "STANDARD")
    if storage_class not in _READ_AT_ONCE:
        raise not_implemented(f"The storage class {storage_class} is not implemented; use {', '.join(_READ_AT_ONCE)}")
    kept = {name: members[name] for name in (*_DESCRIPTION, *_ENCRYPTION) if name in members}
    kept.setdefault("ContentType", "binary/octet-stream")
    encodings = [each.strip() for each in kept.pop("ContentEncoding", "").split(",")]
    if encodings := [each for each in encodings if each not in ("", "aws-chunked")]:
        kept["ContentEncoding"] = ",".join(encodings)
    if storage_class != "STANDARD":
        kept["StorageClass"] = storage_class
    return Attributes(kept, metadata, tags_from_header(members.get("Tagging", ""), _MOST_TAGS))


def written(call: Call, version: Version) -> dict[str, Any]:
    """What every reply to a write tells of the version it made."""
    encryption = {name: value for name, value in version.attributes.members.items() if name in _ENCRYPTION}
    return {"VersionId": call.shown(version.version_id), **encryption}


def copy_source(call: Call) -> Version:
    """The version that x-amz-copy-source names; S3Error if it is not there or not as the request demands."""
    path, _, query = call.members["CopySource"].partition("?")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    name, _, version_id = query.partition("=")
    if not bucket or not key or (query and name != "versionId"):
        message = "Invalid copy source object key" if bucket else "Invalid copy source bucket name"
        raise invalid_argument(message, "x-amz-copy-source", call.members["CopySource"])
    version = find(call.store, bucket, key, unquote(version_id) or None)
    preconditions.check_copy_source(version, call.members)
    return version


def source_version(call: Call, source: Version) -> str | None:
    """The source's version id, if its bucket keeps versions."""
    return source.version_id if buckets.versioning(call.store.database.read(), source.bucket) else None


def _copied_attributes(call: Call, source: Version) -> Attributes:
    asked = described(call.members)
    changed = asked.members.keys() & {*_ENCRYPTION, "StorageClass", "WebsiteRedirectLocation"}
    if call.members.get("MetadataDirective", "COPY") == "REPLACE":
        attributes = asked
    else:
        if (source.bucket, source.key) == (call.bucket, call.key) and source.latest and not changed:
            raise S3Error(
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself without changing the "
                "object's metadata, storage class, website redirect location or encryption attributes.",
            )
        members = {name: source.attributes.members[name] for name in _DESCRIPTION if name in source.attributes.members}
        members |= {name: asked.members[name] for name in changed}
        attributes = Attributes(members, source.attributes.metadata)
    replaced = call.members.get("TaggingDirective", "COPY") == "REPLACE"
    return replace(attributes, tags=asked.tags if replaced else source.attributes.tags)


def _rehashed(call: Call, source: Version) -> tuple[str, Checksum | None]:
    """Entity tag and checksum of a copy: those of the source, unless they tell of parts or another is asked for."""
    old = source.attributes.checksum
    algorithm = call.members.get("ChecksumAlgorithm", old and old.algorithm)
    keeps = old is not None and old.algorithm == algorithm and old.type == "FULL_OBJECT"
    if "-" not in source.etag and (keeps or algorithm is None):
        return source.etag, old
    md5, computed = new_md5(), new_hash(algorithm or "CRC32")
    with closing(open_blob(call.store, source)) as file:
        for _ in hashed(read_chunks(file), md5, computed):
            pass
    return md5.digest().hex(), Checksum(algorithm, encode(computed.digest())) if algorithm else None


def _set_tags(call: Call, tags: dict[str, str]) -> Reply:
    with call.store.database.write() as connection:
        version = find(call.store, call.bucket, call.key, call.members.get("VersionId"))
        versions.set_tags(connection, version, tags)
    return Reply({"VersionId": call.shown(version.version_id)})


OPERATIONS = (
    put_object,
    copy_object,
    delete_object,
    delete_objects,
    get_object_tagging,
    put_object_tagging,
    delete_object_tagging,
)
