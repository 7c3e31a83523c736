"""Replies from the members of an operation's output, by botocore's S3 model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from botocore.model import ListShape, OperationModel, Shape, StructureShape

from local.s3.errors import S3Error

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_ROOTS = {  # the model does not name these elements
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectTagging": "Tagging",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}


@dataclass
class Reply:
    """What an operation answers: members of its output, or a body of its own."""

    members: Mapping[str, Any] = field(default_factory=dict)
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Iterable[bytes] | None = None


@dataclass(frozen=True)
class Response:
    """What goes over the wire."""

    status: int
    headers: dict[str, str]
    body: Iterable[bytes]


def serialise(operation: OperationModel, reply: Reply) -> Response:
    """Members to headers and XML as the model binds them; absent members (None) are left out."""
    shape = operation.output_shape
    present = {name: value for name, value in reply.members.items() if value is not None}
    headers: dict[str, str] = {}
    body = reply.body
    if shape is not None:
        if unknown := present.keys() - shape.members.keys():
            raise TypeError(f"{operation.name} has no output member {sorted(unknown)}")
        for name, value in present.items():
            headers |= _headers(shape.members[name], value)
        if body is None:
            body = _body(operation, shape, present)
    body = [] if body is None else body
    if isinstance(body, list):
        headers.setdefault("Content-Length", str(sum(map(len, body))))
        if body:
            headers.setdefault("Content-Type", "application/xml")
    status = reply.status or operation.http.get("responseCode", 200)
    if status in (204, 304):
        headers.pop("Content-Length", None)
    return Response(status, headers | reply.headers, body)


def serialise_error(error: S3Error, resource: str, request_id: str) -> Response:
    """An error in S3's XML form."""
    elements = {"Code": error.code, "Message": error.message, **error.details, "Resource": resource}
    elements["RequestId"] = request_id
    content = "".join(f"<{name}>{_text(value)}</{name}>" for name, value in elements.items())
    body = f"{_DECLARATION}<Error>{content}</Error>".encode()
    headers = {"Content-Type": "application/xml", "Content-Length": str(len(body))}
    return Response(error.status, headers | error.headers, [body])


def document(root: str, text: str) -> list[bytes]:
    """A body of one element with text, for what the model cannot express."""
    return [f'{_DECLARATION}<{root} xmlns="{_NAMESPACE}">{_text(text)}</{root}>'.encode()]


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def _headers(shape: Shape, value: Any) -> dict[str, str]:
    name = shape.serialization.get("name", "")
    match shape.serialization.get("location"):
        case "header":
            return {name: http_date(value) if isinstance(value, datetime) else _plain(value)}
        case "headers":
            return {f"{name}{key}": item for key, item in value.items()}
    return {}


def _body(operation: OperationModel, shape: StructureShape, present: Mapping[str, Any]) -> list[bytes]:
    payload = shape.serialization.get("payload")
    if payload:
        if payload not in present:
            return []
        if shape.members[payload].type_name in ("blob", "string"):
            return [present[payload].encode()]
        return _xml(payload, _content(shape.members[payload], present[payload]))
    if all("location" in member.serialization for member in shape.members.values()):
        return []
    return _xml(_ROOTS[operation.name], _content(shape, present))


def _xml(root: str, content: str) -> list[bytes]:
    return [f'{_DECLARATION}<{root} xmlns="{_NAMESPACE}">{content}</{root}>'.encode()]


def _content(shape: Shape, value: Any) -> str:
    """What stands between the tags of an element."""
    if isinstance(shape, StructureShape):
        return "".join(
            _member(name, member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
            and "location" not in member.serialization
            and not member.serialization.get("xmlAttribute")
        )
    if isinstance(shape, ListShape):
        tag = shape.member.serialization.get("name", "member")
        return "".join(_tagged(tag, shape.member, item) for item in value)
    return _text(_plain(value))


def _member(name: str, shape: Shape, value: Any) -> str:
    tag = shape.serialization.get("name", name)
    if isinstance(shape, ListShape) and shape.serialization.get("flattened"):
        tag = shape.serialization.get("name") or shape.member.serialization.get("name", name)
        return "".join(_tagged(tag, shape.member, item) for item in value)
    return _tagged(tag, shape, value)


def _tagged(tag: str, shape: Shape, value: Any) -> str:
    return f"<{tag}{_attributes(shape, value)}>{_content(shape, value)}</{tag}>"


def _attributes(shape: Shape, value: Any) -> str:
    if not isinstance(shape, StructureShape):
        return ""
    namespace = shape.serialization.get("xmlNamespace")
    text = f" xmlns:{namespace['prefix']}={quoteattr(namespace['uri'])}" if namespace and "prefix" in namespace else ""
    for name, member in shape.members.items():
        if member.serialization.get("xmlAttribute") and name in value:
            text += f" {member.serialization['name']}={quoteattr(value[name])}"
    return text


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return str(value)


def _text(value: str) -> str:
    return escape(value, {"\r": "&#13;"})
