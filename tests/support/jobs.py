"""Training jobs as a client of the endpoint makes and watches them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.emulator import REGION, ROLE, Emulator
from tests.support.platforms import Ended, Platform, archive, new_name, request
from tests.support.runners import Runs

GROUP = "/aws/sagemaker/TrainingJobs"
BUCKET = "jobs"
PATIENCE_S = 120


class Jobs:
    """Training jobs of an endpoint that answers as SageMaker does."""

    bucket = BUCKET
    role = ROLE
    instance_type = "ml.m5.xlarge"
    patience_s: float = PATIENCE_S
    pause_s = 0.05
    """Between two looks at a job."""

    def client(self, service: str) -> Any:
        raise NotImplementedError

    def image(self, program: str) -> str:
        """The TrainingImage that means a program of tests/programs."""
        raise NotImplementedError

    def create(self, name: str, program: str, **members: Any) -> None:
        """A job that runs a program of tests/programs."""
        self.create_on(name, self.image(program), **members)

    def create_on(self, name: str, image: str, **members: Any) -> None:
        common = request(image, self.bucket, self.role, self.instance_type)
        self.client("sagemaker").create_training_job(TrainingJobName=name, **common | members)

    def inline(self, name: str, code: str, **members: Any) -> None:
        self.create(name, "inline", HyperParameters={"code": code}, **members)

    def ended(self, name: str) -> dict[str, Any]:
        """DescribeTrainingJob's reply once the job has ended in any way."""
        deadline = time.monotonic() + self.patience_s
        while time.monotonic() < deadline:
            reply: dict[str, Any] = self.client("sagemaker").describe_training_job(TrainingJobName=name)
            if reply["TrainingJobStatus"] not in ("InProgress", "Stopping"):
                return reply
            time.sleep(self.pause_s)
        raise TimeoutError(name)

    def completed(self, name: str) -> list[str]:
        """The lines of a program that must complete."""
        reply = self.ended(name)
        assert reply["TrainingJobStatus"] == "Completed", (reply.get("FailureReason"), self.log(name))
        return self.output(name)

    def log(self, name: str) -> list[str]:
        """Every line that CloudWatch Logs has of the job."""
        logs = self.client("logs")
        stream = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{name}/")["logStreams"][0]
        lines: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = logs.get_log_events(
                logGroupName=GROUP, logStreamName=stream["logStreamName"], startFromHead=True, **token
            )
            if not page["events"]:
                return lines
            lines += [event["message"] for event in page["events"]]
            token = {"nextToken": page["nextForwardToken"]}

    def output(self, name: str) -> list[str]:
        """The lines of the program alone."""
        return [line for line in self.log(name) if not line.startswith("[drydock]")]

    def archive(self, name: str, which: str = "model") -> dict[str, bytes]:
        """The files of model.tar.gz or output.tar.gz by name."""
        return archive(self.client("s3"), self.bucket, name, which)

    def dump(self, name: str, **members: Any) -> tuple[dict[str, str | None], dict[str, str]]:
        """What a program is given: path below /opt/ml → text, None for a folder; and its environment."""
        self.create(name, "dump", **members)
        self.completed(name)
        files = self.archive(name)
        return json.loads(files["tree.json"]), json.loads(files["environment.json"])


@dataclass(frozen=True)
class Cloud(Jobs):
    """An emulator with one bucket, and what its jobs are run by."""

    emulator: Emulator
    runs: Runs

    def client(self, service: str) -> Any:
        return self.emulator.client(service)

    def image(self, program: str) -> str:
        return self.runs.image(program)

    def folder(self, name: str) -> Path:
        return self.emulator.home / "training-jobs" / name

    def said(self, name: str, text: str) -> None:
        """Wait for a line that begins so."""
        deadline = time.monotonic() + PATIENCE_S
        path = self.folder(name) / "logs" / "algo-1.jsonl"
        while not path.exists() or f'"{text}' not in path.read_text():
            assert time.monotonic() < deadline, f"{name} did not say {text}"
            time.sleep(0.02)


class OnEndpoint(Platform):
    """The platform behind an endpoint."""

    def __init__(self, name: str, jobs: Jobs) -> None:
        self.name = name
        self._jobs = jobs

    def store(self, key: str, body: bytes) -> str:
        self._jobs.client("s3").put_object(Bucket=self._jobs.bucket, Key=key, Body=body)
        return f"s3://{self._jobs.bucket}/{key}"

    def run(self, program: str, **members: Any) -> Ended:
        name = new_name(program)
        self._jobs.create(name, program, **members)
        reply = self._jobs.ended(name)
        reason, lines = reply.get("FailureReason", ""), self._jobs.output(name)
        return Ended(name, reply["TrainingJobStatus"], reason, lines, partial(self._jobs.archive, name))


def make_bucket(emulator: Emulator) -> None:
    emulator.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
