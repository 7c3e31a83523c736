"""One training job from Starting to its end: the phases in order, each a method.

A job ends early in three ways: somebody stops it, a phase fails, or the emulator is shut down. Whatever
happens, its log is kept, its checkpoints are in S3, and every line of the log is readable in CloudWatch
before the job shows a terminal status.
"""

import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from local.errors import ServiceError
from local.jobs import artefacts, channels, logs, metrics, reasons, workdir
from local.jobs.backend import Backend, Launch, Running
from local.jobs.checkpoints import CheckpointSync, sync_of
from local.jobs.job import Secondary, TrainingJob
from local.jobs.journal import Journal
from local.jobs.places import Places
from local.jobs.programs import Program
from local.jobs.telemetry import METRICS_FILE, Telemetry
from local.s3.store import ObjectStore

_CLOSE_GRACE_S = 10.0
_GPU_FAMILIES = ("ml.p", "ml.g")


@dataclass(frozen=True)
class Services:
    """What every job uses."""

    objects: ObjectStore
    telemetry: Telemetry
    backend: Backend
    places: Places


class Outcome(NamedTuple):
    """How a job ended."""

    status: Secondary
    reason: str | None = None


_ABANDONED = Outcome(Secondary.FAILED, reasons.EMULATOR_STOPPED)


class EarlyEndError(Exception):
    """The job is to end before its next phase."""


class Run:
    """The run of one job; ``publish`` makes a changed job visible, and durable if told so."""

    def __init__(
        self, job: TrainingJob, folder: Path, services: Services, publish: Callable[[TrainingJob, bool], None]
    ) -> None:
        self.job = job
        self._folder = folder
        self._base = folder / workdir.HOST
        self._services = services
        self._publish = publish
        self._lock = threading.RLock()
        self._stirred = threading.Event()
        self._early: Outcome | None = None
        self._running: Running | None = None
        self._ticket = services.places.queue()

    def execute(self) -> None:
        """Run the job to its end, whatever that is; then remove what only the run needed."""
        outcome = self._outcome()
        final = metrics.final(self._folder / METRICS_FILE)
        with self._lock:
            if self._early and outcome.status is Secondary.COMPLETED:
                outcome = self._early  # it came at the last moment, and the job shows it
            ended = self.job.move(outcome.status, failure_reason=outcome.reason, final_metrics=final)
            try:
                self._set(ended)
            except Exception:
                logging.exception("training job %s ended, which could not be written down", self.job.name)
                self._set(ended, durable=False)
        for folder in ("tmp", "home", "staging", f"{workdir.HOST}/{workdir.INPUT}"):
            shutil.rmtree(self._folder / folder, ignore_errors=True)

    def stop(self, ending: Secondary = Secondary.STOPPED) -> bool:
        """Ask the job to stop and return at once, False if it has ended; ``ending`` is what it will be stopped as."""
        with self._lock:
            if self.job.terminal:
                return False
            if not self._early:
                self._set(self.job.move(Secondary.STOPPING))
                self._end_early(Outcome(ending))
            return True

    def abandon(self) -> None:
        """Ask the job to end because the emulator does; it will have failed, unless it is about to end anyway."""
        with self._lock:
            if self.job.secondary_status is not Secondary.UPLOADING:
                self._end_early(_ABANDONED, _CLOSE_GRACE_S)

    def _end_early(self, outcome: Outcome, grace_s: float | None = None) -> None:
        self._early = outcome
        self._stirred.set()
        self._services.places.nudge(self._ticket)
        if self._running:
            self._running.stop(grace_s)

    def _outcome(self) -> Outcome:
        try:
            with self._place(), self._journal() as journal:
                code = self._phases(journal)
            if code and not self._early:
                return Outcome(Secondary.FAILED, reasons.of_program(self._base, code))
            return Outcome(Secondary.COMPLETED)
        except EarlyEndError:
            assert self._early is not None
            return self._early
        except Exception as error:  # noqa: BLE001
            return Outcome(Secondary.FAILED, reasons.of_error(error, self.job))

    def _phases(self, journal: Journal) -> int:
        program = self._prepare(journal)
        checkpoints = self._download(journal)
        try:
            code = self._train(program, checkpoints, journal)
        except Exception:
            if checkpoints:
                with suppress(OSError, ServiceError):
                    checkpoints.finish()
            raise
        try:
            self._upload(checkpoints, journal)
        except Exception as error:
            if code == 0 or self._early:
                raise
            journal.note(reasons.of_error(error, self.job))
        return code

    def _prepare(self, journal: Journal) -> Program:
        """Starting: the folder as /opt/ml, and the program's environment, which may take minutes once."""
        request, backend = self.job.request, self._services.backend
        image = request["AlgorithmSpecification"]["TrainingImage"]
        program = backend.resolve(image)
        journal.note(f'image "{image}": program {program.name} ({program.file}), run by the {backend.name} backend')
        if self.job.recorded:
            journal.note(f"recorded, but without effect here: {', '.join(self.job.recorded)}")
        workdir.build(self._base, request)

        def say(line: str) -> None:
            if self._tell(line):
                journal.note(line)

        self._tell("Preparing the instances for training")
        self._unless_interrupted(lambda: backend.prepare(program, say))
        return program

    def _download(self, journal: Journal) -> CheckpointSync | None:
        """Downloading: the channels, and the checkpoints of an earlier run."""
        self._advance(Secondary.DOWNLOADING)
        request, objects = self.job.request, self._services.objects
        folder = self._base / workdir.INPUT
        for channel in request.get("InputDataConfig", []):
            count = channels.download(channel, request["RoleArn"], folder, objects, self._check)
            journal.note(f"channel {channel['ChannelName']}: {count} objects")
        checkpoints = sync_of(self.job, self._base, objects, journal.note)
        if checkpoints:
            count = checkpoints.restore(folder / "checkpoints-manifest", self._check)
            journal.note(f"checkpoints: {count} objects restored from {request['CheckpointConfig']['S3Uri']}")
        return checkpoints

    def _train(self, program: Program, checkpoints: CheckpointSync | None, journal: Journal) -> int:
        """Training: the program from its start to its exit code."""
        self._advance(Secondary.TRAINING)
        isolated = self.job.request.get("EnableNetworkIsolation", False)
        launch = Launch(program, self._folder, self._base, self._environment(), isolated)
        with self._lock:
            self._check()
            self._running = running = self._services.backend.start(launch)
        limit = threading.Timer(self.job.max_runtime_s, self.stop, [Secondary.MAX_RUNTIME_EXCEEDED])
        limit.start()
        if checkpoints:
            checkpoints.start()
        try:
            for lines in logs.split_lines(running.logs()):
                journal.write(lines)
        except BaseException:
            running.stop(0)
            raise
        finally:
            code = running.wait()
            limit.cancel()
        return code

    def _upload(self, checkpoints: CheckpointSync | None, journal: Journal) -> None:
        """Uploading: the last checkpoints, the model and the output, also of a job that failed or was stopped."""
        if checkpoints:
            checkpoints.finish()
        with self._lock:
            if self._early is _ABANDONED:
                return
            self._set(self.job.move(Secondary.UPLOADING))
        for uri in artefacts.upload(self._base, self._folder / "staging", self.job.output_uri, self._services.objects):
            journal.note(f"stored {uri}")

    def _environment(self) -> dict[str, str]:
        job = self.job
        no_gpu = not job.request["ResourceConfig"]["InstanceType"].startswith(_GPU_FAMILIES)
        return {
            **({"NVIDIA_VISIBLE_DEVICES": "void"} if no_gpu else {}),
            **job.request.get("Environment", {}),
            "TRAINING_JOB_NAME": job.name,
            "TRAINING_JOB_ARN": job.arn,
            "AWS_REGION": job.region,
        }

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Hold one of the places for running jobs, after waiting for it as Pending."""
        places = self._services.places
        if not places.try_take(self._ticket):
            with self._lock:
                message = f"Waiting for a free place: {places.limit} training jobs run at once"
                if not self._early:
                    self._set(self.job.move(Secondary.PENDING, message))
            if not places.take(self._ticket, lambda: self._early is not None):
                raise EarlyEndError
        try:
            if self.job.secondary_status is not Secondary.STARTING:
                self._advance(Secondary.STARTING)
            yield
        finally:
            places.give_back()

    @contextmanager
    def _journal(self) -> Iterator[Journal]:
        shutil.rmtree(self._folder, ignore_errors=True)
        journal = Journal(self.job, self._folder, self._services.telemetry)
        try:
            yield journal
        except EarlyEndError:
            raise
        except Exception as error:
            journal.note(f"failed: {reasons.of_error(error, self.job)}")
            raise
        finally:
            journal.close(flush=self._early is not _ABANDONED)

    def _unless_interrupted(self, work: Callable[[], None]) -> None:
        """Do something that may take long, and stop waiting for it when the job is to end."""
        done: Future[None] = Future()

        def attempt() -> None:
            try:
                done.set_result(work())  # type: ignore[func-returns-value]
            except BaseException as error:  # noqa: BLE001
                done.set_exception(error)
            self._stirred.set()

        threading.Thread(target=attempt, name=f"{self.job.name} environment", daemon=True).start()
        self._stirred.wait()
        self._check()
        done.result()

    def _tell(self, message: str) -> bool:
        """Show a message beside the status; False if the job is to end, or has ended, and shows that instead."""
        with self._lock:
            if not self._early:
                self._set(self.job.say(message), durable=False)
            return self._early is None

    def _check(self) -> None:
        if self._early:
            raise EarlyEndError

    def _advance(self, to: Secondary) -> None:
        with self._lock:
            self._check()
            self._set(self.job.move(to))

    def _set(self, job: TrainingJob, durable: bool = True) -> None:
        self._publish(job, durable)
        self.job = job
