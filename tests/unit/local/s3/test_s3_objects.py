"""One object at a time, driven with boto3: bytes, headers, ranges, conditions, copies, tags, checksums."""

import base64
import hashlib
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from botocore.config import Config


def read(s3, bucket, key, **arguments):
    return s3.get_object(Bucket=bucket, Key=key, **arguments)["Body"].read()


@pytest.mark.parametrize(
    "key", ["a", "a/b", "/", "//x", "a b+c%2F&d?e=f#g", "é/日本/😀", "..", "a\\b", "'\"<>", "x" * 1024]
)
def test_any_key_comes_back(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert read(s3, bucket, key) == key.encode()
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]


def test_key_longer_than_1024_bytes(s3, bucket, refused):
    refused("KeyTooLongError", s3.put_object, Bucket=bucket, Key="é" * 513, Body=b"")


def test_what_is_said_about_an_object_comes_back(s3, bucket):
    said = {
        "ContentType": "text/x-test",
        "CacheControl": "no-cache",
        "ContentDisposition": 'attachment; filename="a"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "Metadata": {"with_underscore": "1", "with-dash": "2"},
        "StorageClass": "STANDARD_IA",
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": "key",
    }
    expires = datetime(2030, 1, 1, tzinfo=UTC)
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"body", Expires=expires, Tagging="a=1&b=2", **said)
    got = s3.get_object(Bucket=bucket, Key="k")
    head = s3.head_object(Bucket=bucket, Key="k")
    assert put["ETag"] == got["ETag"] == f'"{hashlib.md5(b"body").hexdigest()}"'
    assert put["SSEKMSKeyId"] == "key"
    assert got["TagCount"] == 2
    assert got["Body"].read() == b"body"
    for reply in (got, head):
        assert {name: reply[name] for name in said} == said
        assert reply["Expires"] == expires
        assert reply["ContentLength"] == 4
        assert abs(reply["LastModified"] - datetime.now(UTC)) < timedelta(minutes=5)


def test_overwriting_replaces_and_deleting_removes(s3, bucket, refused):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", Metadata={"a": "b"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"22")
    assert (read(s3, bucket, "k"), s3.head_object(Bucket=bucket, Key="k")["Metadata"]) == (b"22", {})
    s3.delete_object(Bucket=bucket, Key="k")
    refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="k")
    assert refused("404", s3.head_object, Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert s3.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_a_bucket_that_does_not_exist(s3, refused):
    for call, more in (
        (s3.put_object, {"Key": "k", "Body": b"x" * 300_000}),
        (s3.get_object, {"Key": "k"}),
        (s3.delete_object, {"Key": "k"}),
        (s3.list_objects_v2, {}),
        (s3.create_multipart_upload, {"Key": "k"}),
    ):
        error = refused("NoSuchBucket", call, Bucket="not-there", **more)["Error"]
        assert (error["Message"], error["BucketName"]) == ("The specified bucket does not exist", "not-there")


@pytest.mark.parametrize(
    ("header", "expected", "content_range"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_ranges(s3, bucket, header, expected, content_range):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    reply = s3.get_object(Bucket=bucket, Key="k", Range=header)
    assert (reply["Body"].read(), reply["ContentRange"]) == (expected, content_range)
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert s3.head_object(Bucket=bucket, Key="k", Range=header)["ContentLength"] == len(expected)


def test_ranges_without_meaning_give_the_whole_and_those_beyond_the_end_are_refused(s3, bucket, refused):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    for header in ("bytes=4-2", "bytes=-", "lines=1-2"):
        assert read(s3, bucket, "k", Range=header) == b"0123456789"
    error = refused("InvalidRange", s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-")["Error"]
    assert (error["ActualObjectSize"], error["RangeRequested"]) == ("10", "bytes=10-")
    refused("InvalidRange", s3.get_object, Bucket=bucket, Key="k", Range="bytes=-0")
    refused("InvalidRange", s3.get_object, Bucket=bucket, Key="empty", Range="bytes=0-0")
    refused("NotImplemented", s3.get_object, Bucket=bucket, Key="k", Range="bytes=0-1,3-4")


def test_conditional_reads(s3, bucket, refused):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    before, later = modified - timedelta(seconds=1), modified + timedelta(days=1)
    for fulfilled in (
        {"IfMatch": etag},
        {"IfNoneMatch": '"other"'},
        {"IfModifiedSince": before},
        {"IfUnmodifiedSince": modified},
        {"IfMatch": etag, "IfUnmodifiedSince": before},
        {"IfNoneMatch": '"other"', "IfModifiedSince": later},
    ):
        assert read(s3, bucket, "k", **fulfilled) == b"1"
    for code, broken in (
        ("PreconditionFailed", {"IfMatch": '"other"'}),
        ("PreconditionFailed", {"IfUnmodifiedSince": before}),
        ("304", {"IfNoneMatch": etag}),
        ("304", {"IfModifiedSince": modified}),
    ):
        refused(code, s3.get_object, Bucket=bucket, Key="k", **broken)


def test_conditional_writes(s3, bucket, refused):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfMatch='"other"')
    refused("NoSuchKey", s3.put_object, Bucket=bucket, Key="new", Body=b"2", IfMatch=etag)
    refused("NotImplemented", s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch='"x"')
    assert read(s3, bucket, "k") == b"1"
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=etag)
    assert read(s3, bucket, "k") == b"3"
    refused("PreconditionFailed", s3.delete_object, Bucket=bucket, Key="k", IfMatch=etag)


def test_the_reader_may_choose_response_headers(s3, bucket, refused):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", ContentType="a/b")
    reply = s3.get_object(
        Bucket=bucket, Key="k", ResponseContentType="text/plain", ResponseContentDisposition="inline; filename=ü"
    )
    assert reply["ContentType"] == "text/plain"
    assert reply["ContentDisposition"].encode("latin-1").decode() == "inline; filename=ü"
    refused("InvalidArgument", s3.get_object, Bucket=bucket, Key="k", ResponseContentType="a\r\nSet-Cookie: b")


def test_copy_takes_or_replaces_what_is_said(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a b/ü", Body=b"1", ContentType="a/b", Metadata={"m": "1"}, Tagging="t=1")
    source = {"Bucket": bucket, "Key": "a b/ü"}
    result = s3.copy_object(Bucket=bucket, Key="same", CopySource=source)["CopyObjectResult"]
    copied = s3.get_object(Bucket=bucket, Key="same")
    assert result["ETag"] == copied["ETag"]
    assert (copied["Body"].read(), copied["ContentType"], copied["Metadata"]) == (b"1", "a/b", {"m": "1"})
    assert s3.get_object_tagging(Bucket=bucket, Key="same")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(
        Bucket=bucket,
        Key="other",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"n": "2"},
        ContentType="c/d",
        TaggingDirective="REPLACE",
        Tagging="u=2",
    )
    other = s3.head_object(Bucket=bucket, Key="other")
    assert (other["ContentType"], other["Metadata"]) == ("c/d", {"n": "2"})
    s3.delete_object(Bucket=bucket, Key="a b/ü")
    assert read(s3, bucket, "same") == b"1"


def test_copies_that_are_refused(s3, bucket, refused):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    source = {"Bucket": bucket, "Key": "k"}
    refused("InvalidRequest", s3.copy_object, Bucket=bucket, Key="k", CopySource=source)
    refused("NoSuchKey", s3.copy_object, Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "none"})
    refused("NoSuchBucket", s3.copy_object, Bucket=bucket, Key="x", CopySource="nowhere-at-all/k")
    refused("InvalidArgument", s3.copy_object, Bucket=bucket, Key="x", CopySource="nonsense")
    refused("PreconditionFailed", s3.copy_object, Bucket=bucket, Key="x", CopySource=source, CopySourceIfMatch='"o"')
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE", Metadata={"a": "b"})
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"a": "b"}


def test_delete_objects_tells_what_it_did(s3, bucket, refused):
    keys = ["a", "b&<", "c\rd"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    wanted = [{"Key": key} for key in [*keys, "missing"]]
    assert s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted})["Deleted"] == wanted
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted, "Quiet": True})
    too_many = [{"Key": str(number)} for number in range(1001)]
    refused("MalformedXML", s3.delete_objects, Bucket=bucket, Delete={"Objects": too_many})


def test_tags_of_an_object(s3, bucket, refused):
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    tags = [{"Key": "a b", "Value": "1"}, {"Key": "c", "Value": ""}]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    eleven = {"TagSet": [{"Key": str(number), "Value": ""} for number in range(11)]}
    refused("BadRequest", s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=eleven)
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    refused("InvalidTag", s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=twice)


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_checksum_is_verified_kept_and_returned(s3, bucket, refused, algorithm):
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"body", ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    name = f"Checksum{algorithm}"
    assert put[name] == got[name]
    assert got["Body"].read() == b"body"
    assert name not in s3.get_object(Bucket=bucket, Key="k", Range="bytes=0-1", ChecksumMode="ENABLED")
    wrong = put[name][::-1].lstrip("=") + "=" * (len(put[name]) - len(put[name].rstrip("=")))
    error = refused("BadDigest", s3.put_object, Bucket=bucket, Key="bad", Body=b"body", **{name: wrong})["Error"]
    assert error["Message"] == f"The {algorithm} you specified did not match the calculated checksum."
    refused("InvalidRequest", s3.put_object, Bucket=bucket, Key="bad", Body=b"body", **{name: "!"})
    refused("404", s3.head_object, Bucket=bucket, Key="bad")


def test_content_md5(s3, bucket, refused):
    def header(data):
        return base64.b64encode(hashlib.md5(data).digest()).decode()

    s3.put_object(Bucket=bucket, Key="k", Body=b"1", ContentMD5=header(b"1"))
    refused("BadDigest", s3.put_object, Bucket=bucket, Key="k", Body=b"2", ContentMD5=header(b"1"))
    refused("InvalidDigest", s3.put_object, Bucket=bucket, Key="k", Body=b"2", ContentMD5="short")
    assert read(s3, bucket, "k") == b"1"


def test_what_is_not_emulated_is_refused_by_name(s3, bucket, refused):
    key = {"Bucket": bucket, "Key": "k"}
    for arguments, named in (
        ({"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": datetime(2030, 1, 1)}, "ObjectLockMode"),
        ({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "0" * 32}, "SSECustomerAlgorithm"),
        ({"StorageClass": "GLACIER"}, "GLACIER"),
    ):
        error = refused("NotImplemented", s3.put_object, Body=b"", **key, **arguments)["Error"]
        assert named in error["Message"]
    refused("AccessControlListNotSupported", s3.put_object, Body=b"", ACL="public-read", **key)
    s3.put_object(Body=b"", ACL="bucket-owner-full-control", **key)
    assert s3.get_object_acl(**key)["Grants"][0]["Permission"] == "FULL_CONTROL"
    error = refused("NotImplemented", s3.get_object_retention, **key)["Error"]
    assert "GetObjectRetention" in error["Message"]


def test_metadata_of_more_than_2_kb(s3, bucket, refused):
    refused("MetadataTooLarge", s3.put_object, Bucket=bucket, Key="k", Body=b"", Metadata={"a": "x" * 2048})


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_urls(client, bucket, version):
    signer = client(config=Config(signature_version=version))
    key = {"Bucket": bucket, "Key": "a b"}
    put = signer.generate_presigned_url("put_object", key)
    urllib.request.urlopen(urllib.request.Request(put, b"body", method="PUT")).close()
    with urllib.request.urlopen(signer.generate_presigned_url("get_object", key)) as reply:
        assert reply.read() == b"body"
    expired = signer.generate_presigned_url("get_object", key, ExpiresIn=-int(time.time()) // 1000)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(expired)
    assert caught.value.code == 403
    assert b"<Message>Request has expired</Message>" in caught.value.read()
