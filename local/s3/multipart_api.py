"""Operations on multipart uploads, from CreateMultipartUpload to Complete or Abort."""

from typing import Any

from local.s3 import buckets, multipart, preconditions
from local.s3.blobs import hashed, read_chunks
from local.s3.checksums import Checksum, encode, given, new_hash, new_md5
from local.s3.errors import S3Error, invalid_argument
from local.s3.multipart import WantedPart
from local.s3.operation import OWNER, Call, operation
from local.s3.reads_api import byte_range, open_blob
from local.s3.serialising import Reply
from local.s3.versions import Version
from local.s3.writes_api import DESCRIBED, copy_source, described, source_version, written

_MOST_PARTS = 10_000
_MOST_LISTED = 1000


@operation("CreateMultipartUpload", DESCRIBED)
def create_multipart_upload(call: Call) -> Reply:
    algorithm, checksum_type = call.members.get("ChecksumAlgorithm"), call.members.get("ChecksumType")
    with call.store.database.write() as connection:
        upload = multipart.create(
            connection, call.bucket, call.key, described(call.members), algorithm=algorithm, checksum_type=checksum_type
        )
    return Reply(
        {
            "Bucket": call.bucket,
            "Key": call.key,
            "UploadId": upload.upload_id,
            "ChecksumAlgorithm": upload.checksum_algorithm,
            "ChecksumType": upload.checksum_type,
        }
    )


@operation("UploadPart", "UploadId PartNumber")
def upload_part(call: Call) -> Reply:
    number = _part_number(call)
    upload = multipart.require(call.store.database.read(), call.bucket, call.key, call.members["UploadId"])
    md5 = new_md5()
    with call.store.blobs.receive(hashed(call.request.body(upload.checksum_algorithm), md5)) as blob:
        checksum = call.request.checksum
        if checksum and upload.checksum_algorithm not in (None, checksum.algorithm):
            raise S3Error(
                "InvalidRequest",
                f"Checksum Type mismatch occurred, expected checksum Type: {str(upload.checksum_algorithm).lower()}, "
                f"actual checksum Type: {checksum.algorithm.lower()}",
            )
        etag = md5.digest().hex()
        with call.store.database.write() as connection:
            multipart.require(connection, call.bucket, call.key, upload.upload_id)
            replaced = multipart.put_part(
                connection, upload, number, blob, etag=etag, checksum=checksum.value if checksum else None
            )
    call.store.blobs.remove(replaced)
    return Reply({"ETag": f'"{etag}"', **({f"Checksum{checksum.algorithm}": checksum.value} if checksum else {})})


@operation(
    "UploadPartCopy",
    "UploadId PartNumber CopySource CopySourceRange CopySourceIfMatch CopySourceIfNoneMatch"
    " CopySourceIfModifiedSince CopySourceIfUnmodifiedSince",
)
def upload_part_copy(call: Call) -> Reply:
    number = _part_number(call)
    upload = multipart.require(call.store.database.read(), call.bucket, call.key, call.members["UploadId"])
    source = copy_source(call)
    start, size = _copied_range(call, source)
    md5 = new_md5()
    computed = new_hash(upload.checksum_algorithm) if upload.checksum_algorithm else None
    try:
        file = open_blob(call.store, source)
    except FileNotFoundError:
        raise S3Error("OperationAborted") from None
    chunks = hashed(read_chunks(file, start, size), md5, *([computed] if computed else []))
    with file, call.store.blobs.receive(chunks) as blob:
        etag = md5.digest().hex()
        checksum = encode(computed.digest()) if computed else None
        with call.store.database.write() as connection:
            multipart.require(connection, call.bucket, call.key, upload.upload_id)
            replaced = multipart.put_part(connection, upload, number, blob, etag=etag, checksum=checksum)
            part = next(each for each in multipart.parts(connection, upload.upload_id) if each.number == number)
    call.store.blobs.remove(replaced)
    result: dict[str, Any] = {"ETag": f'"{etag}"', "LastModified": part.modified}
    if upload.checksum_algorithm:
        result[f"Checksum{upload.checksum_algorithm}"] = checksum
    return Reply({"CopyPartResult": result, "CopySourceVersionId": source_version(call, source)})


@operation("CompleteMultipartUpload", "UploadId MultipartUpload MpuObjectSize IfMatch IfNoneMatch")
def complete_multipart_upload(call: Call) -> Reply:
    connection = call.store.database.read()
    upload_id = call.members["UploadId"]
    buckets.require(connection, call.bucket)
    version = multipart.completed(connection, call.bucket, call.key, upload_id)
    if version is None:
        upload = multipart.require(connection, call.bucket, call.key, upload_id)
        version = multipart.complete(
            call.store.database,
            call.store.blobs,
            upload,
            _wanted_parts(call),
            conditions=preconditions.of_write(call.members),
            checksum=given(call.members),
            size=call.members.get("MpuObjectSize"),
        )
    checksum = version.attributes.checksum
    return Reply(
        {
            **written(call, version),
            **(checksum.members() if checksum else {}),
            "Location": f"http://{call.request.headers.get('host', 'localhost')}{call.request.path}",
            "Bucket": call.bucket,
            "Key": call.key,
            "ETag": version.quoted_etag,
        }
    )


@operation("AbortMultipartUpload", "UploadId")
def abort_multipart_upload(call: Call) -> Reply:
    with call.store.database.write() as connection:
        upload = multipart.require(connection, call.bucket, call.key, call.members["UploadId"])
        blobs = multipart.discard(connection, upload.upload_id)
    call.store.blobs.remove(blobs)
    return Reply()


@operation("ListParts", "UploadId MaxParts PartNumberMarker")
def list_parts(call: Call) -> Reply:
    connection = call.store.database.read()
    upload = multipart.require(connection, call.bucket, call.key, call.members["UploadId"])
    marker = call.members.get("PartNumberMarker", 0)
    limit = min(call.members.get("MaxParts", _MOST_LISTED), _MOST_LISTED)
    parts = [part for part in multipart.parts(connection, upload.upload_id) if part.number > marker]
    listed = [
        {
            "PartNumber": part.number,
            "LastModified": part.modified,
            "ETag": f'"{part.etag}"',
            "Size": part.size,
            **({f"Checksum{upload.checksum_algorithm}": part.checksum} if upload.checksum_algorithm else {}),
        }
        for part in parts[:limit]
    ]
    return Reply(
        {
            "Bucket": call.bucket,
            "Key": call.key,
            "UploadId": upload.upload_id,
            "PartNumberMarker": marker,
            "NextPartNumberMarker": parts[:limit][-1].number if listed else 0,
            "MaxParts": limit,
            "IsTruncated": len(parts) > limit,
            "Parts": listed,
            "Initiator": OWNER,
            "Owner": OWNER,
            "StorageClass": upload.attributes.members.get("StorageClass", "STANDARD"),
            "ChecksumAlgorithm": upload.checksum_algorithm,
            "ChecksumType": upload.checksum_type,
        }
    )


def _part_number(call: Call) -> int:
    number = int(call.members["PartNumber"])
    if not 1 <= number <= _MOST_PARTS:
        raise invalid_argument(
            f"Part number must be an integer between 1 and {_MOST_PARTS}, inclusive", "partNumber", number
        )
    return number


def _copied_range(call: Call, source: Version) -> tuple[int, int]:
    header = call.members.get("CopySourceRange")
    if header is None:
        return 0, source.size
    span = byte_range(header, source.size)
    if span is None or f"bytes={span.start}-{span.start + span.size - 1}" != header:
        raise invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            header,
        )
    return span.start, span.size


def _wanted_parts(call: Call) -> list[WantedPart]:
    wanted = []
    for part in call.members.get("MultipartUpload", {}).get("Parts", []):
        if "PartNumber" not in part or "ETag" not in part:
            raise S3Error("MalformedXML")
        checksum: Checksum | None = given(part)
        wanted.append(WantedPart(part["PartNumber"], part["ETag"].strip('"'), checksum))
    return wanted


OPERATIONS = (
    create_multipart_upload,
    upload_part,
    upload_part_copy,
    complete_multipart_upload,
    abort_multipart_upload,
    list_parts,
)
