"""Text, JSON, YAML and XML that others wrote: its content, or a refusal that names file and line (no packages)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from optml.errors import Refusal
from vision.folder import reason

DEEPEST = 32  # levels of lists and objects; annotations have five or six
LONGEST_NUMBER = 100  # digits; such a number still fits a float
_CONTAINERS = (dict, list)


@dataclass
class Element:
    """An element of an XML text: its name, its line, the text that follows its start, without the space around."""

    name: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> list[Element]:
        return [child for child in self.children if child.name == name]

    def first(self, name: str) -> Element | None:
        return next(iter(self.all(name)), None)


def read_text(path: Path, shown: str, hint: str) -> str:
    """The text of a UTF-8 file that errors call `shown`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"{shown} cannot be read: {reason(error)}", hint) from error


def from_json(text: str | bytes, shown: str, hint: str, line: int = 0) -> Any:
    """The value of a JSON text in the file that errors call `shown`; `line` is its line there where it has only one.

    What it holds can be shown, written and reckoned with: it is nested DEEPEST levels at most, its whole numbers have
    LONGEST_NUMBER digits at most, its strings are valid Unicode.
    """
    with _refusing("JSON", shown, hint, line):
        value = json.loads(text.decode("utf-8-sig") if isinstance(text, bytes) else text, parse_int=_whole_number)
        _check(value)
    return value


def from_yaml(text: str, shown: str, hint: str) -> Any:
    """The value of a YAML text, of plain types; nested and encoded as that of `from_json`."""
    import yaml

    with _refusing("YAML", shown, hint):
        value = yaml.safe_load(text)
        _check(value)
    return value


def from_xml(path: Path, shown: str, hint: str) -> Element:
    """The root element of an XML file that errors call `shown`. Entities of its own and attributes are not read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refusal(f"{shown} cannot be read: {reason(error)}", hint) from error
    parser, stack = expat.ParserCreate(), [Element("", 0)]

    def start(name: str, _attributes: object) -> None:
        if len(stack) > DEEPEST:
            raise ValueError("nested too deep")
        stack[-1].children.append(Element(name, parser.CurrentLineNumber))
        stack.append(stack[-1].children[-1])

    def text(content: str) -> None:
        stack[-1].text += content

    def end(_name: str) -> None:
        finished = stack.pop()
        finished.text = finished.text.strip()

    def entity(*_: object) -> None:
        raise ValueError("it declares entities")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = text, entity
    with _refusing("XML", shown, hint):
        parser.Parse(content, True)
    return stack[0].children[0]


@contextmanager
def _refusing(kind: str, shown: str, hint: str, line: int = 0) -> Iterator[None]:
    """Whatever a parser raises inside means that the text is at fault (PyYAML has IndexErrors for some scalars)."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        said, found = _cause(kind, error)
        where = f"{shown}:{line or found}" if line or found else shown
        raise Refusal(f"{said} ({where})", hint) from error


def _cause(kind: str, error: Exception) -> tuple[str, int]:
    """What is wrong, and in which line of the text; 0 where the parser does not tell."""
    if isinstance(error, json.JSONDecodeError):
        return f"not {kind}: {error.msg} at column {error.colno}", error.lineno
    if isinstance(error, expat.ExpatError):
        return f"not {kind}: {expat.ErrorString(error.code)} at column {error.offset + 1}", error.lineno
    if mark := getattr(error, "problem_mark", None):
        return f"not {kind}: {getattr(error, 'problem', '')} at column {mark.column + 1}", mark.line + 1
    said = "nested too deep" if isinstance(error, RecursionError) else " ".join(str(error).split())
    return f"{kind} that cannot be read: {said or type(error).__name__}", 0


def _whole_number(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _check(value: object) -> None:
    """ValueError for a value that is nested too deep, or in itself, or holds half a surrogate pair."""
    level: list[Any] = [[value]]
    for _ in range(DEEPEST + 1):
        inside = [child for parent in level for child in (parent.values() if isinstance(parent, dict) else parent)]
        for child in inside:
            if isinstance(child, str):
                child.encode()
        level = list({id(child): child for child in inside if isinstance(child, _CONTAINERS)}.values())
        if not level:
            return
    raise ValueError("nested too deep")
