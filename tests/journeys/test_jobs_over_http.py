"""A training job as a client of the endpoint sees it, from CreateTrainingJob to its artefacts, log and metrics."""

from __future__ import annotations

import io
import tarfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.jobs import supervisor
from tests.support import emulator as emulators
from tests.support.emulator import REGION, ROLE, Emulator

GROUP = "/aws/sagemaker/TrainingJobs"
BUCKET = "jobs"


@pytest.fixture(scope="module")
def cloud(shared_emulator: Emulator) -> Emulator:
    make_bucket(shared_emulator)
    return shared_emulator


def make_bucket(emulator: Emulator) -> None:
    emulator.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})


def create(emulator: Emulator, name: str, program: str, **members: Any) -> None:
    request = {
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": f"drydock/train-cpu:{program}", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }
    emulator.client("sagemaker").create_training_job(TrainingJobName=name, **request | members)


def inline(emulator: Emulator, name: str, code: str) -> None:
    create(emulator, name, "inline", HyperParameters={"code": code})


def ended(emulator: Emulator, name: str) -> dict[str, Any]:
    """DescribeTrainingJob's reply once the job has ended in any way."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        reply = emulator.client("sagemaker").describe_training_job(TrainingJobName=name)
        if reply["TrainingJobStatus"] not in ("InProgress", "Stopping"):
            return reply
        time.sleep(0.02)
    raise TimeoutError(name)


def log(emulator: Emulator, name: str) -> list[str]:
    """Every line that CloudWatch Logs has of the job."""
    logs = emulator.client("logs")
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


def said(emulator: Emulator, name: str, line: str) -> None:
    deadline = time.monotonic() + 60
    path = emulator.home / "training-jobs" / name / "logs" / "algo-1.jsonl"
    while not path.exists() or f'"{line}"' not in path.read_text():
        assert time.monotonic() < deadline, f"{name} did not say {line}"
        time.sleep(0.02)


def test_from_request_to_model(cloud: Emulator) -> None:
    s3 = cloud.client("s3")
    s3.put_object(Bucket=BUCKET, Key="data/part-1.txt", Body=b"one")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/data"}
    create(
        cloud, "whole", "artefacts", InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}]
    )
    reply = ended(cloud, "whole")
    assert reply["TrainingJobStatus"] == "Completed"
    assert [entry["Status"] for entry in reply["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    bucket, _, key = reply["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as model:
        assert model.getnames() == ["code", "code/inference.py", "weights.bin"]


def test_every_line_is_in_cloudwatch_when_the_job_says_completed(cloud: Emulator) -> None:
    inline(cloud, "talkative", "for n in range(15_000): print('line', n)")
    assert ended(cloud, "talkative")["TrainingJobStatus"] == "Completed"
    lines = [line for line in log(cloud, "talkative") if not line.startswith("[drydock]")]
    assert lines == [f"line {number}" for number in range(15_000)]


def test_metrics_are_in_the_description_and_in_cloudwatch(cloud: Emulator) -> None:
    specification = {
        "TrainingImage": "drydock/train-cpu:metrics",
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "train:loss", "Regex": r"name=train:loss value=(\S+);"}],
    }
    create(cloud, "measured", "metrics", AlgorithmSpecification=specification)
    final = ended(cloud, "measured")["FinalMetricDataList"]
    assert [(metric["MetricName"], metric["Value"]) for metric in final] == [("train:loss", 0.75)]
    now = datetime.now(UTC)
    found = cloud.client("cloudwatch").get_metric_statistics(
        Namespace=GROUP,
        MetricName="train:loss",
        Dimensions=[{"Name": "TrainingJobName", "Value": "measured"}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=7200,
        Statistics=["Maximum", "SampleCount"],
    )["Datapoints"]
    assert [(point["Maximum"], point["SampleCount"]) for point in found] == [(1.5, 2)]


def test_a_program_reaches_the_emulator(cloud: Emulator) -> None:
    url = "os.environ['AWS_ENDPOINT_URL'] + '/_drydock/health'"
    inline(cloud, "caller", f"import json, os, urllib.request as u; print(json.load(u.urlopen({url}))['status'])")
    assert ended(cloud, "caller")["TrainingJobStatus"] == "Completed"
    assert "ok" in log(cloud, "caller")


def test_bad_input_is_the_failure_reason(cloud: Emulator) -> None:
    create(cloud, "refused", "bad-input")
    reply = ended(cloud, "refused")
    assert reply["TrainingJobStatus"] == "Failed"
    assert reply["FailureReason"].splitlines()[0] == "hyperparameter epochs is 0"
    assert len(reply["FailureReason"]) == 1024


def test_a_job_can_be_stopped_once(cloud: Emulator) -> None:
    sagemaker = cloud.client("sagemaker")
    create(cloud, "stopped", "patient")
    said(cloud, "stopped", "ready")
    sagemaker.stop_training_job(TrainingJobName="stopped")
    reply = ended(cloud, "stopped")
    assert (reply["TrainingJobStatus"], reply["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert cloud.client("s3").head_object(Bucket=BUCKET, Key="out/stopped/output/model.tar.gz")["ContentLength"]
    with pytest.raises(ClientError, match="training job is in status Stopped"):
        sagemaker.stop_training_job(TrainingJobName="stopped")


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"OutputDataConfig": {"S3OutputPath": "s3://nowhere/out"}}, "s3://nowhere/out.*does not exist"),
        ({"AlgorithmSpecification": {"TrainingImage": "yolo", "TrainingInputMode": "File"}}, "drydock/train-cpu:hello"),
        (
            {
                "InputDataConfig": [
                    {
                        "ChannelName": "train",
                        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/none"}},
                    }
                ]
            },
            "No S3 objects found under S3 URL",
        ),
    ],
)
def test_what_cannot_run_is_refused_and_leaves_no_job(cloud: Emulator, members: Any, complaint: str) -> None:
    with pytest.raises(ClientError, match=f"ValidationException.*{complaint}"):
        create(cloud, "never", "hello", **members)
    with pytest.raises(ClientError, match="Requested resource not found"):
        cloud.client("sagemaker").describe_training_job(TrainingJobName="never")


def test_nothing_of_a_job_outlives_kill_9_and_its_story_is_kept(tmp_path: Path) -> None:
    running = emulators.start(tmp_path / "home")
    try:
        make_bucket(running)
        create(running, "orphan", "family", HyperParameters={"then": "wait"})
        path = running.home / "training-jobs" / "orphan" / "logs" / "algo-1.jsonl"
        deadline = time.monotonic() + 60
        while not path.exists() or '"child ' not in path.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        running.kill()
        running = emulators.start(tmp_path / "home")
        reply = running.client("sagemaker").describe_training_job(TrainingJobName="orphan")
        assert reply["TrainingJobStatus"] == "Failed"
        assert reply["FailureReason"].startswith("InternalServerError: The emulator was stopped")
        inline(running, "after", "print('still works')")
        assert ended(running, "after")["TrainingJobStatus"] == "Completed"
        family = [line.split() for line in log(running, "orphan") if "child " in line]
        assert [word for word, _ in family] == ["grandchild", "child"]
        assert all(supervisor.process_start(int(pid)) is None for _, pid in family)
    finally:
        running.stop()


def test_an_emulator_that_ends_in_peace_says_so_of_its_jobs(tmp_path: Path) -> None:
    running = emulators.start(tmp_path / "home")
    try:
        make_bucket(running)
        create(running, "cut-off", "patient")
        said(running, "cut-off", "ready")
        running.stop()
        running = emulators.start(tmp_path / "home")
        reply = running.client("sagemaker").describe_training_job(TrainingJobName="cut-off")
        assert reply["TrainingJobStatus"] == "Failed"
        assert reply["FailureReason"].startswith("InternalServerError: The emulator was stopped")
        path = running.home / "training-jobs" / "cut-off" / "logs" / "algo-1.jsonl"
        assert '"leaving"' in path.read_text()
    finally:
        running.stop()
