"""One port, several services: which application answers a request.

The target header or the credential scope of the signature names the service: SageMaker is ours, S3 is
ours (and gets what is not signed, as moto has it), the rest goes to moto.
"""

import json
import logging
import os
import re
import sys
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from local import protocol
from local.api import runtime, service
from local.api.actions import State
from local.errors import ServiceError, UnknownOperation
from local.neighbours import refuse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEALTH_PATH = "/_drydock/health"
LONGEST_BODY_BYTES = 8 << 20
_PIECE_BYTES = 1 << 16

_log = logging.getLogger(__name__)
_SIGNATURE = re.compile(r"Credential=[^/,\s]+/\d{8}/(?:(?P<region>[^/,\s]*)/)?(?P<service>[^/,\s]+)/aws4_request")
_REGION = re.compile(r"[a-z]{2,8}(-[a-z]{1,16}){1,3}-\d{1,2}")


@dataclass(frozen=True)
class Scope:
    """Region and service that a request is signed for; empty strings if it is not signed."""

    region: str = ""
    service: str = ""


@dataclass(frozen=True)
class Router:
    """The WSGI application of the emulator."""

    state: State
    s3: "WSGIApplication"
    neighbours: "WSGIApplication"
    home: str

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] == HEALTH_PATH:
            return self._health(start_response)
        signed_for = scope(environ)
        if signed_for.service == "sagemaker" or environ.get("HTTP_X_AMZ_TARGET", "").startswith(protocol.TARGET_PREFIX):
            return self._sagemaker(environ, start_response, signed_for)
        application = self.s3 if signed_for.service in ("", "s3") else self.neighbours
        return _guarded(application, environ, start_response)

    def _health(self, start_response: "StartResponse") -> Iterable[bytes]:
        body = json.dumps({"status": "ok", "pid": os.getpid(), "home": self.home}).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _sagemaker(
        self, environ: "WSGIEnvironment", start_response: "StartResponse", signed_for: Scope
    ) -> Iterable[bytes]:
        try:
            body = _sagemaker_reply(self.state, environ, signed_for)
        except ServiceError as error:
            return refuse(error, environ, start_response)
        except Exception:  # noqa: BLE001, it is logged and answered
            return _failure(environ, start_response)
        headers = [
            ("Content-Type", protocol.CONTENT_TYPE),
            ("Content-Length", str(len(body))),
            ("x-amzn-RequestId", str(uuid.uuid4())),
        ]
        start_response("200 OK", headers)
        return [body]


def scope(environ: "WSGIEnvironment") -> Scope:
    """The credential scope in the Authorization header or in a presigned URL; S3 for signatures of version 2."""
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    presigned = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0]
    found = _SIGNATURE.search(authorization or f"Credential={presigned}")
    return Scope(found["region"] or "", found["service"].lower()) if found else Scope()


def _sagemaker_reply(state: State, environ: "WSGIEnvironment", signed_for: Scope) -> bytes:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if not target.startswith(protocol.TARGET_PREFIX):
        asked = runtime.operation_at(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        raise UnknownOperation(f"{asked} is not supported by Drydock yet")
    if environ["REQUEST_METHOD"] != "POST":
        raise UnknownOperation(f"{target} must be sent with POST, not {environ['REQUEST_METHOD']}")
    if not signed_for.service:
        raise ServiceError(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token: sign the request, with any key; `drydock env` prints one",
        )
    if not _REGION.fullmatch(signed_for.region):
        raise ServiceError("InvalidSignatureException", "Credential should be scoped to a valid region.", 403)
    here = replace(state, region=signed_for.region)
    return service.answer(here, protocol.operation_name(target), _read(environ))


def _read(environ: "WSGIEnvironment") -> bytes:
    """The request's body. One that is too long is read to its end all the same, so that the client hears why."""
    source = environ["wsgi.input"]
    left = sys.maxsize if "HTTP_TRANSFER_ENCODING" in environ else int(environ.get("CONTENT_LENGTH") or 0)
    body = bytearray()
    size_bytes = 0
    while left > 0 and (piece := source.read(min(left, _PIECE_BYTES))):
        left -= len(piece)
        size_bytes += len(piece)
        if size_bytes <= LONGEST_BODY_BYTES:
            body += piece
    if size_bytes > LONGEST_BODY_BYTES:
        message = f"A request can have {LONGEST_BODY_BYTES} bytes; this one has {size_bytes}"
        raise ServiceError("RequestEntityTooLargeException", message, 413)
    return bytes(body)


def _guarded(
    application: Callable[["WSGIEnvironment", "StartResponse"], Iterable[bytes]],
    environ: "WSGIEnvironment",
    start_response: "StartResponse",
) -> Iterable[bytes]:
    try:
        return application(environ, start_response)
    except Exception:  # noqa: BLE001, it is logged and answered
        return _failure(environ, start_response)


def _failure(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answer InternalFailure; the traceback goes to the log and never to the client."""
    _log.exception("%s %s failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
    error = ServiceError("InternalFailure", "Drydock failed at this request; its log (emulator.log) says where", 500)
    return refuse(error, environ, start_response)
