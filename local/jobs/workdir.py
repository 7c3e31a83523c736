"""Builds what a program sees as /opt/ml: every folder and every config file, as SageMaker writes them; its variables.

Config files keep AWS's literal /opt/ml paths; a reader resolves them against its base folder.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from local.errors import ValidationException
from local.jobs.job import TrainingJob

HOST = "algo-1"
"""The only host of most jobs, and the first of the others: it has the emulator's own lines in its log."""
MOST_HOSTS = 8
"""On this one machine."""
INTERFACE = "eth0"
OWN = "hosts"
"""Folder for what a backend keeps for each host, where there are several."""
CHECKPOINT_PATH = "/opt/ml/checkpoints"
INPUT = "input/data"

_WITH_A_FOLDER = ("checkpointconfig", "debughookconfig", "tensorboardoutputconfig")
_GPU_FAMILIES = ("ml.p", "ml.g")
_OPT_ML = PurePosixPath("/opt/ml")
_ROOTS = ("input", "model", "output")
_FOLDERS = (
    "input/config", "input/data", "model", "output/data",
    "output/metrics/sagemaker", "output/profiler", "output/tensorboard",
)  # fmt: skip


def hosts(request: Mapping[str, Any]) -> list[str]:
    """The names of a job's hosts, in SageMaker's order: as words, not as numbers."""
    return sorted(f"algo-{number}" for number in range(1, request["ResourceConfig"]["InstanceCount"] + 1))


def build(base: Path, request: Mapping[str, Any], host: str = HOST, interface: str = INTERFACE) -> None:
    """Make the tree of a host below ``base`` (which must not exist) for a validated CreateTrainingJob request.

    ``interface`` is the one over which the hosts of the job reach each other.
    """
    for folder in _FOLDERS:
        (base / folder).mkdir(parents=True)
    for channel in request.get("InputDataConfig", []):
        (base / "input" / "data" / channel["ChannelName"]).mkdir()
    for name, content in config_files(request, host, interface).items():
        (base / "input" / "config" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    for path in local_paths(request):
        resolve(base, path).mkdir(parents=True, exist_ok=True)


def tidy(folder: Path) -> None:
    """Remove from a job's folder what only its run needed."""
    for name in ("tmp", "home", "staging", OWN):
        shutil.rmtree(folder / name, ignore_errors=True)
    for data in folder.glob(f"algo-*/{INPUT}"):
        shutil.rmtree(data, ignore_errors=True)


def environment(job: TrainingJob) -> dict[str, str]:
    """The platform's variables and the request's, as SageMaker sets them whatever runs the program."""
    return {
        **({} if has_gpus(job.request) else {"NVIDIA_VISIBLE_DEVICES": "void"}),
        **job.request.get("Environment", {}),
        "TRAINING_JOB_NAME": job.name,
        "TRAINING_JOB_ARN": job.arn,
        "AWS_REGION": job.region,
    }


def resolve(base: Path, path: str) -> Path:
    """Where a literal /opt/ml path lies below ``base``; ValidationException if it lies elsewhere."""
    literal = PurePosixPath(path)
    if not literal.is_relative_to(_OPT_ML) or literal == _OPT_ML or ".." in literal.parts:
        raise ValidationException(
            f'The local path "{path}" lies outside /opt/ml; the emulator can only offer folders below /opt/ml, '
            f"such as {CHECKPOINT_PATH}."
        )
    return base / literal.relative_to(_OPT_ML)


def has_gpus(request: Mapping[str, Any]) -> bool:
    """Whether the request's instance type has NVIDIA GPUs."""
    return bool(request["ResourceConfig"]["InstanceType"].startswith(_GPU_FAMILIES))


def folders(request: Mapping[str, Any]) -> list[str]:
    """What ``build`` makes, relative to the base: each of these holds nothing but what the platform put there."""
    places = [PurePosixPath(folder) for folder in _ROOTS]
    for path in local_paths(request):
        place = PurePosixPath(path).relative_to(_OPT_ML)
        if not any(place.is_relative_to(known) for known in places):
            places = [known for known in places if not known.is_relative_to(place)] + [place]
    return [str(place) for place in places]


def local_paths(request: Mapping[str, Any]) -> list[str]:
    """The literal folders that the request names, or that AWS names for it."""
    files = config_files(request)
    return [files[name]["LocalPath"] for name in _WITH_A_FOLDER if name in files]


def config_files(request: Mapping[str, Any], host: str = HOST, interface: str = INTERFACE) -> dict[str, Any]:
    """Content of each file of input/config, by its name without ``.json``."""
    files: dict[str, Any] = {
        "hyperparameters": request.get("HyperParameters", {}),
        "inputdataconfig": {
            channel["ChannelName"]: _channel(request, channel) for channel in request.get("InputDataConfig", [])
        },
        "resourceconfig": _resources(request, host, interface),
    }
    if "CheckpointConfig" in request:
        files["checkpointconfig"] = {"LocalPath": request["CheckpointConfig"].get("LocalPath") or CHECKPOINT_PATH}
    if "DebugHookConfig" in request:
        files["debughookconfig"] = _debug_hook(request["DebugHookConfig"])
    profiler = request.get("ProfilerConfig")
    if profiler is not None and not profiler.get("DisableProfiler"):
        files["profilerconfig"] = _profiler(profiler)
    if "TensorBoardOutputConfig" in request:
        files["tensorboardoutputconfig"] = {
            "S3OutputPath": request["TensorBoardOutputConfig"]["S3OutputPath"],
            "LocalPath": request["TensorBoardOutputConfig"].get("LocalPath") or "/opt/ml/output/tensorboard/",
        }
    return files


def _channel(request: Mapping[str, Any], channel: Mapping[str, Any]) -> dict[str, str]:
    source = channel["DataSource"].get("S3DataSource", {})
    content_type = {"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}
    return {
        **content_type,
        "TrainingInputMode": channel.get("InputMode", request["AlgorithmSpecification"]["TrainingInputMode"]),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }


def _resources(request: Mapping[str, Any], host: str, interface: str) -> dict[str, Any]:
    instance_type = request["ResourceConfig"]["InstanceType"]
    group, names = "homogeneousCluster", hosts(request)
    return {
        "current_host": host,
        "current_instance_type": instance_type,
        "current_group_name": group,
        "hosts": names,
        "instance_groups": [{"instance_group_name": group, "instance_type": instance_type, "hosts": names}],
        "network_interface_name": interface,
        "topology": None,
    }


def _debug_hook(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "S3OutputPath": config.get("S3OutputPath"),
        "LocalPath": config.get("LocalPath") or "/opt/ml/output/tensors",
        "HookParameters": config.get("HookParameters", {}),
        "CollectionConfigurations": config.get("CollectionConfigurations", []),
    }


def _profiler(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "S3OutputPath": config.get("S3OutputPath"),
        "ProfilingIntervalInMilliseconds": config.get("ProfilingIntervalInMilliseconds", 500),
        "ProfilingParameters": config.get("ProfilingParameters", {}),
    }
