"""Refuses a hyperparameter that its program would refuse, by its declaration in programs.json (docs/contract.md).

The words are the program's own: it does not matter which of the two reads the value first.
"""

import json
import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from local.cli.refusal import Refusal

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_BOOLEANS = frozenset({"true", "1", "yes", "on", "false", "0", "no", "off"})
_NONE = frozenset({"none", "null", ""})
_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}


def check(declared: Mapping[str, Any], given: str) -> None:
    """Raises Refusal for a value that the declaration does not allow; ``given`` may be JSON-encoded, as in a job."""
    text = _decoded(given)
    if declared.get("optional") and text.strip().lower() in _NONE:
        return
    if text.strip().lower() not in declared.get("also", ()) and not _allows(declared, text):
        name = declared["name"]
        near = " or ".join(_nearest(declared, text)) or "…"
        default = f", or leave it out for {declared['default']}" if declared.get("default") not in (None, "") else ""
        raise Refusal(
            f'hyperparameter "{name}" is {text or "empty"}; allowed: {_allowed(declared)}',
            f"--hp {name}={near}{default}",
        )


def _nearest(declared: Mapping[str, Any], text: str) -> list[str]:
    """Allowed values close to the text, by spelling or by number."""
    near = get_close_matches(text, declared.get("choices", ()), n=1)
    step, number = declared.get("multiple_of"), text.strip()
    if near or not step or not _NUMBER.fullmatch(number) or not math.isfinite(float(number)):
        return near
    below = math.floor(float(number) / step) * step
    return [str(value) for value in (below, below + step) if _allows(declared, str(value))]


def _allows(declared: Mapping[str, Any], text: str) -> bool:
    kind = declared.get("type", "str")
    if kind == "bool":
        return text.strip().lower() in _BOOLEANS
    if kind not in ("int", "float"):
        return not declared.get("choices") or text in declared["choices"]
    text = text.strip()
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        return False
    value = int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
    if kind == "int" and value != int(value):
        return False
    if not declared.get("minimum", -math.inf) <= value <= declared.get("maximum", math.inf):
        return False
    return "multiple_of" not in declared or value % declared["multiple_of"] == 0


def _allowed(declared: Mapping[str, Any]) -> str:
    words = _KINDS.get(declared.get("type", "str"), "text")
    if declared.get("choices"):
        words = " or ".join(", ".join(declared["choices"]).rsplit(", ", 1))
    elif "multiple_of" in declared:
        words = f"a multiple of {declared['multiple_of']}"
    minimum, maximum = declared.get("minimum"), declared.get("maximum")
    if minimum is not None and maximum is not None:
        words += f" from {minimum:g} to {maximum:g}"
    elif minimum is not None:
        words += f" at least {minimum:g}"
    elif maximum is not None:
        words += f" at most {maximum:g}"
    return words + (", or none" if declared.get("optional") else "")


def _decoded(text: str) -> str:
    while text.strip().startswith('"'):
        try:
            inner = json.loads(text)
        except ValueError:
            break
        if not isinstance(inner, str):
            break
        text = inner
    return text
