"""One training job from Starting to its end: the phases in order, each a method.

A job ends early in three ways: somebody stops it, a phase fails, or the emulator is shut down. Whatever
happens, its log is kept, its checkpoints are in S3, and every line of the log is readable in CloudWatch
before the job shows a terminal status.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from local.jobs import artefacts, channels, frameworks, metrics, reasons, sources, workdir
from local.jobs.backend import Backend, Host, Launch, Runnable, wanted
from local.jobs.checkpoints import STORAGE_ERRORS, CheckpointSync, sync_of
from local.jobs.cluster import Cluster, Failure
from local.jobs.course import ABANDONED, Course, EarlyEndError, Outcome
from local.jobs.job import Secondary, TrainingJob
from local.jobs.journal import Journal
from local.jobs.places import Places
from local.jobs.telemetry import METRICS_FILE, Telemetry
from local.s3.store import ObjectStore

_COMPLETED = Outcome(Secondary.COMPLETED)
_LOOK_S = 0.1  # how long a job that waits may overlook that it is to end


@dataclass(frozen=True)
class Services:
    """What every job uses."""

    objects: ObjectStore
    telemetry: Telemetry
    backend: Backend
    places: Places
    recovered: threading.Event
    """Set unless checkpoints of jobs that a killed emulator left behind are still on their way to S3."""


class Run:
    """The run of one job; its ``course`` says where it stands, and can end it early."""

    def __init__(
        self, job: TrainingJob, folder: Path, services: Services, publish: Callable[[TrainingJob, bool], None]
    ) -> None:
        """``publish`` makes a changed job visible, and durable if told so."""
        self._folder = folder
        self._hosts = [Host(name, folder / name) for name in workdir.hosts(job.request)]
        self._services = services
        self._ticket = services.places.queue()
        self.course = Course(job, publish, wake=partial(services.places.nudge, self._ticket))

    def execute(self) -> None:
        """Run the job to its end, whatever that is; then remove what only the run needed."""
        outcome = self._outcome()
        self.course.end(outcome, metrics.final(self._folder / METRICS_FILE))
        workdir.tidy(self._folder)

    def _outcome(self) -> Outcome:
        try:
            with self._place(), self._journal() as journal:
                failure = self._phases(journal)
            return Outcome(Secondary.FAILED, self._reason(failure)) if failure else _COMPLETED
        except EarlyEndError:
            assert self.course.early is not None
            return self.course.early
        except Exception as error:  # noqa: BLE001
            return Outcome(Secondary.FAILED, reasons.of_error(error, self.course.job))

    def _reason(self, failure: Failure) -> str:
        base = self._folder / failure.host
        return reasons.of_program(base, failure.ending, failure.host if len(self._hosts) > 1 else "")

    def _phases(self, journal: Journal) -> Failure | None:
        """Go through them all; the failure of a program that the job's end depends on."""
        runnable = self._prepare(journal)
        checkpoints = self._download(journal)
        try:
            failure = self._train(runnable, checkpoints, journal)
        except Exception:
            for sync in checkpoints:
                with suppress(*STORAGE_ERRORS):
                    sync.finish()
            raise
        try:
            self._upload(checkpoints, journal)
        except Exception as error:
            if not failure:
                raise
            journal.note(reasons.of_error(error, self.course.job))
        return failure

    def _prepare(self, journal: Journal) -> Runnable:
        """Starting: the folder as /opt/ml, and the program's environment, which may take minutes once."""
        job, backend = self.course.job, self._services.backend
        asked = wanted(job.request)
        runnable = backend.resolve(asked)
        journal.note(f'image "{asked.image}": {runnable.description}, run by the {backend.name} backend')
        if runnable.image == frameworks.stand_in(asked.image):
            journal.note("it stands for AWS's image of that name; what is in it has versions of its own, not the tag's")
        if job.recorded:
            journal.note(f"recorded, but without effect here: {', '.join(job.recorded)}")
        sources.check(runnable.image, job.request, self._services.objects)
        interface = backend.interface if len(self._hosts) > 1 else workdir.INTERFACE
        for host in self._hosts:
            workdir.build(host.base, job.request, host.name, interface)

        def say(line: str) -> None:
            if self.course.say(line):
                journal.note(line)

        self.course.say("Preparing the instances for training")
        self._unless_interrupted(lambda: backend.prepare(runnable, workdir.environment(job), say))
        return runnable

    def _download(self, journal: Journal) -> list[CheckpointSync]:
        """Downloading: the channels, and the checkpoints of an earlier run, which each host has."""
        self.course.advance(Secondary.DOWNLOADING)
        job, objects, check = self.course.job, self._services.objects, self.course.check
        folders = [host.base / workdir.INPUT for host in self._hosts]
        for channel in job.request.get("InputDataConfig", []):
            counts = channels.download(channel, job.request["RoleArn"], folders, objects, check)
            journal.note(f"channel {channel['ChannelName']}: {' + '.join(map(str, counts))} objects")
        checkpoints = [sync for host in self._hosts if (sync := sync_of(job, host.base, objects, journal.note))]
        for folder, sync in zip(folders, checkpoints, strict=False):
            while not self._services.recovered.wait(_LOOK_S):
                check()
            count = sync.restore(folder / "checkpoints-manifest", check)
        if checkpoints:
            journal.note(f"checkpoints: {count} objects restored from {job.request['CheckpointConfig']['S3Uri']}")
        return checkpoints

    def _train(self, runnable: Runnable, checkpoints: list[CheckpointSync], journal: Journal) -> Failure | None:
        """Training: the program on each host from its start to its end; its failure, unless it was told to end."""
        self.course.advance(Secondary.TRAINING)
        job = self.course.job
        launch = Launch(
            runnable,
            self._folder,
            self._hosts,
            workdir.environment(job),
            network_isolation=job.request.get("EnableNetworkIsolation", False),
            folders=workdir.folders(job.request),
            gpus=workdir.has_gpus(job.request),
        )
        limit = threading.Timer(job.max_runtime_s, self.course.stop, [Secondary.MAX_RUNTIME_EXCEEDED])
        cluster = self.course.launch(lambda: self._start(launch))
        try:
            limit.start()
            for sync in checkpoints:
                sync.start()
        except BaseException:
            cluster.stop(0)
            raise
        finally:
            failure = cluster.follow(journal.write)
            limit.cancel()
        return None if self.course.early else failure

    def _start(self, launch: Launch) -> Cluster:
        running = self._services.backend.start(launch)
        return Cluster({host.name: program for host, program in zip(launch.hosts, running, strict=True)})

    def _upload(self, checkpoints: list[CheckpointSync], journal: Journal) -> None:
        """Uploading: the last checkpoints, the model and the output, also of a job that failed or was stopped."""
        for sync in checkpoints:
            sync.finish()
        if not self.course.upload():
            return
        staging, uri = self._folder / "staging", self.course.job.output_uri
        artefacts.upload(self._hosts, staging, uri, self._services.objects, journal.note)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Hold one of the places for running jobs, after waiting for it as Pending."""
        places = self._services.places
        try:
            if not places.try_take(self._ticket):
                waiting = f"Waiting for a free place: {places.limit} training jobs run at once"
                self.course.advance(Secondary.PENDING, waiting)
                places.take(self._ticket, self.course.check)
        except BaseException:
            places.leave(self._ticket)
            raise
        try:
            if self.course.job.secondary_status is not Secondary.STARTING:
                self.course.advance(Secondary.STARTING)
            yield
        finally:
            places.give_back()

    @contextmanager
    def _journal(self) -> Iterator[Journal]:
        shutil.rmtree(self._folder, ignore_errors=True)
        journal = Journal(self.course.job, self._folder, self._services.telemetry)
        try:
            yield journal
        except EarlyEndError:
            raise
        except Exception as error:
            journal.note(f"failed: {reasons.of_error(error, self.course.job)}")
            raise
        finally:
            journal.close(flush=self.course.early is not ABANDONED)

    def _unless_interrupted(self, work: Callable[[], None]) -> None:
        """Do something that may take long, and stop waiting for it when the job is to end."""
        done: Future[None] = Future()

        def attempt() -> None:
            try:
                done.set_result(work())  # type: ignore[func-returns-value]
            except BaseException as error:  # noqa: BLE001
                done.set_exception(error)

        threading.Thread(target=attempt, name=f"{self.course.job.name} environment", daemon=True).start()
        while not wait([done], _LOOK_S).done:
            self.course.check()
        self.course.check()
        done.result()
