"""A training in a process of its own, timed from outside: when each of its epochs was over."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

EPOCH = re.compile(r"^epoch \d+/\d+: loss ", re.MULTILINE)
LOOK_S = 0.02


@dataclass(frozen=True)
class Timed:
    """Seconds of a training from the start of its process to the end of each epoch: two epochs or more."""

    wall: list[float]
    busy: list[float]
    """Of processor time, of all its processes: what else the machine does tells less in it."""


def first(ends: Sequence[float]) -> float:
    """The first epoch, with the start of the process, the reading of the data and what is cached of it."""
    return ends[0]


def later(ends: Sequence[float]) -> float:
    """An epoch after that, the median."""
    return statistics.median(end - begin for begin, end in itertools.pairwise(ends))


def whole(ends: Sequence[float]) -> float:
    """All epochs, what comes before the first included, what comes after the last not."""
    return ends[-1]


def timed(
    command: Sequence[str | Path], log: Path, epochs: int, over: Callable[[str], int] | None = None, **environ: str
) -> Timed:
    """Run a training to its end. `over` says of its log how many epochs are over; without, `epoch 1/4: loss …` does."""
    count = over or (lambda text: len(EPOCH.findall(text)))
    done = Timed([], [])
    with log.open("w") as file:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=os.environ | environ, start_new_session=True
        )
        try:
            while process.poll() is None:
                if count(log.read_text(errors="replace")) > len(done.wall):
                    done.wall.append(time.perf_counter() - started)
                    done.busy.append(_processor_s(process.pid))
                time.sleep(LOOK_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode or len(done.wall) != epochs:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode} after {len(done.wall)} epochs:\n"
                 f"{log.read_text(errors='replace')[-4000:]}")  # fmt: skip
    return done


def table(names: tuple[str, str], runs: Mapping[str, Sequence[Timed]]) -> list[str]:
    """Lines that hold ours, the first name, against theirs: seconds, and how many times less ours takes."""
    lines = [f"{'':46} {names[0]:>11} {names[1]:>11}"]
    for what, said in (
        (later, "an epoch once the data is cached"),
        (first, "the first epoch, start and cache included"),
        (whole, "all epochs, start and cache included"),
    ):
        for kind, of in (("", "wall"), ("  its processor time", "busy")):
            ours, theirs = (statistics.median(what(getattr(run, of)) for run in runs[name]) for name in names)
            lines.append(f"{kind or said:46} {ours:9.2f} s {theirs:9.2f} s {theirs / ours:7.2f} x")
    return lines


def _processor_s(session: int) -> float:
    """What the processes of a session have used, those that ended and were waited for included."""
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            values = file.read_text().rpartition(")")[2].split()
            if int(values[3]) == session:
                ticks += sum(map(int, values[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")
