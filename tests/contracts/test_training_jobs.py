"""A training job as a client of the endpoint sees it, from CreateTrainingJob to its artefacts, log and metrics.

What a program is given and gives back stands in test_program_given.py and test_program_gives_back.py.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.jobs import BUCKET, GROUP, Cloud, Jobs
from tests.support.platforms import channel, new_name
from tests.support.runners import Runs

STOPPED_EMULATOR = "InternalServerError: The emulator was stopped"
TREE = {
    "input", "input/config", "input/config/hyperparameters.json", "input/config/inputdataconfig.json",
    "input/config/resourceconfig.json", "input/config/checkpointconfig.json", "input/data", "input/data/train",
    "input/data/train/part-1.txt", "input/data/train-manifest", "input/data/checkpoints-manifest", "state", "model",
    "output", "output/data", "output/metrics", "output/metrics/sagemaker", "output/profiler", "output/tensorboard",
}  # fmt: skip


def test_from_request_to_model(jobs: Jobs) -> None:
    name = new_name("whole")
    data = jobs.store(f"{name}/part-1.txt", b"one").removesuffix("part-1.txt")
    jobs.create(name, "artefacts", InputDataConfig=[channel(data)])
    reply = jobs.ended(name)
    assert reply["TrainingJobStatus"] == "Completed", reply
    assert [entry["Status"] for entry in reply["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert reply["ModelArtifacts"]["S3ModelArtifacts"] == f"{jobs.output_path}/{name}/output/model.tar.gz"
    assert jobs.archive(name).keys() == {"code/inference.py", "weights.bin"}


def test_nothing_is_left_of_a_job(cloud: Cloud) -> None:
    cloud.create("left", "hello")
    assert cloud.completed("left") == ["hello"]
    assert cloud.runs.left(cloud.emulator.home, []) == []


def test_a_program_is_given_the_tree_and_the_variables_of_the_contract_and_nothing_else(cloud: Cloud) -> None:
    cloud.client("s3").put_object(Bucket=BUCKET, Key="given/part-1.txt", Body=b"one")
    tree, environment = cloud.dump(
        "given",
        InputDataConfig=[channel(f"s3://{BUCKET}/given")],
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/checkpoints/given", "LocalPath": "/opt/ml/state"},
        HyperParameters={"epochs": "1"},
        Environment={"MINE": "1"},
    )
    assert tree.keys() == TREE
    assert tree["input/data/train/part-1.txt"] == "one"
    assert tree["input/config/hyperparameters.json"] == '{"epochs": "1"}'
    assert '"current_host": "algo-1"' in str(tree["input/config/resourceconfig.json"])
    address = environment.pop("AWS_ENDPOINT_URL")
    assert address.startswith("http://")
    prefixes = ("AWS_", "TRAINING_", "NVIDIA_", "SM_", "MINE")
    assert {name: value for name, value in environment.items() if name.startswith(prefixes)} == {
        "AWS_ACCESS_KEY_ID": "drydock",
        "AWS_SECRET_ACCESS_KEY": "drydock",
        "AWS_REGION": "eu-west-1",
        "TRAINING_JOB_NAME": "given",
        "TRAINING_JOB_ARN": "arn:aws:sagemaker:eu-west-1:123456789012:training-job/given",
        "NVIDIA_VISIBLE_DEVICES": "void",
        "MINE": "1",
    }
    assert "PYTEST_CURRENT_TEST" not in environment


def test_every_line_is_in_cloudwatch_in_order_when_the_job_says_completed(jobs: Jobs) -> None:
    name = new_name("talkative")
    jobs.inline(name, "for n in range(20_000): print('line', n)")
    assert jobs.completed(name) == [f"line {number}" for number in range(20_000)]


def test_metrics_are_in_the_description_and_in_cloudwatch(jobs: Jobs) -> None:
    name = new_name("measured")
    specification = {
        "TrainingImage": jobs.image("metrics"),
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "train:loss", "Regex": r"name=train:loss value=(\S+);"}],
    }
    jobs.create(name, "metrics", AlgorithmSpecification=specification)
    final = jobs.ended(name)["FinalMetricDataList"]
    assert [(metric["MetricName"], metric["Value"]) for metric in final] == [("train:loss", 0.75)]
    now = datetime.now(UTC)
    found = jobs.client("cloudwatch").get_metric_statistics(
        Namespace=GROUP,
        MetricName="train:loss",
        Dimensions=[{"Name": "TrainingJobName", "Value": name}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=7200,
        Statistics=["Maximum", "SampleCount"],
    )["Datapoints"]
    assert [(point["Maximum"], point["SampleCount"]) for point in found] == [(1.5, 2)]


def test_a_program_reaches_the_emulator(cloud: Cloud) -> None:
    url = "os.environ['AWS_ENDPOINT_URL'] + '/_drydock/health'"
    cloud.inline("caller", f"import json, os, urllib.request as u; print(json.load(u.urlopen({url}))['status'])")
    assert cloud.completed("caller") == ["ok"]


def test_network_isolation_takes_the_address_and_the_keys_away(cloud: Cloud) -> None:
    _, environment = cloud.dump("isolated", EnableNetworkIsolation=True)
    assert not [name for name in environment if name.startswith("AWS_") and name != "AWS_REGION"]


def test_a_crash_is_told_by_its_exit_code(jobs: Jobs) -> None:
    name = new_name("crashed")
    jobs.create(name, "fail", HyperParameters={"exit-code": "3"})
    assert jobs.ended(name)["FailureReason"] == "AlgorithmError: , exit code: 3"


def test_a_job_can_be_stopped_once(jobs: Jobs) -> None:
    sagemaker = jobs.client("sagemaker")
    name = new_name("stopped")
    jobs.create(name, "patient")
    jobs.said(name, "ready")
    sagemaker.stop_training_job(TrainingJobName=name)
    reply = jobs.ended(name)
    assert (reply["TrainingJobStatus"], reply["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert jobs.archive(name) == {"last.txt": b"saved on SIGTERM"}
    with pytest.raises(ClientError, match="training job is in status Stopped"):
        sagemaker.stop_training_job(TrainingJobName=name)


def test_a_program_that_ignores_sigterm_is_killed_after_the_grace_period(
    runs: Runs, start: Callable[..., Cloud]
) -> None:
    cloud = start(runs, DRYDOCK_STOP_GRACE_SECONDS="1")
    cloud.create("stubborn", "stubborn")
    cloud.said("stubborn", "ready")
    cloud.client("sagemaker").stop_training_job(TrainingJobName="stubborn")
    assert cloud.ended("stubborn")["TrainingJobStatus"] == "Stopped"
    assert cloud.output("stubborn") == ["ready", "not yet"]
    assert runs.left(cloud.emulator.home, []) == []


def test_a_job_that_runs_too_long_is_stopped(jobs: Jobs) -> None:
    name = new_name("too-long")
    jobs.create(name, "patient", StoppingCondition={"MaxRuntimeInSeconds": 2})
    reply = jobs.ended(name)
    assert (reply["TrainingJobStatus"], reply["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"OutputDataConfig": {"S3OutputPath": "s3://nowhere/out"}}, "s3://nowhere/out.*does not exist"),
        (
            {"AlgorithmSpecification": {"TrainingImage": "yolo-of-nobody", "TrainingInputMode": "File"}},
            '"yolo-of-nobody".*Known images.*drydock/train-cpu:hello',
        ),
        ({"InputDataConfig": [channel(f"s3://{BUCKET}/none")]}, "No S3 objects found under S3 URL"),
    ],
)
def test_what_cannot_run_is_refused_and_leaves_no_job(cloud: Cloud, members: Any, complaint: str) -> None:
    with pytest.raises(ClientError, match=f"ValidationException.*{complaint}"):
        cloud.create("never", "hello", **members)
    with pytest.raises(ClientError, match="Requested resource not found"):
        cloud.client("sagemaker").describe_training_job(TrainingJobName="never")


def test_after_kill_9_the_next_emulator_leaves_nothing_of_a_job_running_and_keeps_its_story(
    runs: Runs, start: Callable[..., Cloud]
) -> None:
    cloud = start(runs)
    cloud.create("orphan", "family", HyperParameters={"then": "wait"})
    cloud.said("orphan", "child ")
    cloud.emulator.kill()
    cloud = start(runs)
    reply = cloud.client("sagemaker").describe_training_job(TrainingJobName="orphan")
    assert reply["TrainingJobStatus"] == "Failed"
    assert reply["FailureReason"].startswith(STOPPED_EMULATOR)
    cloud.inline("after", "print('still works')")
    assert cloud.completed("after") == ["still works"]
    family = [line.split() for line in cloud.log("orphan") if "child " in line]
    assert [word for word, _ in family] == ["grandchild", "child"]
    assert runs.left(cloud.emulator.home, [int(pid) for _, pid in family]) == []


def test_an_emulator_that_ends_in_peace_says_so_of_its_jobs(runs: Runs, start: Callable[..., Cloud]) -> None:
    cloud = start(runs)
    cloud.create("cut-off", "patient")
    cloud.said("cut-off", "ready")
    cloud.emulator.stop()
    assert runs.left(cloud.emulator.home, []) == []
    cloud = start(runs)
    reply = cloud.client("sagemaker").describe_training_job(TrainingJobName="cut-off")
    assert reply["TrainingJobStatus"] == "Failed"
    assert reply["FailureReason"].startswith(STOPPED_EMULATOR)
    cloud.said("cut-off", "leaving")
