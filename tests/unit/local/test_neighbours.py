"""moto in a child process, reached through our port: real boto3 clients, a real child."""

import io
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.neighbours import Forwarder, Neighbours
from tests.support.serving import served


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A port that forwards everything to moto."""
    neighbours = Neighbours()
    with served(Forwarder(neighbours.start())) as url:
        yield url
    neighbours.stop()


def client(service: str, url: str, region: str = "eu-west-1"):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"max_attempts": 3}),
    )


def test_sts_says_who_we_are(url: str):
    assert client("sts", url).get_caller_identity()["Account"] == "123456789012"


def test_log_events_are_kept_by_region(url: str):
    logs = client("logs", url)
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    logs.put_log_events(
        logGroupName="g", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": "zwölf"}]
    )
    events = logs.get_log_events(logGroupName="g", logStreamName="s")["events"]
    assert [event["message"] for event in events] == ["zwölf"]
    assert client("logs", url, "us-east-1").describe_log_groups()["logGroups"] == []


def test_log_events_are_filtered_by_the_prefix_of_their_streams(url: str):
    logs = client("logs", url, "eu-north-1")
    logs.create_log_group(logGroupName="g")
    streams = [f"one/{number:02d}" for number in range(60)]  # more than a page of DescribeLogStreams
    for number, stream in enumerate([*streams, "another/0"]):
        logs.create_log_stream(logGroupName="g", logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": f"line {number}"}
        logs.put_log_events(logGroupName="g", logStreamName=stream, logEvents=[event])

    def found(prefix: str) -> dict[str, str]:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName="g", logStreamNamePrefix=prefix, PaginationConfig={"PageSize": 25}
        )
        return {event["logStreamName"]: event["message"] for page in pages for event in page["events"]}

    assert found("one/") == {stream: f"line {number}" for number, stream in enumerate(streams)}
    assert found("one/07") == {"one/07": "line 7"}
    assert found("two/") == {}
    assert len(logs.filter_log_events(logGroupName="g")["events"]) == 61


def test_a_prefix_of_streams_is_refused_beside_their_names_and_in_a_group_that_does_not_exist(url: str):
    logs = client("logs", url, "eu-north-1")
    with pytest.raises(ClientError) as both:
        logs.filter_log_events(logGroupName="g", logStreamNamePrefix="a", logStreamNames=["a"])
    assert both.value.response["Error"]["Code"] == "InvalidParameterException"
    assert "logStreamNamePrefix" in both.value.response["Error"]["Message"]
    with pytest.raises(ClientError) as absent:
        logs.filter_log_events(logGroupName="no such group", logStreamNamePrefix="a")
    assert absent.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_metrics_come_back(url: str):
    cloudwatch = client("cloudwatch", url)
    cloudwatch.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.5}])
    assert [m["MetricName"] for m in cloudwatch.list_metrics(Namespace="n")["Metrics"]] == ["m"]


def test_an_error_of_a_neighbour_passes_unchanged(url: str):
    with pytest.raises(ClientError) as caught:
        client("iam", url).get_role(RoleName="nobody")
    assert caught.value.response["Error"]["Code"] == "NoSuchEntity"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("logs", "describe_account_policies", {"policyType": "DATA_PROTECTION_POLICY"}),
        ("iam", "generate_service_last_accessed_details", {"Arn": "arn:aws:iam::123456789012:role/r"}),
        ("greengrassv2", "list_components", {}),
        ("pricing", "describe_services", {}),
    ],
)
def test_what_moto_cannot_answer_is_refused_once_and_by_name(url: str, service: str, operation: str, arguments: dict):
    with pytest.raises(ClientError) as caught:
        getattr(client(service, url), operation)(**arguments)
    response = caught.value.response
    assert response["Error"]["Code"] == "UnknownOperationException"
    assert "is not supported by Drydock" in response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["ResponseMetadata"]["RetryAttempts"] == 0


def test_a_body_in_chunks_arrives_whole(url: str):
    address = url.removeprefix("http://").split(":")
    signature = "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/logs/aws4_request"
    body = b'{"logGroupName": "chunked"}'
    with socket.create_connection((address[0], int(address[1]))) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
            b"X-Amz-Target: Logs_20140328.CreateLogGroup\r\nContent-Type: application/x-amz-json-1.1\r\n"
            b"Authorization: " + signature.encode() + b"\r\n\r\n"
        )
        for piece in (body[:10], body[10:]):
            connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    groups = client("logs", url).describe_log_groups(logGroupNamePrefix="chunked")["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["chunked"]


def test_a_child_that_is_gone_is_said_plainly():
    neighbours = Neighbours()
    forward = Forwarder(neighbours.start())
    neighbours.stop()
    status, body = ask(forward)
    assert status == "500 Internal Server Error"
    assert "is gone" in body
    assert "drydock up" in body


@pytest.mark.parametrize("target", ["Logs_20140328.DescribeLogGroups", "Logs_20140328.FilterLogEvents"])
def test_a_child_that_keeps_silent_is_not_waited_for_for_ever(target: str):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        forward = Forwarder(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.1)
        status, body = ask(forward, target, b'{"logStreamNamePrefix": "a"}')
    assert status == "503 Service Unavailable"
    assert "has said nothing for 0.1 s" in body
    assert "drydock up" in body


def ask(forward: Forwarder, target: str = "", content: bytes = b"") -> tuple[str, str]:
    """Status and body of the reply to one request."""
    seen: list[str] = []
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "CONTENT_LENGTH": str(len(content))}
    environ |= {"HTTP_X_AMZ_TARGET": target, "wsgi.input": io.BytesIO(content)}
    body = b"".join(forward(environ, lambda status, headers: seen.append(status)))
    return seen[0], body.decode()


def test_the_child_dies_with_its_parent_even_by_kill_9():
    program = (
        "import os, signal, sys\nfrom local.neighbours import Neighbours\n"
        "n = Neighbours()\nn.start()\nprint(n._process.pid, flush=True)\nsys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    watch = os.pidfd_open(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert select.select([watch], [], [], 30)[0], "the child outlives its parent"
    os.close(watch)
