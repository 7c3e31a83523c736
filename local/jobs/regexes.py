"""Regexes that users write, compiled and searched so that no one of them holds up the emulator.

The ``re`` of the standard library cannot be interrupted, and keeps every other thread waiting meanwhile; the package
``regex`` matches the same expressions, can be given up, and lets others work. What either refuses is refused.
"""

import re
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex

LONGEST = 10_000
"""Of an expression with its counted repeats written out, in elements: ``regex`` does write them out."""

_GLANCE_S = 0.01  # what nearly every search needs less than; for so long it may keep others waiting
_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<open>\()|(?P<close>\))|\{(?P<count>\d+)(?:,\d*)?\}|.", re.DOTALL
)


def compiled(text: str) -> "regex.Pattern[str]":
    """The expression, ready for ``search``. ValueError that says what is wrong with it."""
    import regex

    try:
        re.compile(text)
        if _size(text) > LONGEST:
            raise ValueError(f"its repeats make it longer than {LONGEST} elements")
        return regex.compile(text, regex.VERSION0)
    except (re.error, regex.error, RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from None


def search(expression: "regex.Pattern[str]", text: str, patience_s: float) -> tuple["regex.Match[str] | None", float]:
    """The first match, and the seconds of ``patience_s`` that were used up: none where it was quick.

    TimeoutError when it takes longer.
    """
    try:
        return expression.search(text, timeout=_GLANCE_S), 0.0
    except TimeoutError:
        begin = time.thread_time()
        match = expression.search(text, timeout=patience_s, concurrent=True)
        return match, time.thread_time() - begin


def _size(text: str) -> int:
    """Elements of the expression when ``x{3}`` counts as three."""
    sizes, last = [0], 0
    for token in _TOKEN.finditer(text):
        if token["open"]:
            sizes.append(0)
        elif token["count"]:
            sizes[-1] += last * (int(token["count"]) - 1)
            last *= int(token["count"])
        elif token["close"] and len(sizes) > 1:
            last = sizes.pop() + 1
            sizes[-1] += last
        else:
            last = 1
            sizes[-1] += 1
    return sum(sizes)
