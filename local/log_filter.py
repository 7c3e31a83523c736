"""FilterLogEvents by a prefix of stream names, which moto ignores: the prefix becomes the names that begin with it."""

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from local.errors import SerializationException, ServiceError

TARGET = "Logs_20140328.FilterLogEvents"
LIST_TARGET = "Logs_20140328.DescribeLogStreams"

Ask: TypeAlias = Callable[[str, dict[str, Any]], dict[str, Any]]
"""(target, request) to reply: another operation of CloudWatch Logs, with nothing in the reply if it is refused."""

_PREFIX, _NAMES = "logStreamNamePrefix", "logStreamNames"
_NO_STREAM = ":"  # which no name of a stream can hold; to moto an empty list of names means all of them


def translate(body: bytes, ask: Ask) -> bytes:
    """The body of a FilterLogEvents as moto understands it; ServiceError if it has both a prefix and names."""
    try:
        request = json.loads(body)
    except ValueError:
        return body  # moto's to refuse
    if not isinstance(request, dict) or request.get(_PREFIX) is None:
        return body
    prefix = request.pop(_PREFIX)
    if not isinstance(prefix, str):
        raise SerializationException(f"{prefix} can not be converted to String at '{_PREFIX}'")
    if request.get(_NAMES):
        raise ServiceError("InvalidParameterException", f"Give either {_PREFIX} or {_NAMES}, not both")
    names = [*_streams(str(request.get("logGroupName")), prefix, ask)]
    return json.dumps(request | {_NAMES: names or [_NO_STREAM]}).encode()


def _streams(group: str, prefix: str, ask: Ask) -> Iterator[str]:
    page = {"logGroupName": group, _PREFIX: prefix}
    while True:
        reply = ask(LIST_TARGET, page)
        yield from (stream["logStreamName"] for stream in reply.get("logStreams", []))
        if not reply.get("nextToken"):
            return
        page["nextToken"] = reply["nextToken"]
