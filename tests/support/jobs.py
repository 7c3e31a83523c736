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
PATIENCE_S = 240


class Jobs:
    """Training jobs of an endpoint that answers as SageMaker does."""

    bucket = BUCKET
    prefix = ""
    """Of every key that the tests write in the bucket."""
    role = ROLE
    instance_type = "ml.m5.xlarge"
    patience_s: float = PATIENCE_S
    longest_pause_s: float = 0.05
    """Between two looks at a job, which are at first frequent."""

    @property
    def output_path(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}out"

    def client(self, service: str) -> Any:
        raise NotImplementedError

    def image(self, program: str) -> str:
        """The TrainingImage that means a program of tests/programs."""
        raise NotImplementedError

    @property
    def script_image(self) -> str:
        """The TrainingImage that runs PyTorch scripts of the user's own."""
        return "drydock/train-cpu:script"

    def store(self, key: str, body: bytes) -> str:
        """Put an object where jobs can read it; its s3:// address."""
        self.client("s3").put_object(Bucket=self.bucket, Key=f"{self.prefix}{key}", Body=body)
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def create(self, name: str, program: str, **members: Any) -> None:
        """A job that runs a program of tests/programs."""
        self.create_on(name, self.image(program), **members)

    def create_on(self, name: str, image: str, **members: Any) -> None:
        common = request(image, self.output_path, self.role, self.instance_type)
        self.client("sagemaker").create_training_job(TrainingJobName=name, **common | members)

    def inline(self, name: str, code: str, **members: Any) -> None:
        self.create(name, "inline", HyperParameters={"code": code}, **members)

    def ended(self, name: str) -> dict[str, Any]:
        """DescribeTrainingJob's reply once the job has ended in any way."""
        started = time.monotonic()
        while (waited_s := time.monotonic() - started) < self.patience_s:
            reply: dict[str, Any] = self.client("sagemaker").describe_training_job(TrainingJobName=name)
            if reply["TrainingJobStatus"] not in ("InProgress", "Stopping"):
                return reply
            self._pause(waited_s)
        raise TimeoutError(name)

    def completed(self, name: str) -> list[str]:
        """The lines of a program that must complete."""
        reply = self.ended(name)
        assert reply["TrainingJobStatus"] == "Completed", (reply.get("FailureReason"), self.log(name))
        return self.output(name)

    def log(self, name: str) -> list[str]:
        """Every line that CloudWatch Logs has of the job; none before the first one made the group."""
        logs = self.client("logs")
        try:
            streams = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        if not streams:
            return []
        lines: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = logs.get_log_events(
                logGroupName=GROUP, logStreamName=streams[0]["logStreamName"], startFromHead=True, **token
            )
            lines += [event["message"] for event in page["events"]]
            if page["nextForwardToken"] == token.get("nextToken"):
                return lines
            token = {"nextToken": page["nextForwardToken"]}

    def said(self, name: str, text: str) -> None:
        """Wait for a line that begins so."""
        started = time.monotonic()
        while not any(line.startswith(text) for line in Jobs.log(self, name)):
            waited_s = time.monotonic() - started
            assert waited_s < self.patience_s, f"{name} did not say {text}"
            self._pause(waited_s)

    def _pause(self, waited_s: float) -> None:
        time.sleep(min(0.05 + waited_s / 10, self.longest_pause_s))

    def output(self, name: str) -> list[str]:
        """The lines of the program alone."""
        return [line for line in self.log(name) if not line.startswith("[drydock]")]

    def archive(self, name: str, which: str = "model") -> dict[str, bytes]:
        """The files of model.tar.gz or output.tar.gz by name."""
        return archive(self.client("s3"), self.output_path, name, which)

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
        """Wait for a line that begins so, without a request."""
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
        return self._jobs.store(key, body)

    def run(self, program: str, **members: Any) -> Ended:
        name = new_name(program)
        self._jobs.create(name, program, **members)
        reply = self._jobs.ended(name)
        reason, lines = reply.get("FailureReason", ""), self._jobs.output(name)
        return Ended(name, reply["TrainingJobStatus"], reason, lines, partial(self._jobs.archive, name))


def make_bucket(emulator: Emulator) -> None:
    emulator.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
