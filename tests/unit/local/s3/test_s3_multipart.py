"""Multipart uploads: what boto3's transfers do, and each way to do it wrong."""

import hashlib
import random

import pytest
from boto3.s3.transfer import TransferConfig

MIB = 1 << 20
PART = 5 * MIB


@pytest.fixture(scope="module")
def data():
    return random.Random(0).randbytes(2 * PART + 12_345)


def _start(s3, bucket, **arguments):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", **arguments)
    return {"Bucket": bucket, "Key": "k", "UploadId": upload["UploadId"]}


def _send(s3, upload, number, body):
    reply = s3.upload_part(**upload, PartNumber=number, Body=body)
    return {"PartNumber": number, "ETag": reply["ETag"]}


def _complete(s3, upload, parts, **arguments):
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **arguments)


def _etag(*parts):
    return f'"{hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()}-{len(parts)}"'


def test_a_file_goes_up_in_parts_and_comes_down_in_ranges(s3, bucket, data, tmp_path):
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=4)
    (tmp_path / "up").write_bytes(data)
    extra = {"Metadata": {"a": "b"}, "ContentType": "x/y"}
    s3.upload_file(str(tmp_path / "up"), bucket, "k", Config=config, ExtraArgs=extra)
    s3.download_file(bucket, "k", str(tmp_path / "down"), Config=config)
    assert (tmp_path / "down").read_bytes() == data
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head["ETag"] == _etag(data[:PART], data[PART : 2 * PART], data[2 * PART :])
    assert (head["Metadata"], head["ContentType"], head["ChecksumType"]) == ({"a": "b"}, "x/y", "COMPOSITE")
    assert head["ChecksumCRC32"].endswith("-3")


def test_parts_in_any_order_replaced_and_left_out(s3, bucket, data, blobs):
    before = blobs()
    upload = _start(s3, bucket)
    last = _send(s3, upload, 7, b"end")
    _send(s3, upload, 3, b"replaced" * MIB)
    first = _send(s3, upload, 3, data[:PART])
    _send(s3, upload, 5, b"never used")
    listed = s3.list_parts(**upload)
    assert [(part["PartNumber"], part["Size"]) for part in listed["Parts"]] == [(3, PART), (5, 10), (7, 3)]
    reply = _complete(s3, upload, [first, last])
    assert reply["ETag"] == _etag(data[:PART], b"end")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data[:PART] + b"end"
    assert len(blobs() - before) == 1


def test_parts_are_listed_in_pages(s3, bucket):
    upload = _start(s3, bucket)
    for number in range(1, 6):
        _send(s3, upload, number, b"x")
    pages = list(s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 2}))
    assert [[part["PartNumber"] for part in page["Parts"]] for page in pages] == [[1, 2], [3, 4], [5]]


def test_one_part_of_an_object_can_be_read(s3, bucket, data, refused):
    upload = _start(s3, bucket)
    parts = [_send(s3, upload, 1, data[:PART]), _send(s3, upload, 4, b"tail")]
    _complete(s3, upload, parts)
    second = s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
    assert (second["Body"].read(), second["PartsCount"]) == (b"tail", 2)
    assert second["ContentRange"] == f"bytes {PART}-{PART + 3}/{PART + 4}"
    assert refused("InvalidPartNumber", s3.get_object, Bucket=bucket, Key="k", PartNumber=3)


def test_an_upload_that_is_wrong(s3, bucket, refused):
    upload = _start(s3, bucket)
    small, last = _send(s3, upload, 1, b"small"), _send(s3, upload, 2, b"last")
    error = refused("EntityTooSmall", _complete, s3=s3, upload=upload, parts=[small, last])["Error"]
    assert (error["MinSizeAllowed"], error["ProposedSize"], error["PartNumber"]) == (str(PART), "5", "1")
    refused("InvalidPartOrder", _complete, s3=s3, upload=upload, parts=[last, small])
    refused("InvalidPart", _complete, s3=s3, upload=upload, parts=[{**last, "PartNumber": 9}])
    refused("InvalidPart", _complete, s3=s3, upload=upload, parts=[{**last, "ETag": small["ETag"]}])
    refused("MalformedXML", _complete, s3=s3, upload=upload, parts=[])
    refused("InvalidRequest", _complete, s3=s3, upload=upload, parts=[last], MpuObjectSize=99)
    refused("InvalidArgument", s3.upload_part, **upload, PartNumber=10_001, Body=b"")
    refused("NoSuchUpload", s3.upload_part, **{**upload, "UploadId": "x"}, PartNumber=1, Body=b"")
    refused("NoSuchUpload", s3.upload_part, **{**upload, "Key": "other"}, PartNumber=1, Body=b"")
    refused("404", s3.head_object, Bucket=bucket, Key="k")
    _complete(s3, upload, [last], MpuObjectSize=4)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"last"


def test_completing_twice_gives_the_same_reply(s3, bucket):
    upload = _start(s3, bucket)
    part = _send(s3, upload, 1, b"x")
    first, second = (_complete(s3, upload, [part]) for _ in range(2))
    assert first["ETag"] == second["ETag"]


def test_complete_obeys_preconditions(s3, bucket, refused):
    upload = _start(s3, bucket)
    part = _send(s3, upload, 1, b"new")
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    refused("PreconditionFailed", _complete, s3=s3, upload=upload, parts=[part], IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"old"
    _complete(s3, upload, [part])


def test_abort_leaves_nothing(s3, bucket, refused, blobs):
    before = blobs()
    upload = _start(s3, bucket)
    part = _send(s3, upload, 1, b"x" * MIB)
    assert blobs() != before
    s3.abort_multipart_upload(**upload)
    assert blobs() == before
    refused("NoSuchUpload", s3.abort_multipart_upload, **upload)
    refused("NoSuchUpload", _complete, s3=s3, upload=upload, parts=[part])


def test_parts_copied_from_objects(s3, bucket, data, refused):
    s3.put_object(Bucket=bucket, Key="source", Body=data)
    upload = _start(s3, bucket)
    source = {"CopySource": {"Bucket": bucket, "Key": "source"}}
    copied = s3.upload_part_copy(**upload, PartNumber=1, **source, CopySourceRange=f"bytes=10-{PART + 9}")
    whole = s3.upload_part_copy(**upload, PartNumber=2, **source)
    for header in ("bytes=0-", f"bytes=0-{len(data)}", "nonsense"):
        refused("InvalidArgument", s3.upload_part_copy, **upload, PartNumber=3, **source, CopySourceRange=header)
    parts = [
        {"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]},
        {"PartNumber": 2, "ETag": whole["CopyPartResult"]["ETag"]},
    ]
    _complete(s3, upload, parts)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data[10 : PART + 10] + data


def test_a_copy_of_an_object_in_parts_is_one_piece(s3, bucket, data):
    upload = _start(s3, bucket, ChecksumAlgorithm="SHA256")
    parts = []
    for number, body in enumerate((data[:PART], b"tail"), 1):
        reply = s3.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
        parts.append({"PartNumber": number, "ETag": reply["ETag"], "ChecksumSHA256": reply["ChecksumSHA256"]})
    _complete(s3, upload, parts)
    result = s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})["CopyObjectResult"]
    assert result["ETag"] == f'"{hashlib.md5(data[:PART] + b"tail").hexdigest()}"'
    assert result["ChecksumType"] == "FULL_OBJECT"
    assert s3.get_object(Bucket=bucket, Key="c", ChecksumMode="ENABLED")["Body"].read() == data[:PART] + b"tail"


def test_a_checksum_over_the_whole_object(s3, bucket, data, refused):
    s3.put_object(Bucket=bucket, Key="whole", Body=data[: PART + 1])
    whole = s3.head_object(Bucket=bucket, Key="whole", ChecksumMode="ENABLED")["ChecksumCRC32"]
    upload = _start(s3, bucket, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    parts = [_send(s3, upload, 1, data[:PART]), _send(s3, upload, 2, data[PART : PART + 1])]
    refused("BadDigest", _complete, s3=s3, upload=upload, parts=parts, ChecksumCRC32="AAAAAA==")
    assert _complete(s3, upload, parts, ChecksumCRC32=whole)["ChecksumCRC32"] == whole
    refused("InvalidRequest", _start, s3=s3, bucket=bucket, ChecksumAlgorithm="SHA256", ChecksumType="FULL_OBJECT")
    refused("NotImplemented", _start, s3=s3, bucket=bucket, ChecksumAlgorithm="XXHASH64")


def test_a_part_with_another_checksum_than_the_upload(s3, bucket, refused, blobs):
    upload = _start(s3, bucket, ChecksumAlgorithm="SHA1")
    before = blobs()
    refused("InvalidRequest", s3.upload_part, **upload, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA256")
    assert blobs() == before
