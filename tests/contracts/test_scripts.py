"""Script mode: a job that brings a training script of the user's own, run by the same code on every backend."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.support.jobs import BUCKET, Cloud, Jobs
from tests.support.platforms import new_name
from tests.support.runners import Runs
from tests.support.scripts import archive, bring, require, require_here

TELL = """
import json, os, sys
from pathlib import Path
code = Path(__file__).parent
told = {"arguments": sys.argv[1:], "hosts": os.environ["SM_HOSTS"]}
told |= {"code": code.name, "beside": os.listdir(code.parent)}
Path(os.environ["SM_MODEL_DIR"], "told.json").write_text(json.dumps(told))
"""

SAVE = """
import os, signal, sys, time
from pathlib import Path
def save(*_):
    Path(os.environ["SM_MODEL_DIR"], "last.txt").write_text("saved on SIGTERM")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
time.sleep(600)
"""

# In one write: unbuffered, print writes its arguments one by one, and the lines of two ranks that start together mix.
SAY_RANK = """
import os, sys
sys.stdout.write(f"rank {os.environ['RANK']} of {os.environ['WORLD_SIZE']}\\n")
"""


@pytest.fixture(autouse=True)
def _scripts_run_here(request: pytest.FixtureRequest) -> None:
    require_here(request)


def test_a_script_gets_its_arguments_and_runs_in_opt_ml_code(jobs: Jobs) -> None:
    name = new_name("told")
    bring(jobs, name, TELL, HyperParameters={"epochs": 3, "optimizer": "sgd"})
    jobs.completed(name)
    told = json.loads(jobs.archive(name)["told.json"])
    assert told["arguments"] == ["--epochs", "3", "--optimizer", "sgd"]
    assert json.loads(told["hosts"]) == ["algo-1"]
    assert told["code"] == "code"
    assert {"input", "model", "output"} <= set(told["beside"])


def test_a_script_takes_the_place_of_an_images_program(
    cloud: Cloud, runs: Runs, request: pytest.FixtureRequest
) -> None:
    require(runs.backend, request, "drydock/train-cpu:yolo")
    bring(cloud, "instead", TELL, image="drydock/train-cpu:yolo")
    cloud.completed("instead")
    assert "told.json" in cloud.archive("instead")


def test_the_exception_of_a_script_is_the_failure_reason(jobs: Jobs) -> None:
    name = new_name("raised")
    bring(jobs, name, "raise ValueError('no images')")
    reason = jobs.ended(name)["FailureReason"]
    assert reason == "ValueError: no images\n\nExecuteUserScriptError: train.py exited with code 1"


def test_a_script_that_says_why_on_stdout_only_is_quoted(jobs: Jobs) -> None:
    name = new_name("explained")
    bring(jobs, name, "import sys; print('3 images are too few'); sys.exit(3)")
    said = 'train.py wrote nothing to stderr, and last to stdout: "3 images are too few"'
    assert jobs.ended(name)["FailureReason"].startswith(f"{said}\n\nExecuteUserScriptError: ")
    assert jobs.output(name).count("3 images are too few") == 1


def test_a_stop_reaches_the_script(jobs: Jobs) -> None:
    name = new_name("stopped-script")
    bring(jobs, name, SAVE)
    jobs.said(name, "ready")
    jobs.client("sagemaker").stop_training_job(TrainingJobName=name)
    assert jobs.ended(name)["TrainingJobStatus"] == "Stopped"
    assert jobs.archive(name) == {"last.txt": b"saved on SIGTERM"}


def test_torchrun_starts_the_ranks_of_a_host(jobs: Jobs) -> None:
    name = new_name("ranks")
    ranks = {"sagemaker_torch_distributed_enabled": True, "sagemaker_mpi_num_of_processes_per_host": 2}
    bring(
        jobs,
        name,
        SAY_RANK,
        HyperParameters=ranks,
    )
    said = {line for line in jobs.completed(name) if line.startswith("rank ")}
    assert said == {"rank 0 of 2", "rank 1 of 2"}


def test_an_image_for_scripts_says_what_it_lacks_without_one(cloud: Cloud) -> None:
    cloud.create_on("scriptless", "drydock/train-cpu:script")
    assert_refused_first(cloud, "scriptless", "ClientError: nothing says what to train: this image has no program")


def test_the_log_of_an_image_of_awss_says_what_stands_for_it(cloud: Cloud) -> None:
    aws = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:1.12-cpu-py38"
    cloud.create_on("stand-in", aws)
    cloud.ended("stand-in")
    which, versions, *_ = cloud.log("stand-in")
    assert which.startswith(f'[drydock] image "{aws}": drydock/train-cpu:script (')
    assert versions.endswith("versions of its own, not the tag's")


def test_an_image_for_scripts_runs_a_program_that_the_environment_names(cloud: Cloud) -> None:
    """Our launcher's own variable; a path that is not there is the launcher's to refuse."""
    cloud.create_on("elsewhere", "drydock/train-cpu:script", Environment={"DRYDOCK_PROGRAM": "/opt/nothing.py"})
    assert cloud.ended("elsewhere")["FailureReason"].startswith("this image has no program /opt/nothing.py")


def test_a_launcher_that_is_not_there_is_refused_by_name_before_there_is_a_job(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*sagemaker_mpi_enabled.*torch_distributed"):
        bring(cloud, "by-mpi", TELL, HyperParameters={"sagemaker_mpi_enabled": True})
    with pytest.raises(ClientError, match="Requested resource not found"):
        cloud.client("sagemaker").describe_training_job(TrainingJobName="by-mpi")


def test_a_missing_archive_is_refused_by_its_address(cloud: Cloud) -> None:
    gone = f"s3://{BUCKET}/code/none.tar.gz"
    hyperparameters = {"sagemaker_program": "train.py", "sagemaker_submit_directory": gone}
    cloud.create_on("sourceless", "drydock/train-cpu:script", HyperParameters=hyperparameters)
    assert_refused_first(cloud, "sourceless", f"there is no source archive {gone}")


def test_a_script_that_is_not_in_its_archive_is_refused_with_what_is(cloud: Cloud) -> None:
    where = f"s3://{BUCKET}/code/misnamed/sourcedir.tar.gz"
    bring(cloud, "misnamed", TELL, HyperParameters={"sagemaker_program": "tarin.py"})
    assert_refused_first(cloud, "misnamed", f"there is no tarin.py in {where} (it holds: train.py). Set")


def test_an_archive_cut_short_is_refused_by_its_address(cloud: Cloud) -> None:
    cloud.client("s3").put_object(Bucket=BUCKET, Key="code/cut.tar.gz", Body=archive(train_py=TELL)[:100])
    where = f"s3://{BUCKET}/code/cut.tar.gz"
    hyperparameters = {"sagemaker_program": "train.py", "sagemaker_submit_directory": where}
    cloud.create_on("cut", "drydock/train-cpu:script", HyperParameters=hyperparameters)
    assert_refused_first(cloud, "cut", "the source archive is truncated or no .tar.gz")


def assert_refused_first(cloud: Cloud, job: str, reason: str) -> None:
    """The job failed for that reason before its data was fetched or anything of it ran."""
    described = cloud.ended(job)
    assert described["TrainingJobStatus"] == "Failed"
    assert reason in described["FailureReason"]
    assert [entry["Status"] for entry in described["SecondaryStatusTransitions"]] == ["Starting", "Failed"]
