"""Typed hyperparameters: a frozen dataclass declares them, `parse` builds it from the job's strings or refuses.

    @dataclass(frozen=True)
    class Hyperparameters:
        img_size: int = field(320, unit="pixels", help="side of the square input", minimum=32, multiple_of=32)

The job may spell it `img-size` or `img_size`, and give `320` or `"320"`.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from optml import errors
from optml.aliases import TRUTH, Given, Meaning, gather, spell
from optml.errors import Refusal

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_NONE = ("none", "null", "")


@dataclasses.dataclass(frozen=True)
class Rule:
    """What is known of one hyperparameter beside its type and default."""

    unit: str = ""
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: int | None = None
    choices: tuple[str, ...] = ()
    recommended: tuple[float, float] | None = None
    """Both ends included; outside it parse warns and goes on."""


def field(
    default: Any = dataclasses.MISSING,
    *,
    unit: str = "",
    help: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    multiple_of: int | None = None,
    choices: Sequence[str] = (),
    recommended: tuple[float, float] | None = None,
) -> Any:
    """Declare one hyperparameter of type int, float, bool or str, or one of these or None; no default: required."""
    rule = Rule(unit, help, minimum, maximum, multiple_of, tuple(choices), recommended)
    return dataclasses.field(default=default, metadata={"rule": rule})


def parse(
    cls: type[T],
    raw: Mapping[str, str],
    warn: Callable[[str], None] = errors.warn,
    aliases: Mapping[str, Meaning] | None = None,
) -> T:
    """Build `cls` from a job's hyperparameters, which `aliases` may call by other names.

    Unknown names, values of the wrong type and values outside their bounds are Refusals; values outside the
    recommended range, and names without effect, go to `warn`.
    """
    declared = {spell(item.name): _Declared(item, kind) for item, kind in _declarations(cls)}
    found = gather(raw, aliases or {}, warn)
    for name, given in found.items():
        if name not in declared:
            raise _unknown(given.key, list(declared), list(aliases or {}))
    values = {}
    for name, item in declared.items():
        if name in found:
            values[item.attribute] = item.read(found[name])
            item.advise(found[name], values[item.attribute], warn)
        elif item.required:
            raise Refusal(f'hyperparameter "{name}" is required', f'set "{name}" ({item.allowed()})')
    return cls(**values)


def describe(cls: type[DataclassInstance]) -> list[dict[str, Any]]:
    """The declarations as `programs.json` lists them; what is not set is left out."""
    return [_Declared(item, kind).describe() for item, kind in _declarations(cls)]


class _Declared:
    """One declared hyperparameter: how its text becomes a value."""

    def __init__(self, item: dataclasses.Field[Any], kind: Any) -> None:
        self.attribute = item.name
        self.name = spell(item.name)
        self.default = item.default
        self.required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        self.rule: Rule = item.metadata.get("rule", Rule())
        self.optional = type(None) in typing.get_args(kind)
        members = [member for member in typing.get_args(kind) if member is not type(None)] if self.optional else [kind]
        if len(members) != 1 or members[0] not in (int, float, bool, str):
            raise TypeError(
                f"hyperparameter {item.name} has type {kind}; int, float, bool, str, or one of them or None"
            )
        self.type: type = members[0]

    def read(self, given: Given) -> Any:
        text = given.text
        if self.optional and text.strip().lower() in _NONE:
            return None
        value = self._convert(text)
        if value is None or not self._allows(value):
            meant = f", that is {self.name} {text}" if text.strip() != given.typed.strip() else ""
            problem = f'hyperparameter "{given.name}" is {given.typed or "empty"}{meant}; allowed: {self.allowed()}'
            raise Refusal(problem, self._hint(value, given))
        return value

    def advise(self, given: Given, value: Any, warn: Callable[[str], None]) -> None:
        if self.rule.recommended is None or value is None:
            return
        low, high = self.rule.recommended
        if not low <= value <= high:
            warn(f'hyperparameter "{given.name}" is {value:g}, outside the recommended {low:g} to {high:g}')

    def allowed(self) -> str:
        rule, words = self.rule, []
        if rule.choices:
            words.append(" or ".join(", ".join(rule.choices).rsplit(", ", 1)))
        elif self.type is bool:
            words.append("true or false")
        elif rule.multiple_of is not None:
            words.append(f"a multiple of {rule.multiple_of}")
        else:
            words.append({int: "a whole number", float: "a number", str: "text"}[self.type])
        if rule.minimum is not None and rule.maximum is not None:
            words.append(f"from {rule.minimum:g} to {rule.maximum:g}")
        elif rule.minimum is not None:
            words.append(f"at least {rule.minimum:g}")
        elif rule.maximum is not None:
            words.append(f"at most {rule.maximum:g}")
        return " ".join(words) + (", or none" if self.optional else "")

    def describe(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": self.name, "type": self.type.__name__}
        if self.required:
            entry["required"] = True
        else:
            entry["default"] = self.default
        if self.optional:
            entry["optional"] = True
        for key, value in dataclasses.asdict(self.rule).items():
            if value not in (None, "", ()):
                entry[key] = list(value) if isinstance(value, tuple) else value
        return entry

    def _convert(self, text: str) -> Any:
        """The value of the declared type, or None when the text is not one."""
        text = text if self.type is str else text.strip()
        if self.type is str:
            return text
        if self.type is bool:
            return TRUTH.get(text.lower())
        if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
            return None
        if self.type is float:
            return float(text)
        if re.fullmatch(r"[-+]?\d+", text):
            return int(text)
        return int(float(text)) if float(text).is_integer() else None

    def _allows(self, value: Any) -> bool:
        rule = self.rule
        if rule.choices and value not in rule.choices:
            return False
        if rule.minimum is not None and value < rule.minimum:
            return False
        if rule.maximum is not None and value > rule.maximum:
            return False
        return rule.multiple_of is None or value % rule.multiple_of == 0

    def _hint(self, value: Any, given: Given) -> str:
        near = difflib.get_close_matches(given.text, self.rule.choices, n=1)
        if not near and self.rule.multiple_of and value is not None:
            below = value - value % self.rule.multiple_of
            near = [str(size) for size in (below, below + self.rule.multiple_of) if self._allows(size)]
        if near:
            written = [given.alias.write(one) for one in near] if given.alias else near
            return f'set "{given.name}" to {" or ".join(written)}'
        if self.required:
            return f'set "{given.name}" to {self.allowed()}'
        default = str(self.default) if isinstance(self.default, str) else json.dumps(self.default)
        default = "none" if self.default is None else f"{default} {self.rule.unit}".strip()
        return f'set "{given.name}", or leave it out for the default, {default}'


def _declarations(cls: type[DataclassInstance]) -> list[tuple[dataclasses.Field[Any], Any]]:
    kinds = typing.get_type_hints(cls)
    return [(item, kinds[item.name]) for item in dataclasses.fields(cls)]


def _unknown(name: str, known: list[str], others: list[str]) -> Refusal:
    near = difflib.get_close_matches(spell(name).lower(), [*known, *others], n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "leave it out"
    return Refusal(f'unknown hyperparameter "{name}" (known: {", ".join(known)})', hint)
