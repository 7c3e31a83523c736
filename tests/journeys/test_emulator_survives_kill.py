"""kill -9 of the whole emulator at random moments, while objects are written and a job runs: nothing is lost."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from local.jobs import logs
from tests.support import emulator as emulators
from tests.support.emulator import ROLE, Emulator

BUCKET = "survivors"


class Writer(threading.Thread):
    """Puts and deletes objects until the emulator is gone; remembers what was acknowledged."""

    def __init__(self, emulator: Emulator, number: int, round_: int) -> None:
        super().__init__(daemon=True)
        self.s3 = emulator.client("s3")
        self.random = random.Random(number * 1000 + round_)
        self.prefix = f"round-{round_}/writer-{number}"
        self.stored: dict[str, str] = {}
        self.deleted: set[str] = set()

    def run(self) -> None:
        for number in range(10_000):
            key = f"{self.prefix}/{number:05d}"
            body = self.random.randbytes(self.random.choice([10, 5_000, 200_000]))
            try:
                self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
                self.stored[key] = hashlib.sha256(body).hexdigest()
                if number % 5 == 4:
                    doomed = f"{self.prefix}/{number - 3:05d}"
                    self.stored.pop(doomed)
                    self.s3.delete_object(Bucket=BUCKET, Key=doomed)
                    self.deleted.add(doomed)
            except (BotoCoreError, ClientError):
                return


@pytest.mark.parametrize(
    "kills", [3, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(900)])], ids=["3 kills", "20 kills"]
)
def test_acknowledged_writes_and_job_records_survive(tmp_path: Path, kills: int) -> None:
    home, rng = tmp_path / "home", random.Random(kills)
    stored: dict[str, str] = {}
    deleted: set[str] = set()
    running = emulators.start(home)
    location = {"LocationConstraint": "eu-west-1"}
    running.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
    kept: list[tuple[int, int]] = []
    try:
        for round_ in range(kills):
            job = f"job-{round_}"
            start_job(running, job)
            writers = [Writer(running, number, round_) for number in range(3)]
            for writer in writers:
                writer.start()
            if round_ % 2:
                wait_for_checkpoint(running, job)  # on a busy machine, the others may be killed before the first
            time.sleep(rng.uniform(0.02, 1.2))
            running.kill()
            for writer in writers:
                writer.join(timeout=60)
                stored |= writer.stored
                deleted |= writer.deleted
            running = emulators.start(home)
            if round_ % 4 == 1:
                running.kill()  # perhaps while checkpoints are uploaded
                running = emulators.start(home)
            kept.append(check_job(running, job))
        assert all(files and lines for files, lines in kept[1::2])
        check_objects(running, stored, deleted)
        statuses = {job["TrainingJobName"]: job["TrainingJobStatus"] for job in jobs(running)}
        assert statuses == {f"job-{round_}": "Failed" for round_ in range(kills)}
    finally:
        running.stop()


def start_job(emulator: Emulator, name: str) -> None:
    """A job that counts to many, a checkpoint and a line a step."""
    emulator.client("sagemaker").create_training_job(
        TrainingJobName=name,
        RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": "drydock/train-cpu:checkpointing", "TrainingInputMode": "File"},
        HyperParameters={"steps": "100000"},
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/checkpoints/{name}"},
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/out"},
        ResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )


def wait_for_checkpoint(emulator: Emulator, name: str) -> None:
    checkpoints = emulator.home / "training-jobs" / name / "algo-1" / "checkpoints"
    deadline = time.monotonic() + 60
    while not [*checkpoints.glob("0*")]:
        assert time.monotonic() < deadline, "the job writes no checkpoint"
        time.sleep(0.01)


def check_job(emulator: Emulator, name: str) -> tuple[int, int]:
    """The interrupted job is Failed, says why, and its log and newest checkpoint are kept: their lines and files."""
    described = emulator.client("sagemaker").describe_training_job(TrainingJobName=name)
    assert described["TrainingJobStatus"] == "Failed"
    assert "emulator" in described["FailureReason"]
    folder = emulator.home / "training-jobs" / name
    checkpoints = folder / "algo-1" / "checkpoints"
    files = [file for step in sorted(checkpoints.glob("0*"))[-1:] for file in step.iterdir()]
    for path in files:
        assert wait_for_object(emulator, f"checkpoints/{name}/{path.relative_to(checkpoints)}") == path.read_bytes()
    lines = [event.m for event in logs.read(folder / "logs" / "algo-1.jsonl")]
    assert wait_for_lines(emulator, name, len(lines))[: len(lines)] == lines
    return len(files), len(lines)


def wait_for_object(emulator: Emulator, key: str) -> bytes:
    """An object that is uploaded in the background after a restart."""
    s3 = emulator.client("s3")
    deadline = time.monotonic() + 60
    while True:
        try:
            return bytes(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        except s3.exceptions.NoSuchKey:
            assert time.monotonic() < deadline, f"{key} is not uploaded"
            time.sleep(0.02)


def wait_for_lines(emulator: Emulator, name: str, count: int) -> list[str]:
    """The log of a job in CloudWatch, once it has `count` lines; it is fed again in the background after a restart."""
    cloudwatch, group = emulator.client("logs"), "/aws/sagemaker/TrainingJobs"
    deadline = time.monotonic() + 60
    lines: list[str] = []
    while len(lines) < count and time.monotonic() < deadline:
        time.sleep(0.2)
        if not cloudwatch.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            continue
        streams = cloudwatch.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
        lines, token = [], None
        while streams:
            more = {"nextToken": token} if token else {}
            page = cloudwatch.get_log_events(
                logGroupName=group, logStreamName=streams[0]["logStreamName"], startFromHead=True, **more
            )
            lines += [event["message"] for event in page["events"]]
            if page["nextForwardToken"] == token or not page["events"]:
                break
            token = page["nextForwardToken"]
    return lines


def check_objects(emulator: Emulator, stored: dict[str, str], deleted: set[str]) -> None:
    s3 = emulator.client("s3")
    assert stored
    for key, digest in stored.items():
        assert hashlib.sha256(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()).hexdigest() == digest, key
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="round-")
    listed = {entry["Key"] for page in pages for entry in page.get("Contents", [])}
    assert set(stored) <= listed
    assert not deleted & listed


def jobs(emulator: Emulator) -> list[dict[str, Any]]:
    pages = emulator.client("sagemaker").get_paginator("list_training_jobs").paginate()
    return [job for page in pages for job in page["TrainingJobSummaries"]]
