"""The wire of SageMaker, AWS JSON 1.1, read from and written by botocore's service model."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeAlias

from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from local.errors import SerializationException, ServiceError, UnknownOperation

CONTENT_TYPE = "application/x-amz-json-1.1"
TARGET_PREFIX = "SageMaker."

Document: TypeAlias = dict[str, Any]


@cache
def service_model() -> ServiceModel:
    """The model of SageMaker that botocore carries; some 50 ms the first time."""
    import botocore.session

    return botocore.session.get_session().get_service_model("sagemaker")


@cache
def operation(name: str) -> OperationModel:
    """The model of one operation; UnknownOperation if SageMaker has none of that name."""
    if name not in service_model().operation_names:
        raise UnknownOperation(f"SageMaker has no operation {name!r}")
    return service_model().operation_model(name)


def operation_name(target: str) -> str:
    """``CreateTrainingJob`` of the header ``X-Amz-Target: SageMaker.CreateTrainingJob``."""
    return target.removeprefix(TARGET_PREFIX)


def parse(shape: Shape | None, body: bytes) -> Document:
    """A request's body as the members of ``shape``; a null member counts as absent, as in AWS.

    Raises SerializationException for what is not a JSON object in UTF-8.
    """
    try:
        document = json.loads(body or b"{}", parse_constant=_refuse_constant, object_pairs_hook=_without_duplicates)
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise SerializationException(f"The request body is not valid JSON: {reason}") from None
    if not isinstance(document, dict):
        raise SerializationException("The request body must be a JSON object")
    members: Document = _without_nulls(shape, document)
    return members


def wire(value: object) -> Any:
    """An answer as JSON values: a datetime becomes epoch seconds with milliseconds."""
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    if isinstance(value, Mapping):
        return {key: wire(member) for key, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [wire(member) for member in value]
    return value


def serialise(document: Document) -> bytes:
    """The body of an answer; ValueError for a number that JSON cannot hold."""
    return json.dumps(document, allow_nan=False).encode()


def serialise_error(error: ServiceError) -> bytes:
    return serialise({"__type": error.code, "message": error.message})


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> Document:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"member {twice!r} appears twice")
    return members


def _without_nulls(shape: Shape | None, value: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {
            name: _without_nulls(shape.members.get(name), member)
            for name, member in value.items()
            if member is not None
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_without_nulls(shape.member, member) for member in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _without_nulls(shape.value, member) for key, member in value.items()}
    return value
