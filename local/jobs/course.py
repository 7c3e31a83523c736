"""The course of one job: its moves, each written down before anybody sees it, and the order to end it early."""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from local.jobs import reasons
from local.jobs.job import FinalMetric, Secondary, TrainingJob

_CLOSE_GRACE_S = 10.0


class Stoppable(Protocol):
    """A program that runs, or the programs of several hosts."""

    def stop(self, grace_s: float | None = None) -> None: ...


Launched = TypeVar("Launched", bound=Stoppable)


class Outcome(NamedTuple):
    """How a job ended."""

    status: Secondary
    reason: str | None = None


ABANDONED = Outcome(Secondary.FAILED, reasons.EMULATOR_STOPPED)


class EarlyEndError(Exception):
    """The job is to end before its next phase."""


class Course:
    """Where one job stands; safe to use from any thread. What ends the job early is not undone by a full disk."""

    def __init__(
        self, job: TrainingJob, publish: Callable[[TrainingJob, bool], None], wake: Callable[[], None]
    ) -> None:
        """``publish`` makes a changed job visible, and durable if told so; ``wake`` is called at an early end."""
        self.job = job
        self.early: Outcome | None = None
        """What the job will end as, once somebody wants it to end."""
        self._publish = publish
        self._wake = wake
        self._lock = threading.RLock()
        self._running: Stoppable | None = None

    def check(self) -> None:
        """EarlyEndError if the job is to end."""
        if self.early:
            raise EarlyEndError

    def advance(self, to: Secondary, message: str | None = None) -> None:
        """Go on to the next state; EarlyEndError instead if the job is to end."""
        with self._lock:
            self.check()
            self._set(self.job.move(to, message))

    def say(self, message: str) -> bool:
        """Show a message beside the status; False if the job is to end, or has ended, and shows that instead."""
        with self._lock:
            if not self.early:
                self._set(self.job.say(message), durable=False)
            return self.early is None

    def launch(self, start: Callable[[], Launched]) -> Launched:
        """Start the program, which an early end will stop; EarlyEndError instead if the job is to end."""
        with self._lock:
            self.check()
            running = start()
            self._running = running
            return running

    def upload(self) -> bool:
        """Go on to Uploading, also when the job was stopped; False if there is no time for it."""
        with self._lock:
            if self.early is ABANDONED:
                return False
            self._set(self.job.move(Secondary.UPLOADING))
            return True

    def end(self, outcome: Outcome, final_metrics: tuple[FinalMetric, ...]) -> None:
        with self._lock:
            if self.early and outcome.status is Secondary.COMPLETED:
                outcome = self.early  # it came at the last moment, and the job shows it
            self._set_anyway(self.job.move(outcome.status, failure_reason=outcome.reason, final_metrics=final_metrics))

    def stop(self, ending: Secondary = Secondary.STOPPED) -> bool:
        """Ask the job to stop and return at once, False if it has ended; ``ending`` is what it will be stopped as."""
        with self._lock:
            if self.job.terminal:
                return False
            if not self.early:
                self._end_early(Outcome(ending))
                self._set_anyway(self.job.move(Secondary.STOPPING))
            return True

    def abandon(self) -> None:
        """Ask the job to end because the emulator does; it will have failed, unless it is about to end anyway."""
        with self._lock:
            if self.job.secondary_status is not Secondary.UPLOADING:
                self._end_early(ABANDONED, _CLOSE_GRACE_S)

    def _end_early(self, outcome: Outcome, grace_s: float | None = None) -> None:
        self.early = outcome
        self._wake()
        if self._running:
            self._running.stop(grace_s)

    def _set_anyway(self, job: TrainingJob) -> None:
        try:
            self._set(job)
        except Exception:
            logging.exception("training job %s is %s, which could not be written down", job.name, job.secondary_status)
            self._set(job, durable=False)

    def _set(self, job: TrainingJob, durable: bool = True) -> None:
        self._publish(job, durable)
        self.job = job
