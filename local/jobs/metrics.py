"""Metric definitions applied to a job's log as it flows.

Each definition's regex is searched in each line; its first group, read as a number, is a point. Numbers
that are not finite are no points, because CloudWatch takes none.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from local.jobs import jsonl
from local.jobs.job import FinalMetric
from local.jobs.logs import Event


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
    regex: re.Pattern[str]


def definitions(request: Mapping[str, Any]) -> tuple[Definition, ...]:
    """The MetricDefinitions of a validated CreateTrainingJob: every regex compiles and has a group."""
    asked = request["AlgorithmSpecification"].get("MetricDefinitions", [])
    return tuple(Definition(entry["Name"], re.compile(entry["Regex"])) for entry in asked)


class Watch:
    """Finds the points in the log of one job; each goes to a JSONL file."""

    def __init__(self, asked: tuple[Definition, ...], path: Path) -> None:
        self._definitions = asked
        self._file = jsonl.Appender(path)

    def observe(self, events: Iterable[Event]) -> list[Point]:
        """The points of these log lines, already written to the file."""
        points = [point for event in events for point in self._match(event)]
        if points:
            self._file.append(point._asdict() for point in points)
        return points

    def close(self) -> None:
        self._file.close()

    def _match(self, event: Event) -> Iterator[Point]:
        for definition in self._definitions:
            match = definition.regex.search(event.m)
            value = _number(match[1]) if match else None
            if value is not None:
                yield Point(definition.name, value, event.t)


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
