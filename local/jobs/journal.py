"""What a job says while it runs: one place that writes its lines to the log file, the metrics and CloudWatch."""

import threading
from collections.abc import Iterable
from pathlib import Path

from local.jobs.job import TrainingJob
from local.jobs.logs import JobLog
from local.jobs.metrics import Watch, definitions
from local.jobs.telemetry import METRICS_FILE, Telemetry, log_file
from local.jobs.workdir import HOST, hosts


class Journal:
    """The logs of one job, one for each host; safe to use from any thread.

    The emulator's own lines are in that of the first host, begin with ``[drydock]`` and hold no metrics.
    """

    def __init__(self, job: TrainingJob, folder: Path, telemetry: Telemetry) -> None:
        self._job = job
        self._telemetry = telemetry
        self._logs = {host: JobLog(folder / log_file(host)) for host in hosts(job.request)}
        self._watching = threading.Lock()
        self._watch = Watch(definitions(job.request), folder / METRICS_FILE, self.note)

    def note(self, line: str) -> None:
        """Say something on the emulator's behalf."""
        self._telemetry.send(self._job, self._logs[HOST].append([f"[drydock] {line}"]))

    def write(self, host: str, lines: Iterable[str]) -> None:
        """Record lines of the program of a host."""
        events = self._logs[host].append(lines)
        with self._watching:
            points = self._watch.observe(events)
        self._telemetry.send(self._job, events, points, host)

    def close(self, flush: bool = True) -> None:
        """Close the files; with ``flush`` return when every line is readable in CloudWatch, if it can be reached."""
        if flush:
            self._telemetry.flush()
        for log in self._logs.values():
            log.close()
        self._watch.close()
