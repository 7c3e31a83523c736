"""Rules of CreateTrainingJob that span members, and what it fills in."""

from typing import Any

import pytest

from local.api import rules
from local.errors import ValidationException


def request(**members: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": "job",
        "AlgorithmSpecification": {"TrainingImage": "drydock/train-cpu:yolo", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    } | members


def channel(name: str = "train", uri: str = "s3://bucket/train") -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}


def algorithm(**members: Any) -> dict[str, Any]:
    return request()["AlgorithmSpecification"] | members


def test_a_plain_request_passes():
    channels = [channel(), channel("other-manifest"), channel("checkpoints")]
    rules.check(request(InputDataConfig=channels, CheckpointConfig={"S3Uri": "s3://bucket/ck"}))


@pytest.mark.parametrize(
    "regex", [r"[({](\d{4}-\d{2}){2}", r"loss=([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?);", "(x{2,}){500}"]
)
def test_a_metric_definition_with_a_group_passes(regex: str):
    rules.check(request(AlgorithmSpecification=algorithm(MetricDefinitions=[{"Name": "loss", "Regex": regex}])))


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"AlgorithmSpecification": None}, "AlgorithmSpecification is required"),
        ({"AlgorithmSpecification": {"TrainingInputMode": "File"}}, "either TrainingImage or AlgorithmName"),
        ({"ResourceConfig": {}}, "ResourceConfig must have InstanceType and InstanceCount"),
        ({"ResourceConfig": {"InstanceCount": 1}}, "ResourceConfig must have InstanceType"),
        (
            {"StoppingCondition": {"MaxWaitTimeInSeconds": 60}},
            "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true",
        ),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 2_419_201}}, "at most 2419200"),
        ({"InputDataConfig": [channel("a"), channel("a")]}, "Channel names must be unique: a"),
        ({"InputDataConfig": [channel("..")]}, "cannot be called '..'"),
        ({"InputDataConfig": [channel("x-manifest"), channel("x")]}, "x-manifest is the list of what was downloaded"),
        (
            {
                "InputDataConfig": [channel("checkpoints-manifest")],
                "CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints"},
            },
            "cannot be called 'checkpoints-manifest'",
        ),
        ({"InputDataConfig": [{"ChannelName": "a", "DataSource": {}}]}, "Channel a needs an S3DataSource"),
        ({"InputDataConfig": [channel(uri="https://x/y")]}, "'https://x/y' at 'inputDataConfig.1.member.dataSource"),
        ({"OutputDataConfig": {"S3OutputPath": "s3://UPPER/"}}, "'s3://UPPER/' at 'outputDataConfig.s3OutputPath'"),
        ({"CheckpointConfig": {"S3Uri": "s3://b"}}, "at 'checkpointConfig.s3Uri'"),
        ({"CheckpointConfig": {"S3Uri": "s3://bucket", "LocalPath": "/state"}}, "'/state' in CheckpointConfig"),
        ({"CheckpointConfig": {"S3Uri": "s3://bucket", "LocalPath": "/opt/ml"}}, "below /opt/ml"),
        ({"CheckpointConfig": {"S3Uri": "s3://bucket", "LocalPath": "/opt/ml/model/x"}}, "a folder of its own"),
        ({"CheckpointConfig": {"S3Uri": "s3://bucket", "LocalPath": "/opt/ml/../../etc"}}, "a folder of its own"),
        ({"Environment": {"A": "x\0"}}, "The value of A holds a NUL character"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}, "Duplicate tag keys found: a"),
        ({"Tags": [{"Key": "aws:x", "Value": "1"}]}, "aws: prefixed tag key names are not allowed"),
        (
            {"AlgorithmSpecification": algorithm(MetricDefinitions=[{"Name": "loss", "Regex": "("}])},
            "Invalid Regex of metric definition 'loss'",
        ),
        (
            {"AlgorithmSpecification": algorithm(MetricDefinitions=[{"Name": "loss", "Regex": "loss"}])},
            "needs a group",
        ),
        (
            {"AlgorithmSpecification": algorithm(MetricDefinitions=[{"Name": "loss", "Regex": "((a{999}){999})"}])},
            "longer than 10000 elements",
        ),
        (
            {"AlgorithmSpecification": algorithm(MetricDefinitions=[{"Name": "loss", "Regex": "(a**)"}])},
            "Invalid Regex of metric definition 'loss': multiple repeat",
        ),
    ],
)
def test_a_broken_rule_is_one_clear_refusal(members: dict[str, Any], text: str):
    broken = {name: value for name, value in request(**members).items() if value is not None}
    with pytest.raises(ValidationException) as caught:
        rules.check(broken)
    assert text in caught.value.message


def test_defaults_are_those_that_describe_shows():
    given = request(InputDataConfig=[channel()])
    full = rules.with_defaults(given)
    assert full["StoppingCondition"] == {"MaxRuntimeInSeconds": 86_400}
    assert full["OutputDataConfig"] == {"KmsKeyId": "", "CompressionType": "GZIP", "S3OutputPath": "s3://bucket/out"}
    assert full["InputDataConfig"][0]["CompressionType"] == "None"
    assert full["InputDataConfig"][0]["RecordWrapperType"] == "None"
    assert full["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataDistributionType"] == "FullyReplicated"
    assert full["EnableManagedSpotTraining"] is False


def test_defaults_leave_the_request_and_what_it_says_alone():
    given = request(InputDataConfig=[channel()], StoppingCondition={"MaxRuntimeInSeconds": 5})
    full = rules.with_defaults(given)
    assert full["StoppingCondition"] == {"MaxRuntimeInSeconds": 5}
    assert given == request(InputDataConfig=[channel()], StoppingCondition={"MaxRuntimeInSeconds": 5})
