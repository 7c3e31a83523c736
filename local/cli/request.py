"""Builds the CreateTrainingJob request of ``drydock train``: a plain dict, as any boto3 user would write it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local.cli.programs import Program
from local.cli.refusal import Refusal
from local.cli.upload import Source, bucket_name, split_uri

ROLE = "arn:aws:iam::123456789012:role/drydock"
VOLUME_GB = 30


def job_name(program: str, now: datetime | None = None) -> str:
    """``yolo-2026-11-20-10-45-31-123``: program, UTC time, milliseconds."""
    now = now or datetime.now(UTC)
    return f"{program}-{now:%Y-%m-%d-%H-%M-%S}-{now.microsecond // 1000:03d}"


def parse_settings(pairs: list[str]) -> dict[str, str]:
    """Hyperparameters from ``name=value``. Raises Refusal for anything else, or a name given twice."""
    settings: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Refusal(f"--hp {pair} is not of the form name=value", "--hp epochs=20")
        if name in settings:
            raise Refusal(f"--hp {name} is given twice", "give it once")
        settings[name] = value
    return settings


def parse_data(values: list[str]) -> dict[str, str]:
    """Channel → place from ``[CHANNEL=]PLACE``; ``train`` is the channel without a name."""
    data: dict[str, str] = {}
    for value in values:
        named = re.fullmatch(r"([A-Za-z0-9._-]+)=(.+)", value)
        channel, place = named.groups() if named else ("train", value)
        if channel in data:
            raise Refusal(
                f"--data gives the {channel} channel twice", "other channels are named: --data validation=FOLDER"
            )
        data[channel] = place
    return data


def channel(name: str, source: Source) -> dict[str, Any]:
    """One File-mode channel of the request."""
    place = {"S3DataType": "S3Prefix", "S3Uri": source.uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": place}}


def build(
    program: Program,
    name: str,
    *,
    settings: Mapping[str, str],
    sources: Mapping[str, Source],
    instance_type: str,
    max_runtime_s: int,
    image: str | None = None,
    resumed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The whole request. ``resumed`` describes the job to go on with: what is not given is taken from it."""
    before = resumed or {}
    bucket = bucket_name()
    settings = dict(settings)
    manifest = sources.get("train", Source("")).manifest
    if manifest and "manifest" in program.defaults:
        settings.setdefault("manifest", manifest)
    kept = [entry for entry in before.get("InputDataConfig", []) if entry["ChannelName"] not in sources]
    channels = [*kept, *(channel(key, source) for key, source in sources.items())]
    checkpoints = before.get("CheckpointConfig") or {"S3Uri": f"s3://{bucket}/checkpoints/{name}"}
    request = {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {
            "TrainingImage": image or before.get("AlgorithmSpecification", {}).get("TrainingImage") or program.image,
            "TrainingInputMode": "File",
            "MetricDefinitions": list(program.metric_definitions),
        },
        "HyperParameters": merge(before.get("HyperParameters", {}), settings),
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/output"},
        "CheckpointConfig": checkpoints,
        "ResourceConfig": {"InstanceType": instance_type, "InstanceCount": 1, "VolumeSizeInGB": VOLUME_GB},
        "StoppingCondition": {"MaxRuntimeInSeconds": max_runtime_s},
    }
    return request | ({"InputDataConfig": channels} if channels else {})


def merge(before: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Hyperparameters of the earlier job, replaced by those given; dashes and underscores are equal."""
    replaced = {key.replace("-", "_") for key in given}
    return {key: value for key, value in before.items() if key.replace("-", "_") not in replaced} | dict(given)


def check_resumable(s3: Any, description: Mapping[str, Any]) -> None:
    """Raises Refusal unless the job has ended and left checkpoints."""
    job = description["TrainingJobName"]
    if description["TrainingJobStatus"] in {"InProgress", "Stopping"}:
        raise Refusal(f"{job} has not ended yet", f"drydock logs -f {job}")
    uri = description.get("CheckpointConfig", {}).get("S3Uri")
    if not uri:
        raise Refusal(f"{job} kept no checkpoints: it had no CheckpointConfig", "start anew without --resume")
    bucket, prefix = split_uri(uri)
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix.rstrip("/") + "/", MaxKeys=1)
    if not found.get("KeyCount"):
        raise Refusal(f"{job} left no checkpoints in {uri}", "start anew without --resume")
