"""The tree that a program sees as /opt/ml, in AWS's own shapes."""

import json
from pathlib import Path

import pytest

from local.errors import ValidationException
from local.jobs import workdir

REQUEST = {
    "HyperParameters": {"lr": "0.01", "optimizer": '"sgd"'},
    "AlgorithmSpecification": {"TrainingInputMode": "File"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
    "InputDataConfig": [
        {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/t"}}},
        {
            "ChannelName": "validation",
            "ContentType": "image/jpeg",
            "InputMode": "File",
            "DataSource": {"S3DataSource": {"S3Uri": "s3://b/v", "S3DataDistributionType": "ShardedByS3Key"}},
        },
    ],
}


def tree(base: Path) -> set[str]:
    return {str(path.relative_to(base)) for path in base.rglob("*")}


def test_the_least_that_a_job_has(tmp_path):
    request = {name: REQUEST[name] for name in ("AlgorithmSpecification", "ResourceConfig")}
    workdir.build(tmp_path / "ml", request)
    assert tree(tmp_path / "ml") == {
        "input", "input/config", "input/data", "model", "output", "output/data",
        "output/metrics", "output/metrics/sagemaker", "output/profiler", "output/tensorboard",
        "input/config/hyperparameters.json", "input/config/inputdataconfig.json", "input/config/resourceconfig.json",
    }  # fmt: skip
    assert json.loads((tmp_path / "ml/input/config/hyperparameters.json").read_text()) == {}


def test_config_files_are_as_aws_writes_them(tmp_path):
    workdir.build(tmp_path / "ml", REQUEST)
    config = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "ml/input/config").iterdir()}
    assert config["hyperparameters"] == {"lr": "0.01", "optimizer": '"sgd"'}
    assert config["inputdataconfig"] == {
        "train": {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"},
        "validation": {
            "ContentType": "image/jpeg",
            "TrainingInputMode": "File",
            "S3DistributionType": "ShardedByS3Key",
            "RecordWrapperType": "None",
        },
    }
    assert config["resourceconfig"] == {
        "current_host": "algo-1",
        "current_instance_type": "ml.m5.xlarge",
        "current_group_name": "homogeneousCluster",
        "hosts": ["algo-1"],
        "instance_groups": [
            {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.xlarge", "hosts": ["algo-1"]}
        ],
        "network_interface_name": "eth0",
        "topology": None,
    }


@pytest.mark.parametrize(
    ("member", "value", "name", "content"),
    [
        ("CheckpointConfig", {"S3Uri": "s3://b/c"}, "checkpointconfig", {"LocalPath": "/opt/ml/checkpoints"}),
        (
            "CheckpointConfig",
            {"S3Uri": "s3://b/c", "LocalPath": "/opt/ml/x"},
            "checkpointconfig",
            {"LocalPath": "/opt/ml/x"},
        ),
        (
            "TensorBoardOutputConfig",
            {"S3OutputPath": "s3://b/t"},
            "tensorboardoutputconfig",
            {"S3OutputPath": "s3://b/t", "LocalPath": "/opt/ml/output/tensorboard/"},
        ),
        (
            "DebugHookConfig",
            {"S3OutputPath": "s3://b/d", "CollectionConfigurations": [{"CollectionName": "losses"}]},
            "debughookconfig",
            {
                "S3OutputPath": "s3://b/d",
                "LocalPath": "/opt/ml/output/tensors",
                "HookParameters": {},
                "CollectionConfigurations": [{"CollectionName": "losses"}],
            },
        ),
        (
            "ProfilerConfig",
            {"S3OutputPath": "s3://b/p"},
            "profilerconfig",
            {"S3OutputPath": "s3://b/p", "ProfilingIntervalInMilliseconds": 500, "ProfilingParameters": {}},
        ),
    ],
)
def test_files_on_request(tmp_path, member, value, name, content):
    assert name not in workdir.config_files(REQUEST)
    workdir.build(tmp_path / "ml", {**REQUEST, member: value})
    assert json.loads((tmp_path / f"ml/input/config/{name}.json").read_text()) == content
    if "LocalPath" in content:
        assert (tmp_path / "ml" / content["LocalPath"].removeprefix("/opt/ml/")).is_dir()


def test_a_profiler_that_is_off_gets_no_file():
    assert "profilerconfig" not in workdir.config_files({**REQUEST, "ProfilerConfig": {"DisableProfiler": True}})


@pytest.mark.parametrize("path", ["/tmp/x", "/opt/ml", "/opt/ml/../x", "checkpoints", "/opt/mlx"])
def test_a_local_path_outside_opt_ml_is_refused_by_name(path):
    with pytest.raises(ValidationException, match="outside /opt/ml") as refusal:
        workdir.resolve(Path("/base"), path)
    assert f'"{path}"' in refusal.value.message


def test_a_hyperparameter_or_channel_called_like_a_member_is_no_path(tmp_path):
    channel = {"ChannelName": "LocalPath", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/t"}}}
    request = {**REQUEST, "HyperParameters": {"LocalPath": "/elsewhere"}, "InputDataConfig": [channel]}
    assert workdir.local_paths(request) == []
    workdir.build(tmp_path / "ml", request)
    assert (tmp_path / "ml/input/data/LocalPath").is_dir()


def test_the_hosts_of_a_job_are_named_in_the_order_of_words_and_know_who_they_are(tmp_path):
    request = {**REQUEST, "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 3}}
    assert workdir.hosts(request) == ["algo-1", "algo-2", "algo-3"]
    workdir.build(tmp_path / "ml", request, "algo-2", "lo")
    told = json.loads((tmp_path / "ml/input/config/resourceconfig.json").read_text())
    assert (told["current_host"], told["network_interface_name"]) == ("algo-2", "lo")
    assert told["hosts"] == told["instance_groups"][0]["hosts"] == ["algo-1", "algo-2", "algo-3"]
