"""What a job says while it runs: one place that writes its lines to the log file, the metrics and CloudWatch."""

from collections.abc import Iterable
from pathlib import Path

from local.jobs.job import TrainingJob
from local.jobs.logs import JobLog
from local.jobs.metrics import Watch, definitions
from local.jobs.telemetry import LOG_FILE, METRICS_FILE, Telemetry


class Journal:
    """The log of one job; the emulator's own lines begin with ``[drydock]`` and hold no metrics."""

    def __init__(self, job: TrainingJob, folder: Path, telemetry: Telemetry) -> None:
        self._job = job
        self._telemetry = telemetry
        self._log = JobLog(folder / LOG_FILE)
        self._watch = Watch(definitions(job.request), folder / METRICS_FILE, self.note)

    def note(self, line: str) -> None:
        """Say something on the emulator's behalf."""
        self._telemetry.send(self._job, self._log.append([f"[drydock] {line}"]))

    def write(self, lines: Iterable[str]) -> None:
        """Record lines of the program."""
        events = self._log.append(lines)
        self._telemetry.send(self._job, events, self._watch.observe(events))

    def close(self, flush: bool = True) -> None:
        """Close the files; with ``flush`` return when every line is readable in CloudWatch, if it can be reached."""
        if flush:
            self._telemetry.flush()
        self._log.close()
        self._watch.close()
