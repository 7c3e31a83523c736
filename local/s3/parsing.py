"""Requests to the members of an operation's input, by botocore's S3 model."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any
from xml.etree import ElementTree

from botocore.model import ListShape, OperationModel, Shape, StringShape, StructureShape
from botocore.utils import parse_timestamp

from local.s3.errors import S3Error, invalid_argument
from local.s3.request import Request

Members = dict[str, Any]
_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False}
_ENUM_ERRORS = {"BucketLocationConstraint": "InvalidLocationConstraint", "StorageClass": "InvalidStorageClass"}


def parse(operation: OperationModel, request: Request) -> Members:
    """The members that a request gives; S3Error InvalidArgument, MalformedXML.

    A streamed payload is left in the request.
    """
    shape = operation.input_shape
    members: Members = {}
    if shape is None:
        return members
    for name, member in shape.members.items():
        value = _located(member, request)
        if value is not None:
            members[name] = value
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name != "blob":
        content = request.document(protected=bool(operation.http_checksum))
        if shape.members[payload].type_name == "string":
            members[payload] = content.decode(errors="replace")
        elif content or payload in shape.required_members:
            members[payload] = _document(shape.members[payload], content)
    return members


def _located(shape: Shape, request: Request) -> Any:
    """A member from the URI or the headers, None if it is not there."""
    name = shape.serialization.get("name", "")
    match shape.serialization.get("location"):
        case "uri":
            return request.bucket if name == "Bucket" else request.key
        case "headers":
            prefix = name.lower()
            found = {
                header.removeprefix(prefix): value
                for header, value in request.headers.items()
                if header.startswith(prefix)
            }
            return found or None
        case "header":
            return _scalar(shape, name, request.headers.get(name.lower()))
        case "querystring":
            return _scalar(shape, name, request.query.get(name))
    return None


def _scalar(shape: Shape, name: str, text: str | None) -> Any:
    if text is None:
        return None
    try:
        return _convert(shape, text)
    except ValueError:
        raise invalid_argument(f"Invalid value for {name}: {text}", name, text) from None


def _convert(shape: Shape, text: str) -> Any:
    """Text to a scalar of the model; ValueError."""
    match shape.type_name:
        case "integer" | "long":
            return int(text)
        case "boolean":
            flag = _BOOLEANS.get(text.strip().lower())
            return _fail(text) if flag is None else flag
        case "timestamp" if shape.name != "Expires":
            moment = parse_timestamp(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        case "list" if isinstance(shape, ListShape):
            return [_convert(shape.member, item.strip()) for item in text.split(",")]
    if isinstance(shape, StringShape) and shape.enum and text not in shape.enum:
        return _fail(text, _ENUM_ERRORS.get(shape.name))
    return text


def _fail(text: str, code: str | None = None) -> Any:
    raise S3Error(code) if code else ValueError(text)


def _document(shape: Shape, content: bytes) -> Any:
    try:
        return _element(shape, ElementTree.fromstring(content))
    except (ElementTree.ParseError, ValueError, LookupError):
        raise S3Error("MalformedXML") from None


def _element(shape: Shape, element: ElementTree.Element) -> Any:
    """An element by its shape; ValueError for what the shape does not know or lacks."""
    if isinstance(shape, StructureShape):
        return _structure(shape, element)
    if isinstance(shape, ListShape):
        return [_element(shape.member, child) for child in element]
    return _convert(shape, element.text or "")


def _structure(shape: StructureShape, element: ElementTree.Element) -> Members:
    by_tag = {_tag(name, member): name for name, member in shape.members.items()}
    members: Members = {}
    for child in element:
        name = by_tag[child.tag.rpartition("}")[2]]
        member = shape.members[name]
        if isinstance(member, ListShape) and member.serialization.get("flattened"):
            members.setdefault(name, []).append(_element(member.member, child))
        elif name in members:
            raise ValueError(name)
        else:
            members[name] = _element(member, child)
    missing = set(shape.required_members) - members.keys()
    if missing:
        raise ValueError(missing)
    return members


def _tag(name: str, shape: Shape) -> str:
    own: str | None = shape.serialization.get("name")
    if own is None and isinstance(shape, ListShape) and shape.serialization.get("flattened"):
        own = shape.member.serialization.get("name")
    return own or name
