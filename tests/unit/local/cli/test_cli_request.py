import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.cli import request
from local.cli.endpoint import ROLE
from local.cli.programs import Program, find, read
from local.cli.refusal import Refusal
from local.cli.samples import ENTRYPOINTS
from local.cli.upload import Source

PROGRAM = Program(
    name="toy",
    file=Path("toy.py"),
    environment="python",
    images=("drydock/train-cpu:toy",),
    metric_definitions=({"Name": "loss", "Regex": "loss=(.*)"},),
    hyperparameters={
        "batch-size": {"name": "batch-size", "type": "int", "default": 4, "minimum": 1},
        "epochs": {"name": "epochs", "type": "int", "default": 2},
        "manifest": {"name": "manifest", "type": "str", "default": ""},
    },
    channels={"train": {"required": True}, "validation": {"required": False}},
    aliases={"mini-batch-size": "batch-size"},
)


def build(**given: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"name": "toy-1", "settings": {}, "sources": {"train": Source("s3://b/t/")}}
    return request.build(PROGRAM, role=ROLE, bucket="b", **(usual | given))


def test_a_job_is_named_after_its_program_and_time() -> None:
    moment = datetime(2026, 11, 20, 10, 45, 31, 123_456, tzinfo=UTC)

    assert request.job_name("yolo", moment) == "yolo-2026-11-20-10-45-31-123"
    assert request.job_name("bin_counting", moment) == "bin-counting-2026-11-20-10-45-31-123"


def test_the_request_is_one_that_botocore_accepts() -> None:
    import boto3
    from botocore.validate import ParamValidator

    client = boto3.client("sagemaker", region_name="us-east-1")
    shape = client.meta.service_model.operation_model("CreateTrainingJob").input_shape
    report = ParamValidator().validate(build(settings={"epochs": "3"}), shape)

    assert not report.has_errors(), report.generate_report()


def test_every_job_has_checkpoints_of_its_own() -> None:
    assert build()["CheckpointConfig"]["S3Uri"].endswith("/checkpoints/toy-1")


def test_the_manifests_place_becomes_a_hyperparameter() -> None:
    body = build(sources={"train": Source("s3://b/t/", manifest="manifests/m.manifest")})

    assert body["HyperParameters"] == {"manifest": "manifests/m.manifest"}


def test_without_data_there_is_no_channel() -> None:
    assert "InputDataConfig" not in build(sources={})


def test_a_resumed_job_takes_data_settings_and_checkpoints_of_the_first_one() -> None:
    first = build(
        settings={"batch-size": "8", "epochs": "5"},
        sources={"train": Source("s3://b/1/"), "validation": Source("s3://b/v/")},
    )
    second = build(name="toy-2", settings={"batch_size": "2"}, sources={"train": Source("s3://b/2/")}, resumed=first)

    assert second["CheckpointConfig"] == first["CheckpointConfig"]
    assert second["HyperParameters"] == {"batch_size": "2", "epochs": "5"}
    places = {c["ChannelName"]: c["DataSource"]["S3DataSource"]["S3Uri"] for c in second["InputDataConfig"]}
    assert places == {"train": "s3://b/2/", "validation": "s3://b/v/"}
    assert second["TrainingJobName"] == "toy-2"


def test_a_resumed_job_is_the_first_one_but_for_what_is_given() -> None:
    first = build() | {
        "Environment": {"LEVEL": "debug"},
        "RoleArn": "arn:aws:iam::123456789012:role/somebody",
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "ResourceConfig": {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 7},
        "OutputDataConfig": {"S3OutputPath": "s3://elsewhere/models"},
    }
    untouched = json.dumps(first)

    same = build(name="toy-2", sources={}, resumed=first)
    other = build(
        name="toy-3", sources={}, resumed=first, image="drydock/train-gpu:toy", instance_type="ml.p3.2xlarge",
        max_runtime_s=9,
    )  # fmt: skip

    assert same == first | {"TrainingJobName": "toy-2"}
    assert other["AlgorithmSpecification"] == first["AlgorithmSpecification"] | {
        "TrainingImage": "drydock/train-gpu:toy"
    }
    assert other["ResourceConfig"] == first["ResourceConfig"] | {"InstanceType": "ml.p3.2xlarge"}
    assert other["StoppingCondition"] == {"MaxRuntimeInSeconds": 9}
    assert json.dumps(first) == untouched


def test_other_data_of_a_resumed_job_does_not_keep_the_manifest_of_the_first() -> None:
    first = build(sources={"train": Source("s3://b/1/", manifest="m.manifest")})

    assert build(sources={"train": Source("s3://b/2/")}, resumed=first)["HyperParameters"] == {}
    assert build(sources={}, resumed=first)["HyperParameters"] == {"manifest": "m.manifest"}


def test_settings_are_read_as_name_and_value() -> None:
    assert request.parse_settings(["epochs=3", "note=a=b", "empty="]) == {"epochs": "3", "note": "a=b", "empty": ""}


@pytest.mark.parametrize("pairs", [["epochs"], ["=3"], ["a=1", "a=2"], ["a-b=1", "a_b=2"]])
def test_settings_of_another_form_are_refused(pairs: list[str]) -> None:
    with pytest.raises(Refusal):
        request.parse_settings(pairs)


def test_data_without_a_channel_is_the_train_channel() -> None:
    data = request.parse_data(["/a/b", "validation=s3://x/y=z"])

    assert data == {"train": "/a/b", "validation": "s3://x/y=z"}


def test_a_channel_given_twice_is_refused() -> None:
    with pytest.raises(Refusal, match="train channel twice"):
        request.parse_data(["a", "train=b"])


def test_hyperparameters_are_known_under_dashes_and_underscores() -> None:
    known = {"batch-size": "1", "batch_size": "1", "sagemaker_program": "x", "_tuning_objective_metric": "x"}
    PROGRAM.check_hyperparameters(known)
    PROGRAM.check_hyperparameters({"mini_batch_size": "8"})

    with pytest.raises(Refusal) as refused:
        PROGRAM.check_hyperparameters({"batchsize": "1"})
    assert refused.value.hint == "did you mean batch-size?"


def test_the_value_of_a_hyperparameter_is_checked_under_either_spelling() -> None:
    with pytest.raises(Refusal, match='"batch-size" is 0; allowed: a whole number at least 1'):
        PROGRAM.check_hyperparameters({"batch_size": "0"})


def test_a_value_is_the_given_one_or_the_default() -> None:
    assert PROGRAM.value_of("epochs", {}) == 2
    assert PROGRAM.value_of("batch-size", {"batch_size": "9"}) == "9"
    assert PROGRAM.value_of("nothing", {}) is None


def test_an_unknown_program_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    entry = {"file": "a.py", "environment": "python", "images": ["train-cpu"]}
    (tmp_path / "programs.json").write_text(json.dumps({"programs": {"a": entry}}))

    assert read([tmp_path])["a"].image == "drydock/train-cpu:a"
    with pytest.raises(Refusal) as refused:
        find("b", [tmp_path])
    assert "a" in refused.value.hint


def test_a_programs_file_that_does_not_parse_is_named(tmp_path: Path) -> None:
    (tmp_path / "programs.json").write_text('{"programs": {"a": {}}}')

    with pytest.raises(Refusal, match=r"programs\.json"):
        read([tmp_path])


@pytest.mark.parametrize("name", ["batch-size", "batch_size", "mini_batch_size"])
def test_what_suits_generated_data_gives_way_to_what_is_given_by_any_name(name: str) -> None:
    program = replace(PROGRAM, sample_settings={"epochs": "3", "batch-size": "16"})

    assert program.with_sample_settings({}) == {"epochs": "3", "batch-size": "16"}
    assert program.with_sample_settings({name: "4", "seed": "1"}) == {"epochs": "3", name: "4", "seed": "1"}


@pytest.mark.parametrize("name", ["model", "base-network"])
def test_the_image_size_that_suits_generated_data_is_the_default_models(name: str) -> None:
    program = read([ENTRYPOINTS])["ssd"]
    default = program.value_of("model", {})

    assert program.with_sample_settings({"model": default})["img-size"] == program.sample_settings["img-size"]
    assert "img-size" not in program.with_sample_settings({name: "ssd300_vgg16"})
    assert program.with_sample_settings({name: "ssd300_vgg16", "img-size": "288"})["img-size"] == "288"


@pytest.mark.parametrize("program", read([ENTRYPOINTS]).values(), ids=lambda program: program.name)
def test_every_program_takes_what_it_says_suits_its_generated_data(program: Program) -> None:
    assert bool(program.sample_settings) <= bool(program.samples)
    program.check_hyperparameters(program.sample_settings)
