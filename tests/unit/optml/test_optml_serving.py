"""Serving: SageMaker's hosting contract over real sockets."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import threading
from typing import Any

import pytest

SERVER = """
import sys, time
from pathlib import Path
from optml import serving
from optml.errors import Refusal
from optml.program import Program, Channel, Verb
from optml.metrics import Registry
from dataclasses import dataclass

@dataclass(frozen=True)
class Nothing:
    pass

def load(folder):
    {load}
    def predict(body, content_type, accept):
        if content_type == "text/odd":
            raise serving.UnsupportedMediaType("text/odd is not read", "send image/png")
        if body == b"refuse":
            raise Refusal("not an image", "send a PNG")
        if body == b"crash":
            raise ValueError("a fault")
        if body == b"slow":
            print("slow", flush=True)
            sys.stdin.readline()
        return f"{{folder.name}} {{len(body)}} {{content_type}} {{accept}}".encode(), "text/x-answer"
    return predict

def serve(args):
    serving.serve(load, name="tiny")

Program(
    name="tiny", summary="", hyperparameters=Nothing, metrics=Registry(), channels={{}}, environment="python",
    images=(), verbs={{"serve": Verb(serve, "serve it")}},
).main()
"""


def start(job: Any, load: str = "pass", port: int = 0) -> Any:
    job.environ["SAGEMAKER_BIND_TO_PORT"] = str(port)
    return job.start_script(SERVER.format(load=load), "serve")


def announced_port(process: Any) -> int:
    line = process.stdout.readline()
    match = re.fullmatch(r"serving tiny on http://127\.0\.0\.1:(\d+)\n", line)
    assert match, line or process.stderr.read()
    return int(match.group(1))


@pytest.fixture
def server(job: Any) -> tuple[Any, int]:
    process = start(job)
    return process, announced_port(process)


def ask(
    port: int, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read()
    finally:
        connection.close()


def error(answer: tuple[int, str, bytes]) -> tuple[int, dict[str, str]]:
    status, content_type, body = answer
    assert content_type == "application/json"
    return status, json.loads(body)


def test_ping_and_invocations(server: Any) -> None:
    _, port = server
    assert ask(port, "GET", "/ping")[0] == 200
    headers = {"Content-Type": "image/jpeg", "Accept": "application/json"}
    answer = ask(port, "POST", "/invocations", b"12345", headers)
    assert answer == (200, "text/x-answer", b"model 5 image/jpeg application/json")


def test_one_connection_serves_many_requests(server: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server[1], timeout=30)
    for body in (b"refuse", b"crash", b"abc", b"abcd"):
        connection.request("POST", "/invocations", body)
        response = connection.getresponse()
        last = response.read()
        assert response.version == 11
        assert not response.will_close
    assert last == b"model 4 application/octet-stream */*"
    connection.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "message", "hint"),
    [
        ("POST", "/invocations", b"refuse", {}, 400, "not an image", "send a PNG"),
        ("POST", "/invocations", b"x", {"Content-Type": "text/odd"}, 415, "text/odd is not read", "send image/png"),
        ("POST", "/invocations", b"crash", {}, 500, "ValueError: a fault", "the traceback is in the server's log"),
        ("POST", "/invocations", b"", {}, 400, "the request has no body", "send an image as the body of the request"),
        ("GET", "/execution-parameters", None, {}, 404, "there is no /execution-parameters", None),
        ("GET", "/", None, {}, 404, "there is no /", None),
        ("POST", "/other", b"x", {}, 404, "there is no /other", None),
        ("GET", "/invocations", None, {}, 405, "/invocations does not take GET", "use POST /invocations"),
        ("POST", "/ping", b"x", {}, 405, "/ping does not take POST", "use GET /ping"),
        ("DELETE", "/ping", None, {}, 501, "Unsupported method ('DELETE')", None),
        (
            "POST",
            "/invocations",
            None,
            {"Content-Length": "many"},
            400,
            "Content-Length is 'many', not a number of bytes",
            None,
        ),
        (
            "POST",
            "/invocations",
            None,
            {"Transfer-Encoding": "chunked"},
            411,
            "the request has no Content-Length",
            None,
        ),
    ],
)
def test_errors_are_json_without_a_traceback(
    server: Any, method: str, path: str, body: Any, headers: Any, status: int, message: str, hint: str | None
) -> None:
    answered, content = error(ask(server[1], method, path, body, headers))
    assert (answered, content["error"]) == (status, message)
    if hint:
        assert content["hint"] == hint
    assert ask(server[1], "GET", "/ping")[0] == 200


@pytest.mark.parametrize(("size", "status"), [(6 * 1024 * 1024, 200), (6 * 1024 * 1024 + 1, 413), (20_000_000, 413)])
def test_the_body_may_have_6_mebibytes(server: Any, size: int, status: int) -> None:
    answer = ask(server[1], "POST", "/invocations", bytes(size))
    assert answer[0] == status
    if status == 413:
        assert error(answer)[1]["error"] == f"the body has {size} bytes, the limit is 6291456"


def test_the_traceback_of_a_fault_is_in_the_servers_log_and_pings_are_not(server: Any) -> None:
    process, port = server
    ask(port, "GET", "/ping")
    ask(port, "POST", "/invocations", b"crash")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert "ValueError: a fault" in err
    assert "POST /invocations 500" in err
    assert "/ping" not in err


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_it_answers(port: int, path: str = "/ping") -> tuple[int, str, bytes]:
    while True:
        try:
            return ask(port, "GET", path)
        except ConnectionRefusedError:
            continue


def test_the_port_answers_503_while_the_model_is_loaded(job: Any) -> None:
    port = free_port()
    marker = job.base / "go"
    process = start(job, f"while not Path({str(marker)!r}).exists(): time.sleep(0.01)", port)
    assert error(until_it_answers(port)) == (
        503,
        {"error": "the model is being loaded", "hint": "wait until GET /ping answers 200"},
    )
    assert error(ask(port, "POST", "/invocations", b"x"))[0] == 503
    marker.touch()
    assert announced_port(process) == port
    assert ask(port, "GET", "/ping")[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_at_once_even_with_idle_connections(server: Any, number: int) -> None:
    process, port = server
    idle = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    idle.request("GET", "/ping")
    idle.getresponse().read()
    process.send_signal(number)
    assert process.communicate(timeout=15) == ("", "")
    assert process.returncode == 0
    idle.close()


def test_a_signal_while_the_model_is_loaded_ends_it_with_0(job: Any) -> None:
    process = start(job, "print('loading', flush=True); time.sleep(600)")
    assert process.stdout.readline() == "loading\n"
    process.terminate()
    assert process.wait(timeout=15) == 0


def test_what_is_under_way_is_finished_and_new_requests_are_turned_away(job: Any) -> None:
    read, write = os.pipe()
    saved = os.dup(0)
    os.dup2(read, 0)  # the server inherits it as its stdin
    try:
        process = start(job)
        port = announced_port(process)
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(read)
    answers: list[Any] = []
    slow = threading.Thread(target=lambda: answers.append(ask(port, "POST", "/invocations", b"slow")))
    slow.start()
    assert process.stdout.readline() == "slow\n"
    process.terminate()
    process.terminate()
    while ask(port, "GET", "/ping")[0] != 503:
        continue
    assert error(ask(port, "POST", "/invocations", b"late"))[0] == 503
    os.write(write, b"\n")
    os.close(write)
    slow.join(30)
    assert answers == [(200, "text/x-answer", b"model 4 application/octet-stream */*")]
    assert process.wait(timeout=30) == 0


def test_a_model_that_cannot_be_loaded_ends_the_program_with_its_refusal(job: Any) -> None:
    process = start(job, "raise Refusal('no model', 'train one')")
    assert process.communicate(timeout=60) == ("", "error: no model\n\nhint: train one\n")
    assert process.returncode == 2


def test_a_port_in_use_and_a_port_that_is_none_are_refused(job: Any, server: Any) -> None:
    process = start(job, port=server[1])
    assert process.communicate(timeout=60)[1].startswith(
        f"error: port {server[1]} is in use\n\nhint: set SAGEMAKER_BIND"
    )
    job.environ["SAGEMAKER_BIND_TO_PORT"] = "eighty"
    process = job.start_script(SERVER.format(load="pass"), "serve")
    assert process.communicate(timeout=60)[1].startswith("error: SAGEMAKER_BIND_TO_PORT is 'eighty', not a port")


def test_under_a_base_folder_it_listens_on_the_loopback_address_only(server: Any) -> None:
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.connect(("127.0.0.2", server[1]))


def test_in_a_container_it_listens_on_every_address(job: Any) -> None:
    source = SERVER.format(load="pass").replace(
        'serving.serve(load, name="tiny")',
        "import os; del os.environ['SAGEMAKER_BASE_DIR']; serving.serve(load, name='tiny')",
    )
    job.environ["SAGEMAKER_BIND_TO_PORT"] = "0"
    process = job.start_script(source, "serve")
    port = announced_port(process)
    with socket.socket() as other:
        other.connect(("127.0.0.2", port))
    assert ask(port, "GET", "/ping")[0] == 200


def test_a_client_that_leaves_in_the_middle_harms_nobody(server: Any) -> None:
    process, port = server
    with socket.socket() as client:
        client.connect(("127.0.0.1", port))
        client.sendall(b"POST /invocations HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
    assert ask(port, "POST", "/invocations", b"x")[0] == 200
    process.terminate()
    assert "Traceback" not in process.communicate(timeout=60)[1]
