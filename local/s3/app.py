"""The HTTP face of the object store: a WSGI application that speaks S3."""

import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from local.errors import disk_is_full
from local.s3 import buckets_api, documents_api, listings_api, multipart_api, reads_api, writes_api
from local.s3.errors import S3Error, invalid_argument
from local.s3.operation import Call, Operation
from local.s3.parsing import parse
from local.s3.request import Request, drain, read
from local.s3.routing import Router
from local.s3.serialising import Response, serialise, serialise_error
from local.s3.store import ObjectStore

_MODULES = (buckets_api, documents_api, listings_api, multipart_api, reads_api, writes_api)
_log = logging.getLogger("drydock.s3")
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class S3Application:
    """Answers S3 requests, addressed by path or by ``<bucket>.localhost``; credentials are not checked."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._operations: dict[str, Operation] = {
            operation.name: operation for module in _MODULES for operation in module.OPERATIONS
        }
        self._router = Router(self._operations)

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request_id = uuid.uuid4().hex[:16].upper()
        response = self._answer(environ, request_id)
        drain(environ["wsgi.input"])
        headers = [*response.headers.items(), ("x-amz-request-id", request_id), ("Server", "AmazonS3")]
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else response.body

    def _answer(self, environ: Mapping[str, Any], request_id: str) -> Response:
        try:
            response = self._operate(read(environ))
            return replace(response, headers={name: _wire(name, value) for name, value in response.headers.items()})
        except S3Error as error:
            refusal = error
        except Exception as error:  # noqa: BLE001  logged; the client gets no traceback
            _log.exception("%s %s (request %s)", environ["REQUEST_METHOD"], environ["REQUEST_URI"], request_id)
            refusal = S3Error("InsufficientStorage" if disk_is_full(error) else "InternalError")
        return serialise_error(refusal, environ["REQUEST_URI"].partition("?")[0], request_id)

    def _operate(self, request: Request) -> Response:
        _check_not_expired(request)
        model = self._router.resolve(request)
        call = Call(self._store, request, parse(model, request))
        return serialise(model, self._operations[model.name](call))


def _wire(name: str, value: str) -> str:
    """A header's value as WSGI takes it; S3Error for one that would break out of its line."""
    if _UNSAFE.search(value):
        raise invalid_argument("Header value cannot be represented.", name, value)
    return value.encode().decode("latin-1")


def _check_not_expired(request: Request) -> None:
    """S3Error AccessDenied for a presigned URL whose time is over."""
    query = request.query
    try:
        if "X-Amz-Expires" in query:
            signed = datetime.strptime(query.get("X-Amz-Date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            expires = signed.timestamp() + int(query["X-Amz-Expires"])
        elif "Signature" in query and "Expires" in query:
            expires = int(query["Expires"])
        else:
            return
    except ValueError:
        raise S3Error("AuthorizationQueryParametersError", "Query-string authentication needs valid dates") from None
    if time.time() > expires:
        moment = datetime.fromtimestamp(expires, UTC)
        raise S3Error("AccessDenied", "Request has expired", Expires=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
