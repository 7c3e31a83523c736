"""What a person sees of a running job: a bar on a terminal, a line an epoch elsewhere."""

import re
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from local.cli.follow import Line
from local.cli.standing import Standing, parse_metric
from local.cli.terminal import console, say

_WORTH_SHOWING = re.compile(r"(warning|note)\b", re.IGNORECASE)


class Display:
    """Shows a job's progress while it is entered; lines of the program that matter appear above the bar."""

    def __init__(self, epochs: int | None) -> None:
        self.standing = Standing(epochs)
        self._stage = ""
        self._told: int | None = None
        terminal = console()
        self._live = terminal.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30, finished_style="bar.complete"),
            TextColumn("{task.fields[headline]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[latest]}", style="dim", markup=False, table_column=Column(no_wrap=True)),
            console=terminal,
            transient=True,
            disable=not self._live,
        )
        self._task = self._bar.add_task("", total=epochs, headline="", latest="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        self._tell_epoch()

    def stage(self, name: str) -> None:
        """The job's secondary status, told once each."""
        if name == self._stage:
            return
        self._tell_epoch()
        self._stage = name
        if self._live:
            self._draw()
        else:
            say(name)

    def line(self, line: Line) -> None:
        """One line of the job's log."""
        metric = parse_metric(line.text)
        if metric is None:
            if _WORTH_SHOWING.match(line.text):
                say(str(line))
            self._bar.update(self._task, latest=str(line))
            return
        if metric.epoch is not None and metric.epoch != self.standing.epoch:
            self._tell_epoch()
        self.standing.take(metric)
        self._draw()

    def _draw(self) -> None:
        standing = self.standing
        done = standing.epoch or 0
        in_epoch = standing.epoch is not None and self._stage == "Training"
        description = f"epoch {done}/{standing.epochs or '?'}" if in_epoch else self._stage
        self._bar.update(self._task, completed=done, description=description, headline=standing.headline())

    def _tell_epoch(self) -> None:
        """Off a terminal: the epoch that has just ended, in one line."""
        epoch = self.standing.epoch
        if self._live or epoch is None or epoch == self._told:
            return
        self._told = epoch
        say(f"epoch {epoch}/{self.standing.epochs or '?'}  {self.standing.headline()}")
