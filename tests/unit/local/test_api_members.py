"""The table of members: complete, and enforced."""

from pathlib import Path

import pytest

from local import coverage, validation
from local.api import members
from local.api.members import CREATE_TRAINING_JOB, Effect, member_at
from local.errors import ValidationException


def refusal(request: dict) -> str:
    with pytest.raises(ValidationException) as caught:
        validation.refuse(members.unsupported(request))
    return caught.value.message


def leaves() -> set[str]:
    paths = coverage.create_training_job_paths()
    return {path for path in paths if not any(other.startswith((f"{path}.", f"{path}[]")) for other in paths)}


def test_every_member_of_the_model_is_in_the_table():
    assert {path for path in leaves() if member_at(path) is None} == set()


def test_every_entry_of_the_table_is_a_member_of_the_model():
    assert set(CREATE_TRAINING_JOB) - set(coverage.create_training_job_paths()) == set()


def test_every_entry_says_why():
    assert [path for path, member in CREATE_TRAINING_JOB.items() if not member.note] == []


def test_the_page_is_what_the_generator_writes():
    assert coverage.PAGE.read_text(encoding="utf-8") == coverage.page(), "type: python -m local.coverage"


def test_the_page_names_every_member(tmp_path: Path):
    page = coverage.page()
    assert [path for path in leaves() if f"`{path}`" not in page] == []


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (
            {"EnableManagedSpotTraining": True},
            "Value 'true' at 'enableManagedSpotTraining' failed to satisfy constraint: Member is not supported by "
            "Drydock (interruptions are not emulated); use false",
        ),
        (
            {"InputDataConfig": [{"ChannelName": "a"}, {"InputMode": "Pipe"}]},
            "Value 'Pipe' at 'inputDataConfig.2.member.inputMode' failed to satisfy constraint: Member is not "
            "supported by Drydock (File only); use File",
        ),
        ({"ResourceConfig": {"InstanceCount": 9}}, "at 'resourceConfig.instanceCount'"),
        ({"ResourceConfig": {"InstanceCount": 0}}, "(at most 8 hosts, which share this machine); use 1 to 8"),
        ({"AlgorithmSpecification": {"AlgorithmName": "x"}}, "(there are no algorithm resources; give TrainingImage)"),
        ({"DebugRuleConfigurations": [{"RuleConfigurationName": "r"}]}, "at 'debugRuleConfigurations'"),
        ({"MlflowConfig": {"MlflowResourceArn": "x"}}, "(there is no MLflow); leave it out"),
    ],
)
def test_what_is_not_supported_is_refused_by_name_with_what_is(request_: dict, text: str):
    assert text in refusal(request_)


def test_all_that_is_not_supported_is_listed_at_once():
    assert refusal({"MlflowConfig": {}, "EnableManagedSpotTraining": True}).startswith("2 validation errors detected: ")


def test_what_the_sdks_send_by_default_passes_and_what_has_no_effect_is_recorded():
    request = {
        "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
        "DebugHookConfig": {"S3OutputPath": "s3://b/", "CollectionConfigurations": []},
        "DebugRuleConfigurations": [],
        "EnableManagedSpotTraining": False,
        "EnableNetworkIsolation": False,
        "ProfilerConfig": {"S3OutputPath": "s3://b/", "DisableProfiler": False},
        "ProfilerRuleConfigurations": [],
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
        "Tags": [{"Key": "a", "Value": "b"}],
        "VpcConfig": {"Subnets": ["s-1"], "SecurityGroupIds": ["sg-1"]},
    }
    assert list(members.unsupported(request)) == []
    assert members.recorded(request) == (
        "DebugHookConfig",
        "ProfilerConfig",
        "ResourceConfig.VolumeSizeInGB",
        "VpcConfig",
    )


def test_the_effect_of_a_container_is_that_of_its_subtree():
    assert member_at("VpcConfig.Subnets").effect is Effect.RECORDED
    assert member_at("InputDataConfig[].DataSource.FileSystemDataSource.FileSystemId").effect is Effect.REFUSED
    assert member_at("ResourceConfig") is None
