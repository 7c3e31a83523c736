"""SageMaker's neighbours (CloudWatch, Logs, STS, IAM, …): moto in a child process, and the way to it.

moto keeps its state in globals of its process, so it gets one of its own; that also keeps its imports
out of our start. The child listens on the loopback address only and dies with its parent.
"""

import http.client
import io
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from local import log_filter, protocol
from local.errors import ServiceError, UnknownOperation

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TIMEOUT_S = 50
"""Long enough for moto's imports on a busy machine, and shorter than the 60 s that botocore waits."""

_CHUNK_BYTES = 1 << 16
_GATHERED_BYTES = 1 << 20
_FORM = "application/x-www-form-urlencoded"
_PAGE = b"<!doctype html"
_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "content-length",
}


class Neighbours:
    """moto's server in a child process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """The child's URL, at once: the socket queues connections until the child has imported moto."""
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
            program = Path(__file__).with_name("moto_server.py")
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(program), str(listening.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[listening.fileno()],
                start_new_session=True,
            )
            return f"http://127.0.0.1:{listening.getsockname()[1]}"

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.communicate()


class Forwarder:
    """A WSGI application that passes requests on to moto and its replies back, piece by piece."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        """``timeout_s``: how long moto may keep silent."""
        self._address = urlsplit(url).netloc
        self._timeout_s = timeout_s

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        connection = self._connection()
        try:
            body, length_bytes = self._translated(environ, *_body(environ))
            first = body.read(min(_CHUNK_BYTES, length_bytes))
            _send(connection, environ, first, body, length_bytes)
            response = connection.getresponse()
            problem = response.read() if response.status == 404 or response.status >= 500 else None
        except ServiceError as error:
            return refuse(error, environ, start_response)
        except OSError as error:
            connection.close()
            return refuse(self._unreachable(error), environ, start_response)
        if problem is not None and problem.lstrip()[:14].lower() == _PAGE:
            return refuse(_unanswered(environ, first), environ, start_response)
        headers = [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP]
        start_response(f"{response.status} {response.reason}", headers)
        return [problem] if problem is not None else _pieces(response, connection)

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._address, timeout=self._timeout_s)

    def _translated(self, environ: "WSGIEnvironment", body: IO[bytes], length_bytes: int) -> tuple[IO[bytes], int]:
        """The body, and its length, of a request that moto would misunderstand; any other as it is."""
        if environ.get("HTTP_X_AMZ_TARGET") != log_filter.TARGET:
            return body, length_bytes
        content = log_filter.translate(body.read(length_bytes), partial(self._ask, environ))
        return io.BytesIO(content), len(content)

    def _ask(self, environ: "WSGIEnvironment", target: str, request: dict[str, Any]) -> dict[str, Any]:
        """What moto replies to another operation, asked as the same client; nothing if it refuses."""
        content = json.dumps(request).encode()
        with closing(self._connection()) as connection:
            _send(connection, {**environ, "HTTP_X_AMZ_TARGET": target}, content, io.BytesIO(), len(content))
            response = connection.getresponse()
            return dict(json.loads(response.read())) if response.status == 200 else {}

    def _unreachable(self, error: OSError) -> ServiceError:
        who, remedy = "The process that answers for AWS's other services", "`drydock down`, then `drydock up`"
        if isinstance(error, TimeoutError):
            silent = f"{who} has said nothing for {self._timeout_s:g} s; try again, or type {remedy}"
            return ServiceError("ServiceUnavailable", silent, 503)
        return ServiceError("InternalFailure", f"{who} is gone; type {remedy}", 500)


def refuse(error: ServiceError, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answer with an error in the form that the client reads: XML for the query protocol, else JSON."""
    request_id = str(uuid.uuid4())
    if environ.get("CONTENT_TYPE", "").startswith(_FORM):
        content_type = "text/xml"
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{error.code}</Code><Message>{escape(error.message)}"
            f"</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        ).encode()
    else:
        content_type, body = protocol.CONTENT_TYPE, protocol.serialise_error(error)
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("x-amzn-RequestId", request_id),
        ("x-amzn-ErrorType", error.code),
    ]
    start_response(f"{error.status} {http.client.responses.get(error.status, 'Error')}", headers)
    return [body]


def _send(
    connection: http.client.HTTPConnection, environ: "WSGIEnvironment", first: bytes, rest: IO[bytes], length_bytes: int
) -> None:
    target = environ.get("REQUEST_URI") or environ["PATH_INFO"]
    connection.putrequest(environ["REQUEST_METHOD"], target, skip_host=True, skip_accept_encoding=True)
    for name, value in _headers(environ):
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(length_bytes))
    connection.endheaders()
    piece = first
    while piece:
        connection.send(piece)
        length_bytes -= len(piece)
        piece = rest.read(min(_CHUNK_BYTES, length_bytes)) if length_bytes else b""


def _body(environ: "WSGIEnvironment") -> tuple[IO[bytes], int]:
    """The request's body and its length in bytes; what comes in chunks is gathered first, on disk if it is large."""
    source: IO[bytes] = environ["wsgi.input"]
    if "HTTP_TRANSFER_ENCODING" not in environ:
        return source, int(environ.get("CONTENT_LENGTH") or 0)
    gathered = tempfile.SpooledTemporaryFile(max_size=_GATHERED_BYTES)  # noqa: SIM115, closed when it is dropped
    shutil.copyfileobj(source, gathered)
    length_bytes = gathered.tell()
    gathered.seek(0)
    return gathered, length_bytes


def _headers(environ: "WSGIEnvironment") -> Iterator[tuple[str, str]]:
    for key, value in environ.items():
        name = key.removeprefix("HTTP_").replace("_", "-")
        if key == "CONTENT_TYPE" or (key.startswith("HTTP_") and name.lower() not in _HOP_BY_HOP):
            yield name, value


def _unanswered(environ: "WSGIEnvironment", body: bytes) -> UnknownOperation:
    """An error page of moto's, whether it lacks the operation or failed at it, as an error that is not retried."""
    asked = environ.get("HTTP_X_AMZ_TARGET", "")
    if environ.get("CONTENT_TYPE", "").startswith(_FORM):
        asked = parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
    asked = asked or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    return UnknownOperation(
        f"{asked} is not supported by Drydock: moto, which answers for this service, has no answer to it; "
        "the emulator's log has its error"
    )


def _pieces(response: http.client.HTTPResponse, connection: http.client.HTTPConnection) -> Iterator[bytes]:
    try:
        while piece := response.read1(_CHUNK_BYTES):
            yield piece
    finally:
        connection.close()
