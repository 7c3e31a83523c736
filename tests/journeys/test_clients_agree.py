"""boto3, the AWS CLI and the SageMaker SDK run the same job, and AWS's own helpers work on it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local import environments
from local.installer import SetUpError
from tests.support.emulator import ROLE, Emulator

CLIENTS = Path(__file__).parent / "clients"
BUCKET = "clients-data"
JOB: dict[str, Any] = {
    "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/drydock/train-cpu:metrics",
    "role": ROLE,
    "bucket": BUCKET,
    "channel": f"s3://{BUCKET}/train",
    "output": f"s3://{BUCKET}/out",
    "hyperparameters": {"epochs": "3"},
    "metric_definitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
}


def environment(name: str) -> Path:
    try:
        return environments.ensure(name)
    except SetUpError as error:
        pytest.skip(f"the environment {name} cannot be made here: {error.message}")


@pytest.fixture(scope="module")
def data(shared_emulator: Emulator) -> Emulator:
    s3 = shared_emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=BUCKET, Key="train/part.txt", Body=b"content")
    return shared_emulator


def request(name: str) -> dict[str, Any]:
    """The request that SDK v2's Estimator sends for JOB, written out."""
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {
            "TrainingImage": JOB["image"],
            "TrainingInputMode": "File",
            "MetricDefinitions": JOB["metric_definitions"],
        },
        "HyperParameters": JOB["hyperparameters"],
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": JOB["channel"],
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
        ],
        "OutputDataConfig": {"S3OutputPath": JOB["output"]},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "Tags": [{"Key": "line", "Value": "7"}],
        "DebugHookConfig": {"S3OutputPath": JOB["output"], "CollectionConfigurations": []},
        "ProfilerConfig": {"S3OutputPath": JOB["output"], "DisableProfiler": False},
    }


def run(emulator: Emulator, *command: str | Path, home: Path, stdin: str = "") -> str:
    """Run a client as a user would, with nothing but `drydock env`'s variables; its output."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "NO_COLOR": "1", **emulator.environment}
    done = subprocess.run(command, input=stdin, env=environ, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def described(emulator: Emulator, name: str) -> dict[str, Any]:
    """DescribeTrainingJob without the name, the times and the reply's metadata."""
    sagemaker = emulator.client("sagemaker")
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    reply = sagemaker.describe_training_job(TrainingJobName=name)
    del reply["ResponseMetadata"]
    assert reply["TrainingJobStatus"] == "Completed", reply.get("FailureReason")
    text = json.dumps(reply, sort_keys=True, default=lambda _time: "TIME").replace(name, "JOB")
    return json.loads(re.sub(r'("(?:Training|Billable)TimeInSeconds"): \d+', r'\1: "SECONDS"', text))


def log_lines(emulator: Emulator, name: str) -> list[str]:
    logs = emulator.client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"], startFromHead=True)
    return [event["message"] for event in events["events"]]


@pytest.mark.sdk
def test_three_clients_run_the_same_job(data: Emulator, tmp_path: Path) -> None:
    sdk = environment("sdk-v2")

    data.client("sagemaker").create_training_job(**request("by-boto3"))
    from_boto3 = described(data, "by-boto3")

    file = tmp_path / "job.json"
    file.write_text(json.dumps(request("by-aws-cli")))
    reply = run(
        data,
        sdk.parent / "aws",
        "sagemaker",
        "create-training-job",
        "--cli-input-json",
        f"file://{file}",
        home=tmp_path,
    )
    assert "training-job/by-aws-cli" in reply
    from_cli = described(data, "by-aws-cli")

    output = run(data, sdk, CLIENTS / "sdk_v2.py", home=tmp_path, stdin=json.dumps({**JOB, "name": "by-sdk-v2"}))
    from_sdk = described(data, "by-sdk-v2")

    assert from_cli == from_boto3
    assert from_sdk == from_boto3
    for line in log_lines(data, "by-sdk-v2"):
        assert line in output
    assert f"MODEL s3://{BUCKET}/out/by-sdk-v2/output/model.tar.gz" in output


@pytest.mark.sdk
def test_sdk_v3_trains(data: Emulator, tmp_path: Path) -> None:
    python = environment("sdk-v3")
    output = run(data, python, CLIENTS / "sdk_v3.py", home=tmp_path, stdin=json.dumps({**JOB, "name": "by-sdk-v3"}))
    name = output.split("JOB ")[-1].split()[0]
    assert described(data, name)["HyperParameters"] == JOB["hyperparameters"]


def test_paginators_and_waiters_work(data: Emulator) -> None:
    sagemaker = data.client("sagemaker")
    for number in range(5):
        sagemaker.create_training_job(**request(f"paged-{number}"))
    for number in range(5):
        described(data, f"paged-{number}")
    pages = sagemaker.get_paginator("list_training_jobs").paginate(
        NameContains="paged-", SortBy="Name", SortOrder="Descending", PaginationConfig={"PageSize": 2}
    )
    names = [[job["TrainingJobName"] for job in page["TrainingJobSummaries"]] for page in pages]
    assert names == [["paged-4", "paged-3"], ["paged-2", "paged-1"], ["paged-0"]]
