"""Rules of CreateTrainingJob that span members, which botocore's model cannot say, and its defaults.

Worded as SageMaker words them where its wording is known.
"""

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any

from local.api.actions import Request
from local.errors import ValidationException
from local.jobs import regexes
from local.jobs.job import DEFAULT_RUNTIME_S

LONGEST_RUNTIME_S = 28 * 86_400

_S3_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?")
_ML = PurePosixPath("/opt/ml")
_RESERVED = tuple(_ML / name for name in ("input", "model", "output"))


def check(request: Request) -> None:
    """ValidationException with the first rule that a request allowed by the model breaks."""
    _algorithm(request)
    _resources(request)
    _time_limits(request.get("StoppingCondition", {}))
    _channels(request.get("InputDataConfig", []), restores="CheckpointConfig" in request)
    for path, uri in _uris(request):
        if not _S3_URI.fullmatch(uri):
            raise ValidationException(
                f"Invalid S3 URI '{uri}' at '{path}': it must read s3://bucket or s3://bucket/key"
            )
    if "CheckpointConfig" in request:
        _checkpoint_path(request["CheckpointConfig"].get("LocalPath", ""))
    for name, value in request.get("Environment", {}).items():
        if "\0" in value:
            raise ValidationException(f"Invalid Environment. The value of {name} holds a NUL character")
    tags(request.get("Tags", []))


def tags(given: list[dict[str, str]]) -> None:
    """ValidationException for tag keys that repeat or belong to AWS."""
    keys = [tag["Key"] for tag in given]
    for key in keys:
        if key.lower().startswith("aws:"):
            raise ValidationException(f"aws: prefixed tag key names are not allowed for external use: {key}")
        if keys.count(key) > 1:
            raise ValidationException(f"Duplicate tag keys found: {key}")


def with_defaults(request: Request) -> Request:
    """The request with what SageMaker fills in, as DescribeTrainingJob shows it."""
    full = deepcopy(request)
    full.setdefault("StoppingCondition", {}).setdefault("MaxRuntimeInSeconds", DEFAULT_RUNTIME_S)
    full["AlgorithmSpecification"].setdefault("EnableSageMakerMetricsTimeSeries", False)
    full["OutputDataConfig"] = {"KmsKeyId": "", "CompressionType": "GZIP"} | full["OutputDataConfig"]
    for flag in ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining"):
        full.setdefault(flag, False)
    for channel in full.get("InputDataConfig", []):
        channel.setdefault("CompressionType", "None")
        channel.setdefault("RecordWrapperType", "None")
        channel["DataSource"]["S3DataSource"].setdefault("S3DataDistributionType", "FullyReplicated")
    return full


def _algorithm(request: Request) -> None:
    algorithm = request.get("AlgorithmSpecification")
    if algorithm is None:
        raise ValidationException("AlgorithmSpecification is required; give TrainingImage and TrainingInputMode")
    if not algorithm.get("TrainingImage"):
        raise ValidationException("You must specify either TrainingImage or AlgorithmName in AlgorithmSpecification")
    for definition in algorithm.get("MetricDefinitions", []):
        _metric_regex(definition["Name"], definition["Regex"])


def _metric_regex(name: str, regex: str) -> None:
    try:
        groups = regexes.compiled(regex).groups
    except ValueError as error:
        raise ValidationException(f"Invalid Regex of metric definition '{name}': {error}") from None
    if not groups:
        raise ValidationException(f"Invalid Regex of metric definition '{name}': it needs a group () around the value")


def _resources(request: Request) -> None:
    resources = request.get("ResourceConfig", {})
    missing = [name for name in ("InstanceType", "InstanceCount") if name not in resources]
    if missing:
        raise ValidationException(f"ResourceConfig must have {' and '.join(missing)}")


def _time_limits(condition: dict[str, Any]) -> None:
    if "MaxWaitTimeInSeconds" in condition:
        raise ValidationException(
            "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
        )
    if condition.get("MaxRuntimeInSeconds", 0) > LONGEST_RUNTIME_S:
        raise ValidationException(f"Invalid MaxRuntimeInSeconds. It must be at most {LONGEST_RUNTIME_S} (28 days)")


def _channels(channels: list[dict[str, Any]], restores: bool) -> None:
    names = [channel["ChannelName"] for channel in channels]
    lists = {f"{name}-manifest": name for name in [*names, *(["checkpoints"] if restores else [])]}
    for channel in channels:
        name = channel["ChannelName"]
        if names.count(name) > 1:
            raise ValidationException(f"Invalid InputDataConfig. Channel names must be unique: {name}")
        if name in (".", ".."):
            raise ValidationException(f"Invalid InputDataConfig. A channel cannot be called '{name}'")
        if name in lists:
            raise ValidationException(
                f"Invalid InputDataConfig. A channel cannot be called '{name}': "
                f"{_ML}/input/data/{name} is the list of what was downloaded for {lists[name]}"
            )
        if "S3DataSource" not in channel["DataSource"]:
            raise ValidationException(
                f"Invalid InputDataConfig. Channel {name} needs an S3DataSource in its DataSource"
            )


def _uris(request: Request) -> Iterator[tuple[str, str]]:
    """(path as AWS spells it, URI) of every S3 location that a job reads or writes."""
    for position, channel in enumerate(request.get("InputDataConfig", []), start=1):
        source = channel["DataSource"]["S3DataSource"]
        yield f"inputDataConfig.{position}.member.dataSource.s3DataSource.s3Uri", source["S3Uri"]
    yield "outputDataConfig.s3OutputPath", request["OutputDataConfig"]["S3OutputPath"]
    if "CheckpointConfig" in request:
        yield "checkpointConfig.s3Uri", request["CheckpointConfig"]["S3Uri"]


def _checkpoint_path(path: str) -> None:
    if not path:
        return
    place = PurePosixPath(path)
    taken = place == _ML or any(place == folder or folder in place.parents for folder in _RESERVED)
    if _ML not in place.parents or ".." in place.parts or taken or "\0" in path:
        raise ValidationException(
            f"Invalid LocalPath '{path}' in CheckpointConfig. It must be a folder of its own below /opt/ml, "
            "such as /opt/ml/checkpoints"
        )
