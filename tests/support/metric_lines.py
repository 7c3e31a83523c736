"""The log of a training from its first line to its last, held against the program's published metric definitions."""

from __future__ import annotations

import functools
import json

from local.jobs import regexes
from local.jobs.metrics import Definition
from tests.support.emulator import ROOT


@functools.cache
def definitions(program: str) -> tuple[Definition, ...]:
    """What programs.json publishes for a program, read as the emulator reads it."""
    published = json.loads((ROOT / "entrypoints" / "programs.json").read_text())["programs"][program]
    return tuple(Definition(one["Name"], regexes.compiled(one["Regex"])) for one in published["metric_definitions"])


def caught(program: str, log: str) -> list[str]:
    """The metrics of a log, in order. Every metric line has exactly one definition that catches it, no other any."""
    seen = []
    for line in log.splitlines():
        names = [one.name for one in definitions(program) if regexes.search(one.regex, line, 1)[0]]
        said = [word.removeprefix("name=") for word in line.split() if word.startswith("name=")]
        finite = line.startswith("#metric") and "nonfinite" not in line
        assert names == (said if finite else []), f"{line!r} is caught by {names or 'no definition'}"
        seen += names
    return seen
