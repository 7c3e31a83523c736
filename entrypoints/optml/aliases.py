"""Other names of hyperparameters, and what is made of each: a value of ours, a word in the log, or a refusal.

A program has one table of them, name (with dashes) → meaning. A name in neither the table nor the declarations is
unknown, and refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Union

from optml.errors import Refusal

TRUTH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


@dataclass(frozen=True)
class Alias:
    """Another name of a hyperparameter, and how its values are written there."""

    name: str
    """Ours, with dashes."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Theirs in lower case → ours; any other value is refused. Empty: they are written alike."""
    pattern: str = ""
    """Or a regular expression for the whole value, whose first group is ours."""
    implied: tuple[str, str] = ("", "")
    """Another of ours, with dashes, and its value where `pattern` has its second group, as for yolov8n-seg.pt."""
    form: str = "{0}"
    """How a value of ours is written there."""
    example: str = ""
    """One of ours, to show the form with."""
    hint: str = ""
    """What to do with a value that is neither of `values` nor of the pattern."""

    def translate(self, given: str, text: str) -> str:
        """Our value for `text` of the hyperparameter called `given`."""
        text = text.strip()
        if self.values:
            if text.lower() not in self.values:
                problem = f'hyperparameter "{given}" is {text or "empty"}; allowed: {", ".join(self.values)}'
                raise Refusal(problem, self.hint or f'set "{given}" to one of these, or give "{self.name}"')
            return self.values[text.lower()]
        if self.pattern:
            found = re.fullmatch(self.pattern, text)
            if not found:
                form = self.form.format(self.example)
                problem = f'hyperparameter "{given}" is {text or "empty"}; it must be of the form {form}'
                raise Refusal(problem, self.hint or f'write it so, or give "{self.name}"')
            return found[1]
        return text

    def implies(self, text: str) -> bool:
        """Whether a value that `translate` takes says `implied` too."""
        found = re.fullmatch(self.pattern, text.strip()) if self.implied[0] else None
        return bool(found and found[2])

    def write(self, ours: str) -> str:
        """A value of ours as it is written under this name."""
        return next((theirs for theirs, value in self.values.items() if value == ours), self.form.format(ours))


@dataclass(frozen=True)
class Switch:
    """A name that turns another one on or off, as `early_stopping` does `early_stopping_patience`."""

    of: str
    """The other name, with dashes: an Alias of the same hyperparameter, which holds unless this is false."""
    name: str
    """Ours, with dashes."""
    on: str
    """Our value where this is true and the other is not given."""
    off: str
    """Our value where this is false, whatever the other says."""


@dataclass(frozen=True)
class Idle:
    """A name that has no effect here, which is said."""

    because: str
    values: tuple[str, ...] = ()
    """The values, in lower case, of which this is so; any other is refused. Empty: of all."""
    hint: str = ""
    """What to do instead of another value."""


@dataclass(frozen=True)
class Refused:
    """A name that is known and cannot be followed."""

    because: str
    hint: str


Meaning = Union[Alias, Switch, Idle, Refused]


@dataclass(frozen=True)
class Given:
    """The value of a hyperparameter of ours as the job has it."""

    name: str
    """The name as errors call it: ours with dashes, another one as it was typed."""
    typed: str
    text: str
    """What was typed, in our words."""
    key: str
    """The name as it stands in the job."""
    alias: Alias | None = None


def gather(raw: Mapping[str, str], table: Mapping[str, Meaning], warn: Callable[[str], None]) -> dict[str, Given]:
    """Our names → what a job's hyperparameters give them; `warn` is told of those without effect.

    SageMaker's own keys (`sagemaker_*`, `_tuning_objective_metric`) are left out. A name given twice is a Refusal.
    """
    found: dict[str, Given] = {}
    for key in _own(raw):
        meaning, text = table.get(spell(key)), decode(raw[key])
        if isinstance(meaning, (Idle, Refused)):
            warn(_without_effect(meaning, key, text.strip()))
        elif isinstance(meaning, Alias):
            _add(found, meaning.name, Given(key, text.strip(), meaning.translate(key, text), key, meaning))
        elif meaning is None:
            _add(found, spell(key), Given(spell(key), text, text, key))
    for key in _own(raw):
        meaning, text = table.get(spell(key)), decode(raw[key]).strip()
        if isinstance(meaning, Switch):
            _turn(found, meaning, key, text)
        elif isinstance(meaning, Alias) and meaning.implies(text):
            _imply(found, *meaning.implied, key, text)
    return found


def spell(name: str) -> str:
    """A name with dashes."""
    return name.replace("_", "-")


def decode(text: str) -> str:
    r"""Take JSON string quotes off a value, as often as clients put them on: `"\"64\""` is `64`."""
    while text.strip().startswith('"'):
        try:
            inner = json.loads(text)
        except ValueError:
            break
        if not isinstance(inner, str):
            break
        text = inner
    return text


def _own(raw: Mapping[str, str]) -> Iterator[str]:
    return (key for key in raw if not key.startswith("sagemaker_") and key != "_tuning_objective_metric")


def _add(found: dict[str, Given], name: str, given: Given) -> None:
    if name in found:
        other = found[name].key
        how = (
            "with dashes and with underscores" if spell(other) == spell(given.key) else f"as {other} and as {given.key}"
        )
        raise Refusal(f'hyperparameter "{name}" is given twice, {how}', "give it once")
    found[name] = given


def _without_effect(meaning: Idle | Refused, key: str, text: str) -> str:
    """What is said of a value that changes nothing; Refusal for one that would have to."""
    if isinstance(meaning, Refused):
        raise Refusal(f'hyperparameter "{key}" cannot be followed: {meaning.because}', meaning.hint)
    if meaning.values and text.lower() not in meaning.values:
        raise Refusal(f'hyperparameter "{key}" is {text or "empty"}, but {meaning.because}', meaning.hint)
    return f'hyperparameter "{key}" has no effect: {meaning.because}'


def _turn(found: dict[str, Given], switch: Switch, key: str, text: str) -> None:
    on = TRUTH.get(text.lower())
    if on is None:
        raise Refusal(
            f'hyperparameter "{key}" is {text or "empty"}; allowed: true or false', f'set "{key}" to one of these'
        )
    given = found.get(switch.name)
    if given is not None and spell(given.key) != switch.of:
        raise Refusal(
            f'hyperparameter "{switch.name}" is given twice, as {given.key} and as {key}', f'leave "{key}" out'
        )
    if not on or given is None:
        found[switch.name] = Given(key, text, switch.on if on else switch.off, key)


def _imply(found: dict[str, Given], name: str, value: str, key: str, text: str) -> None:
    given = found.setdefault(name, Given(key, text, value, key))
    if given.text.strip() != value:
        raise Refusal(
            f'hyperparameter "{key}" is {text}, that is {name} {value}, but "{given.key}" is {given.typed}',
            f'set "{given.key}" to {value}, or "{key}" to a file of {name} {given.text.strip()}',
        )
