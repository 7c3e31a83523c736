"""Jobs without HTTP: the real store, object store, runner and process backend, wired as the server wires them."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.home import Home
from local.jobs import logs
from local.jobs.job import TrainingJob
from local.jobs.logs import Event
from local.jobs.metrics import Point
from local.jobs.process import ProcessBackend
from local.jobs.programs import ProgramTable
from local.jobs.runner import Runner
from local.s3.store import ObjectStore
from local.store import Store
from tests.support.emulator import PROGRAMS, ROLE

BUCKET = "bucket"


class MemoryTelemetry:
    """Keeps in memory what would go to CloudWatch."""

    def __init__(self) -> None:
        self.lines: dict[str, list[Event]] = {}
        self.points: dict[str, list[Point]] = {}

    def send(
        self, job: TrainingJob, events: Iterable[Event] = (), points: Iterable[Point] = (), host: str = "algo-1"
    ) -> None:
        self.lines.setdefault(job.name, []).extend(events)
        self.points.setdefault(job.name, []).extend(points)

    def replay(self, jobs: Iterable[tuple[TrainingJob, Path]]) -> None:
        for job, folder in jobs:
            self.send(job, logs.read(folder / "logs" / "algo-1.jsonl"))

    def flush(self, timeout_s: float = 30.0) -> bool:
        return True


class Site:
    """A home with one bucket, and a runner on it."""

    def __init__(self, root: Path, grace_s: float = 5.0, max_running: int = 4, **backend: Any) -> None:
        self.home = Home(root)
        self.store = Store(self.home.state_db)
        self.objects = ObjectStore(self.home.s3)
        if not self.objects.has_bucket(BUCKET):
            self.objects.create_bucket(BUCKET)
        self.telemetry = MemoryTelemetry()
        self.backend = ProcessBackend(ProgramTable([PROGRAMS]), "http://127.0.0.1:9", grace_s=grace_s, **backend)
        self.runner = Runner(self.home, self.store, self.objects, self.telemetry, self.backend, max_running=max_running)
        self._closed = threading.Event()

    def request(self, program: str, name: str = "job", **members: Any) -> dict[str, Any]:
        """A CreateTrainingJob request with the defaults filled in."""
        return {
            "TrainingJobName": name,
            "RoleArn": ROLE,
            "AlgorithmSpecification": {"TrainingImage": f"drydock/train-cpu:{program}", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out/"},
            "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            **members,
        }

    def channel(self, uri: str, name: str = "train") -> dict[str, Any]:
        return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}

    def submit(self, program: str, name: str = "job", **members: Any) -> TrainingJob:
        request = self.request(program, name, **members)
        self.runner.check(request)
        job = TrainingJob(request=request, arn=f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{name.lower()}")
        self.runner.submit(job)
        return job

    def run(self, program: str, name: str = "job", **members: Any) -> TrainingJob:
        """Submit a job and wait for its end."""
        self.submit(program, name, **members)
        return self.ended(name)

    def ended(self, name: str = "job") -> TrainingJob:
        until(lambda: self.runner.get(name).terminal)
        return self.runner.get(name)

    def said(self, line: str, name: str = "job") -> None:
        """Wait until the program has said a line."""
        until(lambda: line in self.log(name) or self.runner.get(name).terminal)
        assert line in self.log(name), (self.log(name), self.runner.get(name).failure_reason)

    def log(self, name: str = "job") -> list[str]:
        return [event.m for event in logs.read(self.folder(name) / "logs" / "algo-1.jsonl")]

    def output(self, name: str = "job") -> list[str]:
        """The lines of the program alone."""
        return [line for line in self.log(name) if not line.startswith("[drydock]")]

    def folder(self, name: str = "job") -> Path:
        return self.home.training_jobs / name

    def put(self, key: str, content: bytes = b"content") -> None:
        self.objects.put(BUCKET, key, content)

    def keys(self, prefix: str = "") -> list[str]:
        return [stored.key for stored in self.objects.list(BUCKET, prefix)]

    def kill_program(self, name: str = "job") -> None:
        """kill -9 of the program's process."""
        os.kill(json.loads((self.folder(name) / "process.json").read_text())["program"]["pid"], signal.SIGKILL)

    def until(self, condition: Callable[[], object]) -> None:
        until(condition)

    def forever(self) -> None:
        """Block until the test is over."""
        self._closed.wait()

    def delete_bucket(self, bucket: str) -> None:
        with self.objects.database.write() as connection:
            connection.execute("DELETE FROM buckets WHERE name = ?", (bucket,))

    @contextmanager
    def small_disk(self, folder: str, size: str) -> Iterator[None]:
        """A file system of that size in place of a folder of the home; skips where mounting is not allowed."""
        place = self.home.root / folder
        place.mkdir(exist_ok=True)
        mount = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True, check=False
        )
        if mount.returncode:
            pytest.skip("needs the right to mount a small file system")
        try:
            yield
        finally:
            self.runner.close()
            subprocess.run(["umount", "--lazy", place], check=True)

    @contextmanager
    def unwritable(self, status: str) -> Iterator[None]:
        """The state database refuses to record a job in that state, as it would for want of room."""
        with closing(sqlite3.connect(self.home.state_db)) as database:
            database.execute(
                "CREATE TRIGGER refusal BEFORE INSERT ON records"
                f" WHEN json_extract(new.record, '$.transitions[#-1].status') = '{status}'"
                " BEGIN SELECT RAISE(ABORT, 'no room'); END"
            )
            yield
            database.execute("DROP TRIGGER refusal")

    def close(self) -> None:
        self._closed.set()
        self.runner.close()
        self.store.close()
        self.objects.close()


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something that must come."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come")
        time.sleep(0.005)


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Sites on one and the same home unless told otherwise, with options; close one before you make the next."""
    sites: list[Site] = []

    def make(**options: Any) -> Site:
        sites.append(Site(**{"root": tmp_path / "home", **options}))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()
