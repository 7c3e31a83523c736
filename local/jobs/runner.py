"""All training jobs of an emulator: checks and starts them, stops them, and remembers them across restarts.

What one job goes through is in ``lifecycle.py``. Every change of a job is in the store before anybody sees it.
"""

import logging
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from local.errors import ResourceInUse, ValidationException
from local.home import Home
from local.jobs import channels, metrics, reasons, workdir
from local.jobs.backend import Backend, wanted
from local.jobs.checkpoints import STORAGE_ERRORS, sync_of
from local.jobs.job import Secondary, TrainingJob
from local.jobs.lifecycle import Run, Services
from local.jobs.logs import JobLog
from local.jobs.places import Places
from local.jobs.s3uri import parse
from local.jobs.telemetry import METRICS_FILE, Telemetry, log_file
from local.s3.store import ObjectStore
from local.store import Store

KIND = "training-job"
UNFINISHED = "unfinished-training-job"
"""Kind of the records that name jobs which a killed emulator left behind, until what is left of them is stored."""
MAX_RUNNING = 4


class Runner:
    """Runs training jobs, each in a thread of its own; safe to use from any thread."""

    def __init__(
        self,
        home: Home,
        store: Store,
        objects: ObjectStore,
        telemetry: Telemetry,
        backend: Backend,
        *,
        max_running: int = MAX_RUNNING,
    ) -> None:
        """``max_running`` jobs run at once; the others wait as Pending, in order."""
        self._home = home
        self._store = store
        self._recovery: threading.Thread | None = None
        recovered = threading.Event()
        recovered.set()
        self._services = Services(objects, telemetry, backend, Places(max_running), recovered)
        self._lock = threading.Lock()
        self._jobs = {job.name: job for job in map(TrainingJob.from_record, store.all(KIND))}
        self._runs: dict[str, tuple[Run, threading.Thread]] = {}

    def check(self, request: Mapping[str, Any]) -> None:
        """ValidationException if this machine cannot run a valid request: its image, S3 addresses or local paths."""
        self._services.backend.resolve(wanted(request))
        for path in workdir.local_paths(request):
            workdir.resolve(Path(), path)
        for channel in request.get("InputDataConfig", []):
            channels.check(channel, request["RoleArn"], self._services.objects)
        self._require_bucket("OutputDataConfig.S3OutputPath", request["OutputDataConfig"]["S3OutputPath"])
        if "CheckpointConfig" in request:
            self._require_bucket("CheckpointConfig.S3Uri", request["CheckpointConfig"]["S3Uri"])

    def submit(self, job: TrainingJob) -> None:
        """Write the job down and start it; ResourceInUse if its name is taken."""
        try:
            self._store.insert(KIND, job.name, job.to_record())
        except KeyError:
            raise ResourceInUse(
                "Training job names must be unique within an AWS account and region, "
                f"and a training job with this name already exists ({job.arn})"
            ) from None
        run = Run(job, self._folder(job), self._services, self._publish)
        thread = threading.Thread(target=self._execute, args=[run], name=job.name, daemon=True)
        with self._lock:
            self._jobs[job.name] = job
            self._runs[job.name] = run, thread
        thread.start()

    def get(self, name: str) -> TrainingJob | None:
        return self._jobs.get(name)

    def list(self) -> list[TrainingJob]:
        """Every job, in no particular order."""
        with self._lock:
            return [*self._jobs.values()]

    def stop(self, name: str) -> None:
        """Ask a job to stop; ValidationException if there is none of that name, or if it has ended."""
        job = self.get(name)
        if job is None:
            raise ValidationException("Requested resource not found.")
        with self._lock:
            run, _ = self._runs.get(name, (None, None))
        if run is None or not run.course.stop():
            status = self._jobs[name].status
            raise ValidationException(f"The request was rejected because the training job is in status {status}.")

    def recover(self) -> None:
        """Fail the jobs that an earlier emulator left behind, once at start, and show all logs and metrics again.

        What those jobs have not stored yet is stored in the background.
        """
        for job in self.list():
            if not job.terminal:
                try:
                    self._fail(job)
                except Exception:  # the others, and whoever wants to look, need an emulator that starts
                    logging.exception("training job %s could not be recovered in full", job.name)
                    self._publish(job.move(Secondary.FAILED, failure_reason=reasons.EMULATOR_STOPPED), False)
        names = {record["job"] for record in self._store.all(UNFINISHED)}
        self._services.telemetry.replay((job, self._folder(job)) for job in self.list() if job.name not in names)
        self._services.recovered.clear()
        unfinished = [self._jobs[name] for name in names]
        self._recovery = threading.Thread(target=self._finish_all, args=[unfinished], name="recovery", daemon=True)
        self._recovery.start()

    def close(self) -> None:
        """End the jobs that run; they will have failed."""
        with self._lock:
            runs = [*self._runs.values()]
        for run, _ in runs:
            run.course.abandon()
        for thread in (*(thread for _, thread in runs), self._recovery):
            if thread:
                thread.join()

    def _execute(self, run: Run) -> None:
        try:
            run.execute()
        finally:
            with self._lock:
                self._runs.pop(run.course.job.name)

    def _fail(self, job: TrainingJob) -> None:
        folder = self._folder(job)
        self._services.backend.clear(folder)
        self._store.put(UNFINISHED, job.name, {"job": job.name})
        final = metrics.final(folder / METRICS_FILE)
        self._publish(job.move(Secondary.FAILED, failure_reason=reasons.EMULATOR_STOPPED, final_metrics=final), True)

    def _finish_all(self, jobs: Iterable[TrainingJob]) -> None:
        try:
            for job in jobs:
                try:
                    self._finish(job)
                except Exception:
                    logging.exception("training job %s could not be recovered in full", job.name)
        finally:
            self._services.recovered.set()

    def _finish(self, job: TrainingJob) -> None:
        """Do for a job that was cut off what its run could not: upload its checkpoints, end its log, tidy up."""
        folder = self._folder(job)
        lines = [f"[drydock] failed: {reasons.EMULATOR_STOPPED}"]
        trained = [entry.start for entry in job.transitions if entry.status is Secondary.TRAINING]
        hosts = workdir.hosts(job.request)
        for host in hosts if trained else []:
            sync = sync_of(job, folder / host, self._services.objects, lines.append)
            try:
                if sync:
                    sync.finish(changed_since=trained[0] if len(hosts) > 1 else 0.0)
            except STORAGE_ERRORS as error:
                lines.append(f"[drydock] its checkpoints could not be uploaded: {error}")
        log = JobLog(folder / log_file())
        log.append(lines)
        log.close()
        workdir.tidy(folder)
        self._services.telemetry.replay([(job, folder)])
        self._store.delete(UNFINISHED, job.name)

    def _publish(self, job: TrainingJob, durable: bool) -> None:
        if durable:
            self._store.put(KIND, job.name, job.to_record())
        with self._lock:
            self._jobs[job.name] = job

    def _require_bucket(self, member: str, uri: str) -> None:
        bucket, _ = parse(uri)
        if not self._services.objects.has_bucket(bucket):
            raise ValidationException(
                f'The bucket of {member} "{uri}" does not exist. Create it first: aws s3 mb s3://{bucket}'
            )

    def _folder(self, job: TrainingJob) -> Path:
        return self._home.training_jobs / job.name
