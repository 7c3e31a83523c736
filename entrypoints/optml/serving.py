"""A model behind SageMaker's hosting contract: `GET /ping`, `POST /invocations`, a clean end on SIGTERM."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import socketserver
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from optml.environment import base_dir
from optml.errors import Refusal

MAX_BODY_BYTES = 6 * 1024 * 1024
DRAIN_S = 25.0
"""SageMaker sends SIGKILL 30 s after SIGTERM."""
_SIGNAL_POLL_S = 0.2
"""The kernel may deliver a signal to any thread; the main one, which runs the handler, must wake up to notice."""


class Predictor(Protocol):
    """Answers one request; called by one thread at a time.

    Raises Refusal for a body that is wrong (400), UnsupportedMediaType for a content type that it cannot read (415).
    """

    def __call__(self, body: bytes, content_type: str, accept: str, /) -> tuple[bytes, str]:
        """The reply's body and content type."""


class UnsupportedMediaType(Refusal):
    """The request's content type is none that the predictor reads."""


def serve(
    load: Callable[[Path], Predictor],
    *,
    name: str = "model",
    model_dir: Path | None = None,
    host: str | None = None,
    port: int | None = None,
) -> None:
    """Answer until SIGTERM or Ctrl-C, then finish what is under way and return.

    The port answers at once; `/ping` is 503 until `load` has returned. Without arguments: the model folder and port
    that SageMaker gives (`SAGEMAKER_BIND_TO_PORT`, 8080), on all interfaces in a container and on the loopback address
    under `SAGEMAKER_BASE_DIR`. Port 0 takes a free one. Raises what `load` raises, and Refusal for a port in use.
    """
    host = host or ("127.0.0.1" if os.environ.get("SAGEMAKER_BASE_DIR") else "0.0.0.0")
    server = _listen(host, _port_from_environment() if port is None else port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        with _terminated_by_signals():
            server.predictor = load(model_dir or base_dir() / "model")
            shown = "127.0.0.1" if host == "0.0.0.0" else host
            print(f"serving {name} on http://{shown}:{server.server_port}", flush=True)
            while True:
                time.sleep(_SIGNAL_POLL_S)
    except _Terminated:
        server.drain(DRAIN_S)
    finally:
        server.shutdown()
        server.server_close()


class _Terminated(BaseException):
    """A signal asked the server to end."""


class _Refused(Exception):  # noqa: N818  (a reply, not a fault)
    """A request is answered with an error status."""

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)
        self.predictor: Predictor | None = None
        self.one_at_a_time = threading.Lock()
        self.draining = False
        self._under_way = 0
        self._changed = threading.Condition()

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's full name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    @contextlib.contextmanager
    def request_under_way(self) -> Iterator[None]:
        with self._changed:
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def drain(self, timeout_s: float) -> None:
        self.draining = True
        with self._changed:
            self._changed.wait_for(lambda: self._under_way == 0, timeout_s)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no fault of ours; anything else is, and is shown."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 60
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(self._ping)

    def do_POST(self) -> None:
        self._answer(self._invoke)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Errors that the base class finds (method, request line) in the same JSON as ours."""
        self.close_connection = True
        self._reply(code, _error_json(message or explain or "bad request"), "application/json")

    def log_message(self, format: str, *args: Any) -> None:
        """The base class's access log would print every ping."""

    def _answer(self, action: Callable[[], tuple[bytes, str]]) -> None:
        started, status = time.monotonic(), 200
        with self.server.request_under_way():
            try:
                body, content_type = action()
            except _Refused as refused:
                status, content_type = refused.status, "application/json"
                body = _error_json(refused.message, refused.hint)
            self._reply(status, body, content_type)
        if self.path != "/ping":
            duration_ms = (time.monotonic() - started) * 1000
            print(f"{self.command} {self.path} {status} {duration_ms:.1f} ms", file=sys.stderr)

    def _ping(self) -> tuple[bytes, str]:
        self._check_path("/ping", "POST", "/invocations")
        self._ready()
        return b"", "text/plain"

    def _invoke(self) -> tuple[bytes, str]:
        body = self._read_body()
        self._check_path("/invocations", "GET", "/ping")
        predictor = self._ready()
        if not body:
            raise _Refused(400, "the request has no body", "send an image as the body of the request")
        content_type = self.headers.get("Content-Type", "application/octet-stream")
        try:
            with self.server.one_at_a_time:
                return predictor(body, content_type, self.headers.get("Accept", "*/*"))
        except Refusal as error:
            status = 415 if isinstance(error, UnsupportedMediaType) else 400
            raise _Refused(status, error.message, error.hint) from error
        except Exception as error:
            traceback.print_exc()
            problem = f"{type(error).__name__}: {error}"
            raise _Refused(500, problem, "the traceback is in the server's log") from error

    def _check_path(self, path: str, other_method: str, other_path: str) -> None:
        if self.path == other_path:
            raise _Refused(405, f"{self.path} does not take {self.command}", f"use {other_method} {self.path}")
        if self.path != path:
            raise _Refused(404, f"there is no {self.path}", "use GET /ping or POST /invocations")

    def _ready(self) -> Predictor:
        if self.server.draining:
            raise _Refused(503, "the server is shutting down")
        if self.server.predictor is None:
            raise _Refused(503, "the model is being loaded", "wait until GET /ping answers 200")
        return self.server.predictor

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length")
        if length is None or not (length.isascii() and length.isdigit()):
            self.close_connection = True
            if length is None:
                raise _Refused(411, "the request has no Content-Length", "send the body whole, not chunked")
            raise _Refused(400, f"Content-Length is {length!r}, not a number of bytes")
        if int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            self._discard(min(int(length), 16 * MAX_BODY_BYTES))
            raise _Refused(413, f"the body has {length} bytes, the limit is {MAX_BODY_BYTES}", "send a smaller image")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionAbortedError("the client went away in the middle of the body")
        return body

    def _discard(self, size: int) -> None:
        """Read on, so that a client which sends before it listens gets to see the reply."""
        while size > 0 and (block := self.rfile.read(min(size, 1 << 16))):
            size -= len(block)

    def _reply(self, status: int, body: bytes, content_type: str) -> None:
        self.close_connection = self.close_connection or self.server.draining
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def _error_json(message: str, hint: str = "") -> bytes:
    return json.dumps({"error": message, **({"hint": hint} if hint else {})}).encode()


def _listen(host: str, port: int) -> _Server:
    try:
        return _Server((host, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise Refusal(f"port {port} is in use", "set SAGEMAKER_BIND_TO_PORT to a free port") from error


def _port_from_environment() -> int:
    text = os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise Refusal(f"SAGEMAKER_BIND_TO_PORT is {text!r}, not a port", "set it to a number from 0 to 65535")
    return int(text)


@contextlib.contextmanager
def _terminated_by_signals() -> Iterator[None]:
    """Raise _Terminated in the block on the first SIGTERM or SIGINT; ignore those that follow, the end is bounded."""

    def terminate(_signal: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        raise _Terminated

    before = {number: signal.signal(number, terminate) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is terminate:
                signal.signal(number, handler)
