"""The server as a process: where it listens, how it starts and ends, and which service answers what."""

import http.client
import io
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local import protocol
from local.api.actions import State
from local.routing import LONGEST_BODY_BYTES, Router, Scope, scope
from tests.support import emulator as emulators
from tests.support.emulator import ROOT, Emulator

SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/sagemaker/aws4_request, Signature=x"}
TARGET = {"X-Amz-Target": "SageMaker.ListTrainingJobs", "Content-Type": protocol.CONTENT_TYPE}


@pytest.fixture(scope="module")
def server(shared_emulator: Emulator) -> Emulator:
    return shared_emulator


@pytest.fixture
def wire(server: Emulator) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    yield connection
    connection.close()


def ask(
    wire: http.client.HTTPConnection,
    headers: dict[str, str],
    body: bytes = b"{}",
    method: str = "POST",
    path: str = "/",
) -> tuple[int, dict[str, str], Any]:
    wire.request(method, path, body, headers)
    response = wire.getresponse()
    return response.status, {k.lower(): v for k, v in response.getheaders()}, json.loads(response.read())


def serve(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a server that is expected to give up."""
    command = [sys.executable, "-m", "local.server", "--home", str(home), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_server_file_says_where_it_answers(server: Emulator):
    facts = json.loads((server.home / "emulator.json").read_text())
    assert facts["pid"] == server.process.pid
    assert facts["url"] == f"http://127.0.0.1:{facts['port']}"
    assert facts["home"] == str(server.home)


def test_health(server: Emulator, wire: http.client.HTTPConnection):
    status, _, body = ask(wire, {}, b"", "GET", "/_drydock/health")
    assert status == 200
    assert body == {"status": "ok", "pid": server.process.pid, "home": str(server.home)}


def test_it_and_its_child_listen_on_the_loopback_address_only(server: Emulator):
    pids = [server.process.pid, *children(server.process.pid)]
    addresses = {address for pid in pids for address in listening(pid)}
    assert len(addresses) == 2
    assert {address.split(":")[0] for address in addresses} == {"0100007F"}


def children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def listening(pid: int) -> list[str]:
    """Local addresses of the listening TCP sockets of a process, as /proc/net/tcp and tcp6 show them."""
    links = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            links.append(str(fd.readlink()))
    inodes = {link[len("socket:[") : -1] for link in links if link.startswith("socket:")}
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()]
    return [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]


def test_a_second_server_on_the_same_home_is_refused(server: Emulator):
    second = serve(server.home)
    assert second.returncode == 1
    assert f"another emulator uses {server.home} (process {server.process.pid}, {server.url})" in second.stderr
    assert "drydock down" in second.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = serve(tmp_path, "--port", str(port))
    assert result.returncode == 1
    assert f"error: port {port} cannot be used" in result.stderr
    assert "--port" in result.stderr


def test_a_program_folder_without_its_table_is_named(tmp_path: Path):
    result = serve(tmp_path / "home", "--programs", str(tmp_path))
    assert result.returncode == 1
    assert f"error: {tmp_path} is not a program folder" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_when_asked_to(tmp_path: Path, number: signal.Signals):
    emulator = emulators.start(tmp_path / "home")
    moto = children(emulator.process.pid)
    emulator.process.send_signal(number)
    assert emulator.process.wait(timeout=60) == 0
    assert not (emulator.home / "emulator.json").exists()
    assert [pid for pid in moto if Path(f"/proc/{pid}").exists()] == []
    assert "Traceback" not in (emulator.home / "server.log").read_text()


def test_after_kill_9_the_next_one_starts_and_has_the_state(tmp_path: Path):
    first = emulators.start(tmp_path / "home")
    first.client("s3").create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    first.kill()
    assert (first.home / "emulator.json").exists()
    second = emulators.start(tmp_path / "home")
    assert [bucket["Name"] for bucket in second.client("s3").list_buckets()["Buckets"]] == ["kept"]
    second.stop()


def test_one_port_answers_for_every_service(server: Emulator):
    assert server.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []
    assert server.client("s3").list_buckets()["Buckets"] == []
    assert server.client("sts").get_caller_identity()["Account"] == "123456789012"
    assert server.client("logs").describe_log_groups()["logGroups"] == []


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "named"),
    [
        ("sagemaker", "list_endpoints", {}, "ListEndpoints"),
        ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "e", "Body": b""}, "InvokeEndpoint"),
        ("sagemaker-metrics", "batch_put_metrics", {"TrialComponentName": "t", "MetricData": []}, "BatchPutMetrics"),
        ("sagemaker-edge", "get_deployments", {"DeviceName": "d", "DeviceFleetName": "f"}, "GetDeployments"),
    ],
)
def test_an_operation_that_is_not_there_yet_is_refused_by_name(
    server: Emulator, service: str, operation: str, arguments: dict[str, Any], named: str
):
    arguments = {**arguments, "MetricData": METRIC} if "MetricData" in arguments else arguments
    client = boto3.client(
        service, endpoint_url=server.url, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**arguments)
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
    assert f"{named} is not supported by Drydock" in caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0


METRIC = [{"MetricName": "m", "Timestamp": 1, "Value": 1.0}]


def signed_for(region: str) -> dict[str, str]:
    return {"Authorization": SIGNED["Authorization"].replace("eu-west-1", region)}


@pytest.mark.parametrize(
    ("headers", "body", "refusal"),
    [
        (TARGET | SIGNED, b"{", (400, "SerializationException", "not valid JSON")),
        (TARGET | SIGNED, b'{"MaxResults": "1"}', (400, "SerializationException", "at 'maxResults'")),
        (TARGET | SIGNED, b'{"MaxResult": 1}', (400, "ValidationException", "did you mean MaxResults?")),
        (TARGET, b"{}", (400, "MissingAuthenticationTokenException", "Missing Authentication Token")),
        (TARGET | signed_for("eu_WEST"), b"{}", (403, "InvalidSignatureException", "valid region")),
        (SIGNED | {"X-Amz-Target": "SageMaker.Tea"}, b"{}", (400, "UnknownOperationException", "'Tea'")),
        (SIGNED | {"X-Amz-Target": "Other.List"}, b"{}", (400, "UnknownOperationException", "POST /")),
        (SIGNED, b"{}", (400, "UnknownOperationException", "POST /")),
        (TARGET | SIGNED, b" " * (LONGEST_BODY_BYTES + 1), (413, "RequestEntityTooLargeException", "8388609")),
    ],
)
def test_a_request_that_is_wrong_on_the_wire_is_refused_in_awss_form(
    wire: http.client.HTTPConnection, headers: dict[str, str], body: bytes, refusal: tuple[int, str, str]
):
    status, reply_headers, reply = ask(wire, headers, body)
    assert (status, reply["__type"]) == refusal[:2]
    assert refusal[2] in reply["message"]
    assert reply_headers["content-type"] == "application/x-amz-json-1.1"
    assert reply_headers["x-amzn-requestid"]


def test_an_operation_is_posted(wire: http.client.HTTPConnection):
    status, _, reply = ask(wire, TARGET | SIGNED, b"", "GET")
    assert (status, reply["__type"]) == (400, "UnknownOperationException")
    assert "must be sent with POST" in reply["message"]


def test_one_connection_carries_many_requests(wire: http.client.HTTPConnection):
    assert ask(wire, TARGET | SIGNED)[2] == {"TrainingJobSummaries": []}
    connected = wire.sock
    assert ask(wire, TARGET | SIGNED, b"{")[0] == 400
    assert ask(wire, TARGET | SIGNED)[2] == {"TrainingJobSummaries": []}
    assert wire.sock is connected


def test_what_is_presigned_or_not_signed_goes_to_s3(server: Emulator, wire: http.client.HTTPConnection):
    s3 = server.client("s3")
    s3.create_bucket(Bucket="presigned", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="presigned", Key="k", Body=b"content")
    url = s3.generate_presigned_url("get_object", {"Bucket": "presigned", "Key": "k"})
    for path in (url.removeprefix(server.url), "/presigned/k"):
        wire.request("GET", path)
        assert wire.getresponse().read() == b"content"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HTTP_AUTHORIZATION": SIGNED["Authorization"]}, Scope("eu-west-1", "sagemaker")),
        ({"HTTP_AUTHORIZATION": "AWS4-ECDSA-P256-SHA256 Credential=x/20260101/s3/aws4_request"}, Scope("", "s3")),
        ({"HTTP_AUTHORIZATION": "AWS key:signature"}, Scope()),
        ({"QUERY_STRING": "X-Amz-Credential=x%2F20260101%2Feu-west-1%2Fsts%2Faws4_request"}, Scope("eu-west-1", "sts")),
        ({}, Scope()),
    ],
)
def test_the_scope_of_a_signature(environ: dict[str, str], expected: Scope):
    assert scope(environ) == expected


class BrokenRunner:
    """A runner with a mistake in it."""

    def list(self) -> list[Any]:
        raise RuntimeError("secret detail")


def test_a_mistake_of_ours_is_an_internal_failure_whose_traceback_stays_in_the_log(caplog: pytest.LogCaptureFixture):
    def broken(environ: Any, start_response: Any) -> Any:
        raise RuntimeError("secret detail")

    router = Router(State(store=None, runner=BrokenRunner()), broken, broken, "home")
    sagemaker = {"HTTP_AUTHORIZATION": SIGNED["Authorization"], "HTTP_X_AMZ_TARGET": TARGET["X-Amz-Target"]}
    for headers in (sagemaker, {}):
        statuses: list[str] = []
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "wsgi.input": io.BytesIO()} | headers
        body = b"".join(router(environ, lambda status, _, seen=statuses: seen.append(status)))
        assert statuses == ["500 Internal Server Error"]
        assert json.loads(body)["__type"] == "InternalFailure"
        assert b"secret" not in body
    assert caplog.text.count("\nRuntimeError: secret detail") == 2
