"""Training jobs and tags through boto3 against a real server: what AWS answers, and in which words."""

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support import emulator as emulators
from tests.support.emulator import ROLE

ENDED = {"Completed", "Failed", "Stopped"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    emulator = emulators.start(tmp_path_factory.mktemp("emulator") / "home", DRYDOCK_STOP_GRACE_SECONDS="2")
    client(emulator.url, "s3", "us-east-1").create_bucket(Bucket="bucket")
    yield emulator.url
    emulator.stop()


@pytest.fixture(scope="module")
def regions() -> Iterator[str]:
    return iter(boto3.Session().get_available_regions("logs"))


@pytest.fixture
def region(regions: Iterator[str]) -> str:
    """A region of the test's own, so that it lists no other test's jobs."""
    return next(regions)


@pytest.fixture
def sagemaker(url: str, region: str) -> Any:
    return client(url, "sagemaker", region)


def client(url: str, service: str, region: str) -> Any:
    return boto3.client(service, endpoint_url=url, region_name=region, aws_access_key_id="x", aws_secret_access_key="x")


def request(name: str, program: str = "hello", **members: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": f"drydock/train-cpu:{program}", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    } | members


def ended(sagemaker: Any, name: str) -> dict[str, Any]:
    while (job := sagemaker.describe_training_job(TrainingJobName=name))["TrainingJobStatus"] not in ENDED:
        time.sleep(0.02)
    return job


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def names(page: dict[str, Any]) -> list[str]:
    return [job["TrainingJobName"] for job in page["TrainingJobSummaries"]]


def test_a_job_is_created_runs_and_is_described(sagemaker: Any, region: str):
    arn = sagemaker.create_training_job(**request("First-Job", HyperParameters={"a": "1"}))["TrainingJobArn"]
    assert arn == f"arn:aws:sagemaker:{region}:123456789012:training-job/first-job"
    job = ended(sagemaker, "First-Job")
    assert job["TrainingJobStatus"] == "Completed"
    assert job["TrainingJobArn"] == arn
    assert job["HyperParameters"] == {"a": "1"}
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 86_400}
    assert job["OutputDataConfig"] == {"KmsKeyId": "", "S3OutputPath": "s3://bucket/out", "CompressionType": "GZIP"}
    assert job["EnableManagedSpotTraining"] is False


def test_a_name_is_used_once_whatever_its_case(sagemaker: Any):
    sagemaker.create_training_job(**request("taken"))
    arn = sagemaker.describe_training_job(TrainingJobName="taken")["TrainingJobArn"]
    message = (
        "Training job names must be unique within an AWS account and region, "
        f"and a training job with this name already exists ({arn})"
    )
    assert refusal(sagemaker.create_training_job, **request("taken")) == ("ResourceInUse", message)
    assert refusal(sagemaker.create_training_job, **request("Taken")) == ("ResourceInUse", message)
    assert names(sagemaker.list_training_jobs()) == ["taken"]


def test_a_job_that_does_not_exist(sagemaker: Any):
    expected = ("ValidationException", "Requested resource not found.")
    assert refusal(sagemaker.describe_training_job, TrainingJobName="nobody") == expected
    assert refusal(sagemaker.stop_training_job, TrainingJobName="nobody") == expected


def test_jobs_belong_to_their_region(url: str, sagemaker: Any):
    sagemaker.create_training_job(**request("here-only"))
    elsewhere = client(url, "sagemaker", "us-west-2")
    assert elsewhere.list_training_jobs()["TrainingJobSummaries"] == []
    assert refusal(elsewhere.describe_training_job, TrainingJobName="here-only")[0] == "ValidationException"
    assert refusal(elsewhere.stop_training_job, TrainingJobName="here-only")[0] == "ValidationException"


def test_a_running_job_is_stopped_and_a_stopped_one_cannot_be(sagemaker: Any):
    sagemaker.create_training_job(**request("endless", "patient"))
    sagemaker.stop_training_job(TrainingJobName="endless")
    assert ended(sagemaker, "endless")["TrainingJobStatus"] == "Stopped"
    assert refusal(sagemaker.stop_training_job, TrainingJobName="endless") == (
        "ValidationException",
        "The request was rejected because the training job is in status Stopped.",
    )


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"ResourceConfig": {"InstanceType": "ml.nope", "InstanceCount": 1}}, "Member must satisfy enum value set: ["),
        ({"EnableManagedSpotTraining": True}, "interruptions are not emulated"),
        ({"StoppingCondition": {"MaxWaitTimeInSeconds": 9}}, "at 'stoppingCondition.maxWaitTimeInSeconds'"),
        ({"OutputDataConfig": {"S3OutputPath": "s3://no-such-bucket/"}}, "no-such-bucket"),
        (
            {"OutputDataConfig": {"S3OutputPath": "s3://bucket/out", "CompressionType": "NONE"}},
            "Value 'NONE' at 'outputDataConfig.compressionType'",
        ),
        (
            {"AlgorithmSpecification": {"TrainingImage": "nginx:latest", "TrainingInputMode": "File"}},
            "drydock/train-cpu:hello",
        ),
    ],
)
def test_a_refused_request_leaves_no_job(sagemaker: Any, members: dict[str, Any], text: str):
    code, message = refusal(sagemaker.create_training_job, **request("refused", **members))
    assert code == "ValidationException"
    assert text in message
    assert sagemaker.list_training_jobs()["TrainingJobSummaries"] == []


def test_lists_are_sorted_filtered_and_paged(sagemaker: Any):
    programs = {"b-good": "hello", "a-bad": "fail", "c-endless": "patient", "d-GOOD": "hello"}
    for name, program in programs.items():
        sagemaker.create_training_job(**request(name, program))
    sagemaker.stop_training_job(TrainingJobName="c-endless")
    for name in programs:
        ended(sagemaker, name)

    def listed(**members: Any) -> list[str]:
        return names(sagemaker.list_training_jobs(**members))

    assert listed() == [*programs]
    assert listed(SortOrder="Descending") == [*reversed(programs)]
    assert listed(SortBy="Name") == ["a-bad", "b-good", "c-endless", "d-GOOD"]
    assert listed(SortBy="Status", SortOrder="Descending") == ["c-endless", "a-bad", "d-GOOD", "b-good"]
    assert listed(NameContains="good") == ["b-good", "d-GOOD"]
    assert listed(StatusEquals="Failed") == ["a-bad"]
    assert listed(StatusEquals="InProgress") == []
    hour_ago, in_an_hour = time.time() - 3600, time.time() + 3600
    for bound in ("CreationTime", "LastModifiedTime"):
        assert len(listed(**{f"{bound}After": hour_ago, f"{bound}Before": in_an_hour})) == 4
        assert listed(**{f"{bound}After": in_an_hour}) == []
        assert listed(**{f"{bound}Before": hour_ago}) == []

    pages = list(sagemaker.get_paginator("list_training_jobs").paginate(PaginationConfig={"PageSize": 3}))
    assert [names(page) for page in pages] == [["b-good", "a-bad", "c-endless"], ["d-GOOD"]]

    token = sagemaker.list_training_jobs(MaxResults=1)["NextToken"]
    sagemaker.create_training_job(**request("e-new"))
    assert listed(NextToken=token, MaxResults=1) == ["a-bad"]
    assert refusal(sagemaker.list_training_jobs, NextToken=token, SortBy="Name")[1].startswith("Invalid NextToken")
    assert refusal(sagemaker.list_training_jobs, NextToken="bm8=")[1].startswith("Invalid NextToken")


def test_a_page_has_ten_jobs_unless_told_otherwise(sagemaker: Any):
    for number in range(11):
        sagemaker.create_training_job(**request(f"many-{number:02d}", "fail"))
    first = sagemaker.list_training_jobs()
    assert len(names(first)) == 10
    assert names(sagemaker.list_training_jobs(NextToken=first["NextToken"])) == ["many-10"]


def test_filters_that_have_no_meaning_here_are_refused(sagemaker: Any):
    code, message = refusal(sagemaker.list_training_jobs, WarmPoolStatusEquals="Available")
    assert code == "ValidationException"
    assert "'warmPoolStatusEquals'" in message


def test_tags_are_added_replaced_listed_and_deleted(sagemaker: Any):
    tags = [{"Key": "team", "Value": "a"}]
    arn = sagemaker.create_training_job(**request("tagged", Tags=tags))["TrainingJobArn"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "b"}, {"Key": "größe", "Value": ""}])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [
        {"Key": "größe", "Value": ""},
        {"Key": "team", "Value": "b"},
    ]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team", "never there"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "größe", "Value": ""}]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["größe"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []


def test_a_resource_has_fifty_tags_at_most(sagemaker: Any):
    tags = [{"Key": f"k{n:02d}", "Value": "v"} for n in range(50)]
    arn = sagemaker.create_training_job(**request("full", Tags=tags))["TrainingJobArn"]
    code, _ = refusal(sagemaker.add_tags, ResourceArn=arn, Tags=[{"Key": "one more", "Value": "v"}])
    assert code == "ResourceLimitExceeded"
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags


def test_tags_of_what_does_not_exist(sagemaker: Any, region: str):
    arn = f"arn:aws:sagemaker:{region}:123456789012:training-job/nobody"
    for call, members in (
        (sagemaker.list_tags, {}),
        (sagemaker.add_tags, {"Tags": []}),
        (sagemaker.delete_tags, {"TagKeys": ["a"]}),
    ):
        assert refusal(call, ResourceArn=arn, **members) == (
            "ValidationException",
            f"Requested resource not found: {arn}",
        )


def test_tags_must_be_ones_that_aws_takes(sagemaker: Any):
    arn = sagemaker.create_training_job(**request("untagged"))["TrainingJobArn"]
    assert "regular expression" in refusal(sagemaker.add_tags, ResourceArn=arn, Tags=[{"Key": "a*", "Value": ""}])[1]
    assert "aws: prefixed" in refusal(sagemaker.add_tags, ResourceArn=arn, Tags=[{"Key": "AWS:a", "Value": ""}])[1]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []


def test_members_without_effect_are_named_in_the_jobs_log(url: str, region: str, sagemaker: Any):
    sagemaker.create_training_job(
        **request("recorded", VpcConfig={"Subnets": ["s-1"], "SecurityGroupIds": ["g-1"]}, EnableNetworkIsolation=True)
    )
    ended(sagemaker, "recorded")
    logs, group = client(url, "logs", region), "/aws/sagemaker/TrainingJobs"
    stream = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="recorded/")["logStreams"][0]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)[
        "events"
    ]
    text = "\n".join(event["message"] for event in events)
    for member in ("VpcConfig", "ResourceConfig.VolumeSizeInGB", "RoleArn"):
        assert member in text
