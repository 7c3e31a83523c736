"""Metric definitions applied to a job's log as it flows.

Each definition's regex is searched in each line; its first group, read as a number, is a point. Numbers
that are not finite are no points, because CloudWatch takes none.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from local.jobs import jsonl, regexes
from local.jobs.job import FinalMetric
from local.jobs.logs import Event

if TYPE_CHECKING:
    import regex

PATIENCE_S = 0.25
"""Processor time that a definition may take for lines that arrive together, those not counted that it is quick with."""


class Point(NamedTuple):
    """One value of one metric."""

    name: str
    value: float
    t: int
    """Epoch milliseconds of the line it was read from."""


@dataclass(frozen=True)
class Definition:
    """A name and the regex whose first group is the value."""

    name: str
    regex: "regex.Pattern[str]"


def definitions(request: Mapping[str, Any]) -> tuple[Definition, ...]:
    """The MetricDefinitions of a validated CreateTrainingJob: every regex compiles and has a group."""
    asked = request["AlgorithmSpecification"].get("MetricDefinitions", [])
    return tuple(Definition(entry["Name"], regexes.compiled(entry["Regex"])) for entry in asked)


class Watch:
    """Finds the points in the log of one job; each goes to a JSONL file."""

    def __init__(self, asked: tuple[Definition, ...], path: Path, complain: Callable[[str], None]) -> None:
        """``complain`` gets a line when a definition takes too long; it is not applied from then on."""
        self._definitions = asked
        self._file = jsonl.Appender(path)
        self._complain = complain

    def observe(self, events: Iterable[Event]) -> list[Point]:
        """The points of these log lines, already written to the file."""
        left_s = dict.fromkeys(self._definitions, PATIENCE_S)
        points = [point for event in events for point in self._match(event, left_s)]
        if points:
            self._file.append(point._asdict() for point in points)
        return points

    def close(self) -> None:
        self._file.close()

    def _match(self, event: Event, left_s: dict[Definition, float]) -> Iterator[Point]:
        for definition in self._definitions:
            try:
                match, used_s = regexes.search(definition.regex, event.m, left_s[definition])
            except TimeoutError:
                self._give_up(definition)
                continue
            left_s[definition] = max(0.0, left_s[definition] - used_s)
            value = _number(match[1]) if match else None
            if value is not None:
                yield Point(definition.name, value, event.t)

    def _give_up(self, slow: Definition) -> None:
        self._definitions = tuple(definition for definition in self._definitions if definition is not slow)
        self._complain(
            f'metric "{slow.name}": matching its regex {slow.regex.pattern} takes too long; it is switched off for '
            "this job (a repeat within a repeat is the usual cause)"
        )


def read(path: Path) -> Iterator[Point]:
    """The points of a metrics file."""
    return (Point(**document) for document in jsonl.read(path))


def final(path: Path) -> tuple[FinalMetric, ...]:
    """FinalMetricDataList: the last point of each name in a metrics file."""
    last = {point.name: point for point in read(path)}
    return tuple(FinalMetric(point.name, point.value, point.t / 1000) for point in last.values())


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
