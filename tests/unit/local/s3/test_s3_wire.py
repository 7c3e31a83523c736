"""The HTTP side: chunked bodies, trailers, clients that go away, hosts, errors and what must not leak."""

import http.client
import io
import logging
import re
import socket
import time
import zlib
from base64 import b64encode
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from botocore.httpsession import URLLib3Session

from local.s3.app import S3Application
from local.s3.crc import CRC32C, CRC64NVME, crc
from local.s3.store import ObjectStore

MIB = 1 << 20


@pytest.fixture
def connection(url):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    yield connection
    connection.close()


def ask(connection, method, target, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, target, body, headers, encode_chunked=headers.get("Transfer-Encoding") == "chunked")
    reply = connection.getresponse()
    return reply, reply.read()


def code(body):
    return ElementTree.fromstring(body).findtext("Code")


def crc32(data):
    return b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def aws_chunked(*chunks, trailer="", extension=""):
    framed = [b"%x%s\r\n%s\r\n" % (len(chunk), extension.encode(), chunk) for chunk in chunks]
    return b"".join(framed) + b"0" + extension.encode() + b"\r\n" + trailer.encode() + b"\r\n"


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_body_in_chunks_without_a_length(connection, s3, bucket):
    data = bytes(range(256)) * 5000
    pieces = (data[start : start + 70_001] for start in range(0, len(data), 70_001))
    reply, _ = ask(connection, "PUT", f"/{bucket}/k", pieces, Transfer_Encoding="chunked")
    assert reply.status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data
    assert ask(connection, "GET", f"/{bucket}/k")[1] == data


@pytest.mark.parametrize("seekable", [True, False])
def test_boto3_over_https_sends_its_checksum_in_a_trailer(client, bucket, url, seekable):
    """What boto3 would send to an https endpoint, carried to ours as it is."""
    sent = []

    def carry(request, **_):
        sent.append(dict(request.headers))
        request.url = request.url.replace("https://", "http://")
        return URLLib3Session().send(request)

    secure = client(endpoint_url=url.replace("http://", "https://"))
    secure.meta.events.register("before-send.s3", carry)
    data = bytes(range(256)) * 9000
    body = io.BytesIO(data)
    if not seekable:
        body.seekable = lambda: False
    secure.put_object(Bucket=bucket, Key="k", Body=body, ContentEncoding="gzip")
    assert sent[0]["X-Amz-Trailer"] == b"x-amz-checksum-crc32"
    reply = secure.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert reply["Body"].read() == data
    assert (reply["ChecksumCRC32"], reply["ContentEncoding"]) == (crc32(data), "gzip")


def test_chunks_with_signatures_and_a_trailer(connection, s3, bucket):
    data = b"x" * 70_000
    body = aws_chunked(
        data[:65_536],
        data[65_536:],
        trailer=f"x-amz-checksum-crc32:{crc32(data)}\r\nx-amz-trailer-signature:abc\r\n",
        extension=";chunk-signature=0123",
    )
    headers = {
        "x_amz_content_sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "x_amz_trailer": "x-amz-checksum-crc32",
        "x_amz_decoded_content_length": str(len(data)),
    }
    assert ask(connection, "PUT", f"/{bucket}/k", body, **headers)[0].status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (aws_chunked(b"abc", trailer="x-amz-checksum-crc32:AAAAAA==\r\n"), "BadDigest"),
        (aws_chunked(b"abc"), "MalformedTrailerError"),
        (aws_chunked(b"ab", trailer=f"x-amz-checksum-crc32:{crc32(b'ab')}\r\n"), "IncompleteBody"),
        (b"5\r\nabc\r\n0\r\n\r\n", "InvalidRequest"),
        (b"3\r\nabc\r\n", "IncompleteBody"),
        (b"three\r\nabc\r\n", "InvalidRequest"),
        (b"-3\r\nabc\r\n0\r\n\r\n", "InvalidRequest"),
        (b"x" * 100_000, "InvalidRequest"),
    ],
)
def test_broken_trailers_and_chunks_leave_nothing(connection, bucket, blobs, body, expected):
    before = blobs()
    reply, answer = ask(connection, "PUT", f"/{bucket}/k", body, content_encoding="aws-chunked",
                        x_amz_trailer="x-amz-checksum-crc32", x_amz_decoded_content_length="3")  # fmt: skip
    assert (reply.status, code(answer)) == (400, expected)
    assert blobs() == before
    assert ask(connection, "HEAD", f"/{bucket}/k")[0].status == 404


@pytest.mark.parametrize(("name", "polynomial"), [("crc32c", CRC32C), ("crc64nvme", CRC64NVME)])
def test_the_checksums_that_the_aws_cli_sends(connection, bucket, name, polynomial):
    data = bytes(range(251)) * 20_000
    value = b64encode(crc(polynomial, data).to_bytes(polynomial.bits // 8, "big")).decode()
    header = f"x-amz-checksum-{name}"
    assert ask(connection, "PUT", f"/{bucket}/k", data, **{header: value})[0].status == 200
    reply, _ = ask(connection, "HEAD", f"/{bucket}/k", x_amz_checksum_mode="ENABLED")
    assert reply.headers[header] == value
    reply, answer = ask(connection, "PUT", f"/{bucket}/k", data + b"x", **{header: value})
    assert (reply.status, code(answer)) == (400, "BadDigest")


def test_two_checksums_or_one_of_an_unknown_kind(connection, bucket):
    both = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": "A" * 27 + "="}
    assert code(ask(connection, "PUT", f"/{bucket}/k", b"", **both)[1]) == "InvalidRequest"
    reply, answer = ask(connection, "PUT", f"/{bucket}/k", b"", x_amz_checksum_xxhash3="AAAAAAAAAAA=")
    assert (reply.status, code(answer)) == (501, "NotImplemented")
    assert b"XXHASH3" in answer
    assert code(ask(connection, "PUT", f"/{bucket}/k", b"", x_amz_trailer="x-other")[1]) == "InvalidArgument"


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_client_that_goes_away_leaves_nothing(url, connection, bucket, blobs, framing):
    before, host = blobs(), urlsplit(url)
    with socket.create_connection((host.hostname, host.port)) as raw:
        raw.sendall(f"PUT /{bucket}/k HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode() + b"8000\r\n" + b"x" * 20_000)
        wait_until(lambda: blobs() != before)
    wait_until(lambda: blobs() == before)
    assert ask(connection, "HEAD", f"/{bucket}/k")[0].status == 404


def test_a_connection_goes_on_after_a_refusal(connection, bucket):
    for framing in ({}, {"Transfer_Encoding": "chunked"}):
        pieces = iter([b"x" * MIB] * 3) if framing else b"x" * 3 * MIB
        reply, answer = ask(connection, "PUT", "/not-there/k", pieces, **framing)
        assert (reply.status, code(answer)) == (404, "NoSuchBucket")
        socket_before = connection.sock
        assert ask(connection, "GET", f"/{bucket}?location")[0].status == 200
        assert connection.sock is socket_before is not None


def test_expect_100_continue(url, bucket):
    host = urlsplit(url)
    with socket.create_connection((host.hostname, host.port), timeout=20) as raw:
        head = f"PUT /{bucket}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        raw.sendall(head.encode())
        assert raw.recv(1000).startswith(b"HTTP/1.1 100 Continue")
        raw.sendall(b"body")
        assert raw.recv(1000).startswith(b"HTTP/1.1 200 OK")


def test_a_slash_that_is_escaped_is_a_slash_and_an_escaped_percent_is_not(connection, s3, bucket):
    ask(connection, "PUT", f"/{bucket}/a%2Fb", b"1")
    ask(connection, "PUT", f"/{bucket}/a%252Fb", b"2")
    ask(connection, "PUT", f"/{bucket}/a+b", b"3")
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a%2Fb", "a+b", "a/b"]
    reply, answer = ask(connection, "PUT", f"/{bucket}/%ff", b"")
    assert (reply.status, code(answer)) == (400, "InvalidURI")


@pytest.mark.parametrize("host", ["{}.localhost", "{}.localhost:4566", "{}.s3.localhost:80"])
def test_the_bucket_may_stand_in_the_host(connection, s3, bucket, host):
    ask(connection, "PUT", "/folder/k", b"body", Host=host.format(bucket))
    assert s3.get_object(Bucket=bucket, Key="folder/k")["Body"].read() == b"body"
    listed = ElementTree.fromstring(ask(connection, "GET", "/?list-type=2", Host=host.format(bucket))[1])
    assert listed.findtext("{*}Name") == bucket


def test_the_form_of_replies(connection, bucket):
    reply, answer = ask(connection, "GET", f"/{bucket}?list-type=2&prefix=%3C%26")
    assert reply.headers["Content-Type"] == "application/xml"
    root = ElementTree.fromstring(answer)
    assert root.tag == "{http://s3.amazonaws.com/doc/2006-03-01/}ListBucketResult"
    assert root.findtext("{*}Prefix") == "<&"
    reply, answer = ask(connection, "GET", f"/{bucket}/a%26b")
    error = {each.tag: each.text for each in ElementTree.fromstring(answer)}
    assert error["RequestId"] == reply.headers["x-amz-request-id"]
    assert error == {
        "Code": "NoSuchKey",
        "Message": "The specified key does not exist.",
        "Key": "a&b",
        "Resource": f"/{bucket}/a%26b",
        "RequestId": error["RequestId"],
    }
    reply, answer = ask(connection, "HEAD", f"/{bucket}/none")
    assert (reply.status, answer) == (404, b"")


def test_requests_that_mean_no_operation(connection, bucket):
    for method, target in (("PATCH", f"/{bucket}/k"), ("POST", f"/{bucket}"), ("DELETE", "/")):
        reply, answer = ask(connection, method, target)
        assert (reply.status, code(answer)) == (501, "NotImplemented")
        assert method in ElementTree.fromstring(answer).findtext("Message")


@pytest.mark.parametrize("body", [b"", b"<", b"<Tagging/>", b"<Tagging><TagSet/><Other/></Tagging>", b"\xff"])
def test_documents_that_are_not_what_they_should_be(connection, bucket, body):
    reply, answer = ask(connection, "PUT", f"/{bucket}?tagging", body)
    assert (reply.status, code(answer)) == (400, "MalformedXML")


def test_our_own_mistakes_are_logged_and_not_shown(tmp_path, caplog):
    store = ObjectStore(tmp_path)
    store.create_bucket("bucket")
    store.database.read().execute("DROP TABLE versions")
    started = []
    environ = {"REQUEST_METHOD": "GET", "REQUEST_URI": "/bucket/k", "wsgi.input": io.BytesIO()}
    with caplog.at_level(logging.ERROR, "drydock.s3"):
        body = b"".join(S3Application(store)(environ, lambda *start: started.append(start)))
    assert started[0][0] == "500 Internal Server Error"
    assert code(body) == "InternalError"
    assert not re.search(rb"Traceback|versions|sqlite", body)
    assert "no such table" in caplog.text
