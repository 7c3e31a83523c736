"""One walk over a shape of botocore's model that finds what a value breaks, in AWS's wording.

The same walk checks requests (the caller's mistakes, answered with AWS's codes) and our own answers
(our mistakes, which must never reach a client unnoticed).
"""

import math
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local.errors import SerializationException, ValidationException

# Patterns of the model that Python's re cannot compile, by hand. The letters and numbers of \p{L}
# and \p{N} are \w; \p{Z} is every separator. A pattern that is neither here nor compiles is skipped.
_TAG = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"
_LAMBDA_ARN = r"arn:[\p{Alnum}\-]+:lambda:[\p{Alnum}\-]+:[0-9]{12}:function:.*"
_TRANSLATED = {
    _TAG: re.compile(r"[\w \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000.:/=+\-@]*"),
    _LAMBDA_ARN: re.compile(_LAMBDA_ARN.replace(r"\p{Alnum}", "a-zA-Z0-9"), re.ASCII),
}

_SHOWN_CHARACTERS = 256
_PATTERN_CHARACTERS = 10_000
_INTEGER_BITS = {"integer": 31, "long": 63}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "blob": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
    "structure": (dict,),
    "list": (list,),
    "map": (dict,),
}


@dataclass(frozen=True)
class Violation:
    """A value at a member path that breaks one constraint of the model."""

    value: object
    path: str
    constraint: str

    def __str__(self) -> str:
        shown = "null" if self.value is None else f"'{_echo(self.value)}'"
        return f"Value {shown} at '{self.path}' failed to satisfy constraint: {self.constraint}"


class NonConformingError(Exception):
    """An answer of ours that the model of its operation does not allow."""


def check_request(shape: Shape | None, request: dict[str, Any]) -> None:
    """ValidationException naming every violation; SerializationException for a value of the wrong type."""
    refuse(violations(shape, request) if shape else _no_members(request))


def check_response(shape: Shape | None, response: dict[str, Any]) -> None:
    """NonConformingError if the answer is not what the operation's output shape allows."""
    try:
        found = list(violations(shape, response) if shape else _no_members(response))
    except SerializationException as error:
        raise NonConformingError(error.message) from None
    if found:
        raise NonConformingError("; ".join(map(str, found)))


def refuse(found: Iterable[Violation]) -> None:
    """Raise one ValidationException that lists what was found; nothing if that is nothing."""
    messages = [str(violation) for violation in found]
    if messages:
        noun = "error" if len(messages) == 1 else "errors"
        raise ValidationException(f"{len(messages)} validation {noun} detected: {'; '.join(messages)}")


def violations(shape: Shape, value: Any, path: str = "") -> Iterator[Violation]:
    """Everything in ``value`` that ``shape`` forbids; SerializationException at the first wrong type."""
    _check_type(shape, value, path)
    if isinstance(shape, StructureShape):
        yield from _structure(shape, value, path)
    elif isinstance(shape, ListShape):
        yield from _list(shape, value, path)
    elif isinstance(shape, MapShape):
        yield from _map(shape, value, path)
    else:
        yield from (Violation(value, path, text) for text in _broken(shape, value))


def constraints(shape: Shape) -> list[tuple[str, Callable[[Any], bool]]]:
    """The constraints of a shape, each as AWS words it and as a test of a value of the right type."""
    rules: list[tuple[str, Callable[[Any], bool]]] = []
    limits = shape.metadata
    sized = shape.type_name in ("string", "list", "map")
    measure: Callable[[Any], Any] = len if sized else _itself
    noun = "length" if sized else "value"
    if (most := limits.get("max")) is not None:
        rules.append((f"Member must have {noun} less than or equal to {most}", lambda v: measure(v) <= most))
    if (least := limits.get("min")) is not None:
        rules.append((f"Member must have {noun} greater than or equal to {least}", lambda v: measure(v) >= least))
    if (pattern := limits.get("pattern")) is not None:
        rules.append((f"Member must satisfy regular expression pattern: {pattern}", _matcher(shape, pattern)))
    if allowed := limits.get("enum"):
        rules.append((f"Member must satisfy enum value set: [{', '.join(allowed)}]", lambda v: v in allowed))
    return rules


@cache
def compiled(pattern: str) -> re.Pattern[str] | None:
    """A pattern of the model for ``fullmatch``, or None where Python has no way to say it."""
    if pattern in _TRANSLATED:
        return _TRANSLATED[pattern]
    try:
        return re.compile(pattern, re.ASCII)  # Java's \d, \w and \s are ASCII
    except re.error:
        return None


def member_name(name: str) -> str:
    """``S3Uri`` as AWS spells it in messages: ``s3Uri``."""
    return name[:1].lower() + name[1:]


def _structure(shape: StructureShape, value: dict[str, Any], path: str) -> Iterator[Violation]:
    for name in (name for name in value if name not in shape.members):
        yield Violation(value[name], _below(path, name), _unknown(name, shape))
    for name, member in shape.members.items():
        below = _below(path, member_name(name))
        if value.get(name) is not None:
            yield from violations(member, value[name], below)
        elif name in shape.required_members:
            yield Violation(None, below, "Member must not be null")


def _list(shape: ListShape, value: list[Any], path: str) -> Iterator[Violation]:
    yield from (Violation(value, path, text) for text in _broken(shape, value))
    bad = yield from _elements(shape.member, enumerate(value, start=1), path)
    if bad:
        yield Violation([*bad.values()], path, f"Member must satisfy constraint: {_all_of(shape.member)}")


def _map(shape: MapShape, value: dict[str, Any], path: str) -> Iterator[Violation]:
    yield from (Violation(value, path, text) for text in _broken(shape, value))
    keys = {key: element for key, element in value.items() if any(_broken(shape.key, key))}
    if keys:
        yield Violation(keys, path, f"Map keys must satisfy constraint: {_all_of(shape.key)}")
    bad = yield from _elements(shape.value, value.items(), path)
    if bad:
        yield Violation(bad, path, f"Map value must satisfy constraint: {_all_of(shape.value)}")


def _elements(
    shape: Shape, elements: Iterable[tuple[object, Any]], path: str
) -> Generator[Violation, None, dict[object, Any]]:
    """What is wrong with the elements, each with its position or key; returns those that AWS names together."""
    bad = {}
    for name, element in elements:
        below = f"{path}.{name}.member"
        if element is None:
            yield Violation(None, below, "Member must not be null")
        elif _is_nested(shape):
            yield from violations(shape, element, below)
        else:
            _check_type(shape, element, below)
            if any(_broken(shape, element)):
                bad[name] = element
    return bad


def _check_type(shape: Shape, value: Any, path: str) -> None:
    kind = shape.type_name
    right = isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
    if right and kind in _INTEGER_BITS:
        right = -(2 ** _INTEGER_BITS[kind]) <= value < 2 ** _INTEGER_BITS[kind]
    if right and isinstance(value, float):
        right = math.isfinite(value)
    if not right:
        where = f" at '{path}'" if path else ""
        raise SerializationException(f"{_token(value)} can not be converted to {kind.capitalize()}{where}")


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    return (text for text, holds in constraints(shape) if not holds(value))


def _matcher(shape: Shape, pattern: str) -> Callable[[str], bool]:
    expression = compiled(pattern)
    if expression is None:
        return lambda _: True
    longest = max(shape.metadata.get("max", math.inf), _PATTERN_CHARACTERS)

    # What is far too long is refused for its length; matching it could take minutes.
    return lambda text: len(text) > longest or expression.fullmatch(text) is not None


def _all_of(shape: Shape) -> str:
    return f"[{', '.join(text for text, _ in constraints(shape))}]"


def _unknown(name: str, shape: StructureShape) -> str:
    near = get_close_matches(name, shape.members, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; its members are: [{', '.join(shape.members)}]"
    return f"Member is unknown to {shape.name}{hint}"


def _no_members(document: dict[str, Any]) -> Iterator[Violation]:
    return (Violation(value, name, "Member is unknown: the operation has none") for name, value in document.items())


def _is_nested(shape: Shape) -> bool:
    return shape.type_name in ("structure", "list", "map")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _itself(value: Any) -> Any:
    return value


def _token(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    names = {str: "STRING_VALUE", dict: "START_OBJECT", list: "START_ARRAY", int: "NUMBER_VALUE", float: "NUMBER_VALUE"}
    return names.get(type(value), type(value).__name__)


def _echo(value: object) -> str:
    """A value as AWS echoes it, cut where it gets long: ``{key=value}``, ``[a, b]``, ``true``."""
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{key}={_echo(member)}" for key, member in value.items()) + "}"
    elif isinstance(value, list):
        text = f"[{', '.join(map(_echo, value))}]"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, datetime):
        text = value.isoformat()
    else:
        text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
