"""Builds the CreateTrainingJob request of ``drydock train``: a plain dict, as any boto3 user would write it."""

import re
import time
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from local.cli.programs import Program
from local.cli.refusal import Refusal
from local.cli.upload import Source, split_uri

INSTANCE_TYPE = "ml.m5.xlarge"
VOLUME_GB = 30
MAX_RUNTIME_S = 86_400
UPLOAD_TIMEOUT_S = 30


def job_name(program: str, now: datetime | None = None) -> str:
    """``yolo-2026-11-20-10-45-31-123``: program, UTC time, milliseconds; SageMaker's names have no underscores."""
    now = now or datetime.now(UTC)
    return f"{program.replace('_', '-')}-{now:%Y-%m-%d-%H-%M-%S}-{now.microsecond // 1000:03d}"


def parse_settings(pairs: list[str]) -> dict[str, str]:
    """Hyperparameters from ``name=value``. Raises Refusal for anything else, or a name given twice."""
    settings: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Refusal(f"--hp {pair} is not of the form name=value", "--hp epochs=20")
        if name.replace("-", "_") in (known.replace("-", "_") for known in settings):
            raise Refusal(f"--hp {name} is given twice", "give it once; dashes and underscores are equal")
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
    role: str,
    bucket: str,
    settings: Mapping[str, str],
    sources: Mapping[str, Source],
    image: str | None = None,
    instance_type: str | None = None,
    instance_count: int | None = None,
    max_runtime_s: int | None = None,
    resumed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The whole request: a new one, or that of the job to go on with, where nothing else is given."""
    body: dict[str, Any] = deepcopy(dict(resumed or _fresh(program, name, role, bucket)))
    body["TrainingJobName"] = name
    before = dict(body.get("HyperParameters", {}))
    if "train" in sources and "manifest" in program.hyperparameters:
        before.pop("manifest", None)  # it named a file of the data that this replaces
        if sources["train"].manifest:
            settings = {"manifest": sources["train"].manifest, **settings}
    body["HyperParameters"] = merge(before, settings)
    kept = [entry for entry in body.get("InputDataConfig", []) if entry["ChannelName"] not in sources]
    channels = [*kept, *(channel(key, source) for key, source in sources.items())]
    if channels:
        body["InputDataConfig"] = channels
    if image:
        body["AlgorithmSpecification"]["TrainingImage"] = image
    if instance_type:
        body["ResourceConfig"]["InstanceType"] = instance_type
    if instance_count:
        body["ResourceConfig"]["InstanceCount"] = instance_count
    if max_runtime_s:
        body["StoppingCondition"]["MaxRuntimeInSeconds"] = max_runtime_s
    return body


def of_job(sagemaker: Any, description: Mapping[str, Any]) -> dict[str, Any]:
    """The request that made the described job, its tags of today included."""
    members = sagemaker.meta.service_model.operation_model("CreateTrainingJob").input_shape.members
    request = {member: description[member] for member in members if member in description}
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=description["TrainingJobArn"])
    tags = [tag for page in pages for tag in page["Tags"]]
    return request | ({"Tags": tags} if tags else {})


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
    # an emulator that was killed uploads them after it is up again
    deadline = time.monotonic() + (UPLOAD_TIMEOUT_S if "emulator" in description.get("FailureReason", "") else 0)
    while not _has_objects(s3, uri):
        if time.monotonic() >= deadline:
            raise Refusal(f"{job} left no checkpoints in {uri}", "start anew without --resume")
        time.sleep(0.5)


def _has_objects(s3: Any, uri: str) -> bool:
    bucket, prefix = split_uri(uri)
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix.rstrip("/") + "/", MaxKeys=1)
    return bool(found.get("KeyCount"))


def _fresh(program: Program, name: str, role: str, bucket: str) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "RoleArn": role,
        "AlgorithmSpecification": {
            "TrainingImage": program.image,
            "TrainingInputMode": "File",
            "MetricDefinitions": list(program.metric_definitions),
        },
        "HyperParameters": {},
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/output"},
        "CheckpointConfig": {"S3Uri": f"s3://{bucket}/checkpoints/{name}"},
        "ResourceConfig": {"InstanceType": INSTANCE_TYPE, "InstanceCount": 1, "VolumeSizeInGB": VOLUME_GB},
        "StoppingCondition": {"MaxRuntimeInSeconds": MAX_RUNTIME_S},
    }
