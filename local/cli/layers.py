"""What a person sees of a push: a bar for each layer on a terminal, a line when one is done elsewhere."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn

from local.cli.terminal import console, say

_DONE = ("Pushed", "Layer already exists", "Mounted from")


class Layers:
    """Shows the layers of one image while it is entered."""

    def __init__(self, image: str) -> None:
        self._image = image
        terminal = console()
        self._live = terminal.is_terminal
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), DownloadColumn())
        self._bar = Progress(*columns, console=terminal, transient=True, disable=not self._live)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def take(self, report: Mapping[str, Any]) -> None:
        """One report of the engine's; those that are of no layer say nothing new."""
        layer, status = report.get("id"), str(report.get("status", ""))
        if not layer or not status.startswith((*_DONE, "Pushing", "Preparing", "Waiting")):
            return
        if layer not in self._tasks:
            self._tasks[layer] = self._bar.add_task(f"{layer} {status}", total=None)
        progress = report.get("progressDetail") or {}
        self._bar.update(
            self._tasks[layer],
            description=f"{layer} {status}",
            total=progress.get("total"),
            completed=progress.get("current"),
        )
        if status.startswith(_DONE):
            self._bar.update(self._tasks[layer], visible=False)
            if not self._live:
                say(f"{self._image}: {layer} {status}")
