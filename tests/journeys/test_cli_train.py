"""train and what belongs to it, with tiny programs in a real emulator."""

from __future__ import annotations

import json
import os
import signal
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.drydock import Drydock
from tests.support.emulator import PROGRAMS

STRICT = {
    "file": str(PROGRAMS / "hello.py"),
    "environment": "python",
    "images": ["train-cpu"],
    "hyperparameters": [{"name": "epochs", "type": "int", "default": 5, "minimum": 1}],
}
"""A program that declares what it takes."""


@pytest.fixture(scope="module")
def drydock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drydock]:
    command = Drydock(tmp_path_factory.mktemp("cli"))
    (command.folder / "programs.json").write_text(json.dumps({"programs": {"strict": STRICT}}))
    up = command("up", "--port", "0", "--programs", str(PROGRAMS), "--programs", str(command.folder))
    assert up.code == 0, up.err
    yield command
    command("down")


@pytest.fixture(scope="module")
def sagemaker(drydock: Drydock) -> Any:
    return _client(drydock, "sagemaker")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("a.txt", "deep/b.txt", ".hidden"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{tmp_path.name} {name}")
    return tmp_path / "data"


def test_a_job_runs_and_its_results_lie_in_runs(drydock: Drydock) -> None:
    result = drydock("train", "artefacts", "--name", "results-1")

    assert result.code == 0, result.err
    run = drydock.runs / "results-1"
    assert (run / "model.tar.gz").is_file()
    assert (run / "log.txt").is_file()
    assert (drydock.runs / "latest").resolve() == run.resolve()
    assert "results-1  Completed" in result.out
    assert "this wall time" in result.out
    assert "ml.g4dn.xlarge" in result.out


def test_epochs_and_metrics_are_told_as_they_come_and_again_at_the_end(drydock: Drydock) -> None:
    result = drydock("train", "metrics", "--name", "metrics-1", "--hp", "epochs=2")

    assert "epoch 2/2  loss 0.750  mAP50 0.500" in result.err
    assert "validation:mAP50  0.5" in result.out


def test_json_is_for_a_script(drydock: Drydock) -> None:
    result = drydock("train", "metrics", "--name", "metrics-2", "--json")

    assert result.json["job"] == "metrics-2"
    assert result.json["status"] == "Completed"
    assert result.json["metrics"]["validation:mAP50"] == 0.5
    assert result.json["cost"]["instance_type"] == "ml.g4dn.xlarge"


def test_the_program_gets_the_data_and_the_settings(drydock: Drydock, data: Path) -> None:
    result = drydock(
        "train", "dump", "--name", "dump-1", "--data", str(data), "--data", f"validation={data}", "--hp", "x=1"
    )

    assert result.code == 0, result.err
    files = [path for path in (drydock.runs / "dump-1").rglob("*") if path.is_file() and path.suffix == ".json"]
    told = "".join(path.read_text() for path in files)
    for path in ("input/data/train/a.txt", "input/data/train/deep/b.txt", "input/data/validation/a.txt"):
        assert path in told
    assert ".hidden" not in told


def test_the_same_data_is_not_sent_twice(drydock: Drydock, data: Path) -> None:
    first = drydock("train", "hello", "--data", str(data))
    second = drydock("train", "hello", "--data", str(data))
    (data / "a.txt").write_text("changed")
    third = drydock("train", "hello", "--data", str(data))

    assert "sent to s3://drydock-data-" in first.err
    assert "are already at s3://drydock-data-" in second.err
    assert "sent to s3://drydock-data-" in third.err


def test_a_manifest_brings_its_files_along(drydock: Drydock, tmp_path: Path) -> None:
    (tmp_path / "set/images").mkdir(parents=True)
    (tmp_path / "set/images/a.jpg").touch()
    (tmp_path / "set/unrelated.bin").touch()
    manifest = tmp_path / "set/lists/m.manifest"
    manifest.parent.mkdir()
    manifest.write_text(json.dumps({"source-ref": "images/a.jpg"}) + "\n")

    result = drydock("train", "dump", "--name", "manifest-1", "--data", str(manifest))

    assert result.code == 0, result.err
    told = "".join(path.read_text() for path in (drydock.runs / "manifest-1").rglob("*.json"))
    assert "input/data/train/images/a.jpg" in told
    assert "input/data/train/lists/m.manifest" in told
    assert "unrelated" not in told


def test_a_failed_job_does_not_become_the_latest_run(drydock: Drydock) -> None:
    drydock("train", "artefacts", "--name", "good-1")

    failed = drydock("train", "artefacts", "--name", "failed-1", "--hp", "exit-code=3")

    assert failed.code == 1
    assert (drydock.runs / "latest").resolve() == (drydock.runs / "good-1").resolve()
    assert (drydock.runs / "failed-1/log.txt").is_file()
    assert f"its log: {drydock.runs / 'failed-1/log.txt'}" in failed.err
    assert f"results    {drydock.runs / 'failed-1'}/" in failed.out


def test_files_of_the_program_that_are_called_like_ours_are_kept(drydock: Drydock) -> None:
    code = (
        "(BASE / 'model/weights').write_text('w'); print('hello');"
        "[(BASE / 'output/data' / name).write_text(name) for name in ('model.tar.gz', 'log.txt', 'output-log.txt')]"
    )

    result = drydock("train", "inline", "--name", "names-1", "--hp", f"code={code}")

    assert result.code == 0, result.err
    run = drydock.runs / "names-1"
    assert "hello" in (run / "log.txt").read_text()
    with tarfile.open(run / "model.tar.gz") as model:
        assert model.getnames() == ["weights"]
    assert (run / "output-model.tar.gz").read_text() == "model.tar.gz"
    assert (run / "output-log.txt").read_text() == "output-log.txt"
    assert (run / "output-output-log.txt").read_text() == "log.txt"
    assert "the program's own log.txt is kept as output-output-log.txt" in result.err


def test_links_in_the_output_are_results_unless_they_lead_out(drydock: Drydock) -> None:
    code = "(BASE / 'output/data/last.txt').write_text('last'); (BASE / 'output/data/best.txt').symlink_to('{target}')"

    inside = drydock("train", "inline", "--name", "links-1", "--hp", f"code={code.format(target='last.txt')}")
    outside = drydock("train", "inline", "--name", "links-2", "--hp", f"code={code.format(target='/etc/hostname')}")

    assert (inside.code, outside.code) == (0, 0), inside.err + outside.err
    assert (drydock.runs / "links-1/best.txt").read_text() == "last"
    assert "best.txt, a link to /etc/hostname, which leads out" in outside.err
    assert sorted(path.name for path in (drydock.runs / "links-2").iterdir()) == ["log.txt", "output.tar.gz"]


def test_a_failed_job_is_one_error_with_its_hint_and_exit_code_1(drydock: Drydock) -> None:
    result = drydock("train", "bad-input")

    assert result.code == 1
    assert result.err.endswith("error: hyperparameter epochs is 0\n\nhint: use 1 or more\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_stop_the_job_and_say_how_to_go_on(drydock: Drydock, number: int, code: int) -> None:
    job = f"patient-signal-{number}"
    with drydock.start("train", "patient", "--name", job) as process:
        _wait_for(process, "Training")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)

    assert process.returncode == code
    assert f"--resume {job}" in err
    assert f"{job}  Stopped" in out
    assert drydock("describe", job, "--json").json["TrainingJobStatus"] == "Stopped"


def test_a_second_ctrl_c_leaves_the_job_to_itself(drydock: Drydock) -> None:
    with drydock.start("train", "stubborn", "--name", "stubborn-1") as process:
        _wait_for(process, "Training")
        process.send_signal(signal.SIGINT)
        _wait_for(process, "stopping")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "left stubborn-1 to itself" in err
    assert drydock("describe", "stubborn-1", "--json").json["TrainingJobStatus"] == "Stopping"


def test_stop_ends_a_job_that_was_not_waited_for(drydock: Drydock) -> None:
    assert drydock("train", "patient", "--name", "patient-2", "--no-wait").out == "patient-2\n"

    assert drydock("stop", "patient-2").code == 0
    log = drydock("logs", "-f", "patient-2")

    assert drydock("describe", "patient-2", "--json").json["TrainingJobStatus"] == "Stopped"
    assert log.err == ""
    assert drydock("fetch", "patient-2").out.strip() == str(drydock.runs / "patient-2")


def test_a_resumed_job_goes_on_from_the_checkpoints(drydock: Drydock) -> None:
    first = drydock("train", "checkpointing", "--name", "count-1", "--hp", "steps=2")
    assert first.code == 0, first.err

    second = drydock("train", "checkpointing", "--name", "count-2", "--resume", "count-1", "--hp", "steps=3")

    assert second.code == 0, second.err
    lines = drydock("logs", "count-2").out.splitlines()
    assert [line for line in lines if "step" in line] == ["starting after step 2", "step 3"]


def test_a_job_of_a_killed_emulator_is_resumed_at_once_from_its_newest_checkpoint(tmp_path: Path) -> None:
    drydock = Drydock(tmp_path)
    up = ("up", "--port", "0", "--programs", str(PROGRAMS), "--json")
    emulator = drydock(*up).json["pid"]
    try:
        drydock("train", "checkpointing", "--name", "cut-1", "--no-wait", "--hp", "steps=100000")
        checkpoints = drydock.home / "training-jobs" / "cut-1" / "algo-1" / "checkpoints"
        while not [*checkpoints.glob("0*3")]:
            time.sleep(0.01)
        os.kill(emulator, signal.SIGKILL)
        drydock(*up)
        newest = max(int(path.name) for path in checkpoints.glob("0*"))

        resumed = drydock("train", "checkpointing", "--resume", "cut-1", "--name", "cut-2", "--hp", f"steps={newest}")

        assert resumed.code == 0, resumed.err
        assert f"starting after step {newest}" in drydock("logs", "cut-2").out.splitlines()
    finally:
        drydock("down")


def test_a_job_whose_emulator_is_killed_while_it_is_followed_is_one_error(tmp_path: Path) -> None:
    drydock = Drydock(tmp_path)
    emulator = drydock("up", "--port", "0", "--programs", str(PROGRAMS), "--json").json["pid"]
    with drydock.start("train", "patient", "--name", "cut-off") as process:
        _wait_for(process, "Training")
        os.kill(emulator, signal.SIGKILL)
        _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "error: the emulator stopped answering: " in err
    assert err.endswith("\n\nhint: drydock up\n"), err


def test_a_resumed_job_is_the_first_request_again_but_for_what_is_given(drydock: Drydock) -> None:
    sagemaker = _client(drydock, "sagemaker")
    _client(drydock, "s3").create_bucket(Bucket="first-1")
    sagemaker.create_training_job(
        TrainingJobName="carry-1",
        RoleArn="arn:aws:iam::123456789012:role/somebody",
        AlgorithmSpecification={"TrainingImage": "drydock/train-gpu:checkpointing", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://first-1/models"},
        CheckpointConfig={"S3Uri": "s3://first-1/checkpoints"},
        ResourceConfig={"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5},
        StoppingCondition={"MaxRuntimeInSeconds": 100},
        VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        Environment={"LEVEL": "debug"},
        HyperParameters={"steps": "1"},
        Tags=[{"Key": "line", "Value": "7"}],
    )
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName="carry-1", WaiterConfig={"Delay": 1})

    resumed = drydock("train", "checkpointing", "--name", "carry-2", "--resume", "carry-1", "--max-runtime", "50")

    assert resumed.code == 0, resumed.err
    first, second = (sagemaker.describe_training_job(TrainingJobName=name) for name in ("carry-1", "carry-2"))
    members = sagemaker.meta.service_model.operation_model("CreateTrainingJob").input_shape.members
    changed = {member for member in members if first.get(member) != second.get(member)}
    assert changed == {"TrainingJobName", "StoppingCondition"}
    assert second["StoppingCondition"]["MaxRuntimeInSeconds"] == 50
    assert sagemaker.list_tags(ResourceArn=second["TrainingJobArn"])["Tags"] == [{"Key": "line", "Value": "7"}]


def test_a_job_without_checkpoints_cannot_be_resumed(drydock: Drydock) -> None:
    drydock("train", "hello", "--name", "hello-1")

    result = drydock("train", "hello", "--resume", "hello-1")

    assert result.code == 2
    assert "hello-1 left no checkpoints" in result.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing",), "there is no program 'nothing'"),
        (("hello", "--data", "/no/such/place"), "there is no data at /no/such/place"),
        (("hello", "--data", "s3://no-such-bucket-1/x"), "s3://no-such-bucket-1/x"),
        (("hello", "--hp", "epochs"), "is not of the form name=value"),
        (("hello", "--resume", "no-such-job"), "no-such-job"),
        (("yolo", "--hp", "epoch=3"), "yolo has no hyperparameter 'epoch'"),
        (("yolo", "--hp", "device=gpu"), 'hyperparameter "device" is gpu; allowed: auto, cpu or cuda'),
        (("yolo", "--data", "test=/tmp"), "yolo reads no channel 'test'"),
        (("yolo", "--hp", "img-size=333"), "hint: --hp img-size=320 or 352"),
        (("hello", "--resume", ""), "the name of the job is empty"),
        (("hello", "--yes"), "hint: leave it out, or add --aws"),
        (("hello", "--max-runtime", "99999999999"), "'--max-runtime': Input should be less than or equal to 2419200"),
    ],
)
def test_bad_input_is_refused_before_a_job_is_made(
    drydock: Drydock, sagemaker: Any, arguments: tuple[str, ...], told: str
) -> None:
    before = names(sagemaker)

    result = drydock("train", *arguments)

    assert result.code == 2
    assert result.err.splitlines()[0].startswith("error: ")
    assert told in result.err
    assert "hint: " in result.err
    assert names(sagemaker) == before


def names(sagemaker: Any) -> list[str]:
    return [job["TrainingJobName"] for job in sagemaker.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]]


@pytest.mark.parametrize("name", ["twice", "TWICE"])
def test_a_name_used_twice_is_told_in_the_services_words(drydock: Drydock, data: Path, name: str) -> None:
    drydock("train", "hello", "--name", "twice")

    result = drydock("train", "hello", "--name", name, "--data", str(data))

    assert result.code == 1
    assert "sent to" not in result.err
    error, _, hint = result.err.splitlines()[-3:]
    assert error.startswith("error: ResourceInUse: Training job names must be unique within an AWS account and region")
    assert hint == "hint: choose another --name, or leave --name out"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--name", "a_b"), "Value 'a_b' at 'trainingJobName' failed to satisfy constraint"),
        (("--name", "latest"), "no job is called latest here"),
        (("--image", "drydock/train-cpu:nothing"), 'The training image "drydock/train-cpu:nothing" cannot be run here'),
        (("--instance-type", "ml.none.xlarge"), "Value 'ml.none.xlarge' at 'resourceConfig.instanceType'"),
        (("--max-runtime", "999999999"), "Invalid value for '--max-runtime'"),
        (("--hp", "epochs=0"), 'hyperparameter "epochs" is 0; allowed: a whole number at least 1'),
        (("--data", "validation=/no/such/place"), "there is no data at /no/such/place"),
    ],
)
def test_a_request_that_would_be_refused_is_refused_before_its_data_is_sent(
    drydock: Drydock, data: Path, arguments: tuple[str, ...], told: str
) -> None:
    result = drydock("train", "strict", "--data", f"train={data}", *arguments)

    assert result.code in (1, 2)
    assert told in result.err
    assert "sent to" not in result.err


def test_what_is_refused_before_is_refused_in_the_words_of_the_endpoint(drydock: Drydock, sagemaker: Any) -> None:
    drydock("train", "hello", "--name", "words-1")
    usual = {
        "TrainingJobName": "words-2",
        "RoleArn": "arn:aws:iam::123456789012:role/drydock",
        "AlgorithmSpecification": {"TrainingImage": "drydock/train-cpu:hello", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://drydock-data-us-east-1/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    image = {"TrainingImage": "drydock/train-cpu:nothing", "TrainingInputMode": "File"}
    for arguments, wrong in (
        (("--name", "words-1"), {"TrainingJobName": "words-1"}),
        (("--image", "drydock/train-cpu:nothing"), {"AlgorithmSpecification": image}),
    ):
        with pytest.raises(ClientError) as refused:
            sagemaker.create_training_job(**(usual | wrong))
        error = refused.value.response["Error"]

        told = drydock("train", "hello", *arguments).err

        assert f"error: {error['Code']}: {error['Message']}"[:400] in told


def test_a_job_that_does_not_exist_is_an_error_everywhere(drydock: Drydock) -> None:
    for verb in ("describe", "logs", "stop", "fetch"):
        result = drydock(verb, "no-such-job")
        assert result.code == 2
        assert result.err.startswith("error: no-such-job: ")


@pytest.mark.parametrize("verb", ["describe", "logs", "stop", "fetch", "serve", "predict"])
def test_a_job_without_a_name_is_one_error(drydock: Drydock, tmp_path: Path, verb: str) -> None:
    (tmp_path / "a.png").touch()

    result = drydock(verb, "", *([str(tmp_path / "a.png")] if verb == "predict" else []))

    assert result.code == 2
    assert result.err == "error: the name of the job is empty\n\nhint: drydock jobs lists them\n"


def test_a_job_that_has_ended_cannot_be_stopped_and_the_hint_says_so(drydock: Drydock) -> None:
    drydock("train", "hello", "--name", "over-1")

    result = drydock("stop", "over-1")

    assert result.code == 1
    assert "ValidationException: The request was rejected because the training job is in status" in result.err
    assert result.err.endswith("hint: drydock describe over-1 shows how it ended\n")


def test_jobs_lists_the_newest_first(drydock: Drydock) -> None:
    drydock("train", "hello", "--name", "list-1")
    drydock("train", "hello", "--name", "list-2")

    assert [job["TrainingJobName"] for job in drydock("jobs", "--json", "--limit", "2").json] == ["list-2", "list-1"]
    assert drydock("jobs").out.splitlines()[1].startswith("list-2")


def test_train_starts_the_emulator_and_leaves_it_up(tmp_path: Path) -> None:
    other = Drydock(tmp_path)
    try:
        result = other("train", "yolo", "--data", "/no/such/place")

        assert "started the emulator at" in result.err
        assert other("env").code == 0
    finally:
        other("down")


def _client(drydock: Drydock, service: str) -> Any:
    settings = drydock("env", "--json").json
    return boto3.client(
        service,
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def _wait_for(process: object, text: str) -> None:
    """Reads the command's talk until a line holds the text."""
    for line in process.stderr:  # type: ignore[attr-defined]
        if text in line:
            return
    raise AssertionError(f"the command ended without saying {text!r}")
