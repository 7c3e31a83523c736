"""The metrics of a program: declared once, reported as log lines that SageMaker's metric definitions catch."""

from __future__ import annotations

import math
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass

VALUE_REGEX = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
MAX_DEFINITIONS = 40
"""SageMaker's limit on the metric definitions of one job."""


@dataclass(frozen=True)
class Metric:
    name: str
    help: str
    unit: str = ""

    @property
    def regex(self) -> str:
        """Catches the finite lines of this metric and no other, not even of one whose name begins like it."""
        escaped = self.name.replace(".", r"\.")
        return f"name={escaped} value={VALUE_REGEX};"


class Registry:
    """Declared metrics, and the last finite value reported of each in `final`."""

    def __init__(self) -> None:
        self.metrics: dict[str, Metric] = {}
        self.final: dict[str, float] = {}
        self._lock = threading.Lock()

    def metric(self, name: str, help: str, unit: str = "") -> None:
        """Declare a metric; ValueError if its name is taken, unusual or one too many."""
        if not re.fullmatch(r"[A-Za-z0-9:_.-]{1,255}", name):
            raise ValueError(f"metric name {name!r} has characters other than letters, digits and : _ . -")
        if name in self.metrics:
            raise ValueError(f"metric {name} is declared twice")
        if len(self.metrics) == MAX_DEFINITIONS:
            raise ValueError(f"metric {name} is one more than the {MAX_DEFINITIONS} that SageMaker allows a job")
        self.metrics[name] = Metric(name, help, unit)

    def report(
        self,
        values: Mapping[str, float] | None = None,
        /,
        *,
        epoch: int | None = None,
        step: int | None = None,
        **named: float,
    ) -> None:
        """Print one line a metric to stdout, each in one write.

        A mapping takes names with `:` or `-`. A value that is not finite is written as `nonfinite=1`, which no
        definition catches. ValueError for a name that was not declared.
        """
        given = {**(values or {}), **named}
        undeclared = sorted(set(given) - set(self.metrics))
        if undeclared:
            raise ValueError(f"metric {undeclared[0]} was not declared (known: {', '.join(self.metrics)})")
        for name, value in given.items():
            self._emit(name, float(value), epoch, step)

    def definitions(self) -> list[dict[str, str]]:
        """MetricDefinitions for CreateTrainingJob."""
        return [{"Name": metric.name, "Regex": metric.regex} for metric in self.metrics.values()]

    def _emit(self, name: str, value: float, epoch: int | None, step: int | None) -> None:
        words = ["#metric"]
        if epoch is not None:
            words.append(f"epoch={epoch:d}")
        if step is not None:
            words.append(f"step={step:d}")
        finite = math.isfinite(value)
        words += [f"name={name}", f"value={value:.6e};" if finite else "nonfinite=1;"]
        with self._lock:
            sys.stdout.write(" ".join(words) + "\n")
            sys.stdout.flush()
            if finite:
                self.final[name] = value
