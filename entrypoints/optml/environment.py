"""What the platform gives a training program: folders, channels, hyperparameters, hosts, CPUs and GPUs."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from optml.aliases import decode
from optml.errors import Refusal
from optml.resources import count_cpus, count_gpus

AWS_BASE = "/opt/ml"
_ONE_OBJECT = "the file must hold one JSON object"


@dataclass(frozen=True)
class Environment:
    """One host of one training job. Paths are absolute below `base`; only those of channels need exist."""

    base: Path
    job_name: str
    hyperparameters: Mapping[str, str]
    """As the job was given them, JSON string quotes taken off; `hyperparameters.parse` gives them types."""
    channels: Mapping[str, Path]
    checkpoint_dir: Path
    hosts: tuple[str, ...]
    current_host: str
    num_cpus: int
    num_gpus: int
    network_interface: str = ""
    """The one that leads to the other hosts; empty where the job has none or does not say."""
    sharded: tuple[str, ...] = ()
    """Channels of which each host has a part (ShardedByS3Key)."""

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Environment:
        """Read what lies under `/opt/ml` or `SAGEMAKER_BASE_DIR`.

        Config files may be absent: then the defaults of a job with one host hold, and the folders of `input/data` are
        the channels. One that is there but malformed is a Refusal that names it.
        """
        base = base_dir(environ)
        config = base / "input/config"
        resources = _read_object(config / "resourceconfig.json")
        current_host = str(resources.get("current_host") or "algo-1")
        checkpoints = _read_object(config / "checkpointconfig.json").get("LocalPath") or f"{AWS_BASE}/checkpoints"
        return cls(
            base=base,
            job_name=environ.get("TRAINING_JOB_NAME", "local"),
            hyperparameters=_read_hyperparameters(config / "hyperparameters.json"),
            channels=_read_channels(base),
            checkpoint_dir=resolve_path(str(checkpoints), base),
            hosts=_read_hosts(config / "resourceconfig.json", resources, current_host),
            current_host=current_host,
            num_cpus=count_cpus(),
            num_gpus=count_gpus(environ),
            network_interface=str(resources.get("network_interface_name") or ""),
            sharded=_read_sharded(config / "inputdataconfig.json"),
        )

    @property
    def model_dir(self) -> Path:
        return self.base / "model"

    @property
    def output_dir(self) -> Path:
        return self.base / "output"

    @property
    def output_data_dir(self) -> Path:
        return self.base / "output/data"

    @cached_property
    def scratch_dir(self) -> Path:
        """A temporary folder outside everything that is synced or uploaded; removed when this process exits."""
        folder = Path(tempfile.mkdtemp(prefix="drydock-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def channel(self, name: str) -> Path:
        """The folder of a channel; a Refusal if the job has none of that name."""
        if name not in self.channels:
            known = ", ".join(self.channels) or "none"
            raise Refusal(
                f'channel "{name}" is missing (the job has: {known})',
                f'give the job an InputDataConfig entry with ChannelName "{name}"',
            )
        path = self.channels[name]
        if not path.is_dir():
            raise Refusal(
                f'channel "{name}" has no folder (looked in {path})',
                "check that the channel's S3Uri holds at least one object",
            )
        return path


def base_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that stands for `/opt/ml`."""
    return Path(environ.get("SAGEMAKER_BASE_DIR") or AWS_BASE).absolute()


def resolve_path(path: str, base: Path) -> Path:
    """Config files keep AWS's literal paths: `/opt/ml/x` means `x` below the base, others mean themselves."""
    if path == AWS_BASE or path.startswith(f"{AWS_BASE}/"):
        return base / path[len(AWS_BASE) :].strip("/")
    return base / path


def _read_hyperparameters(path: Path) -> dict[str, str]:
    decoded = {}
    for name, value in _read_object(path).items():
        if value is None or isinstance(value, (dict, list)):
            raise Refusal(
                f'hyperparameter "{name}" is {_json_kind(value)}, not a string ({path})',
                "SageMaker hyperparameters are a flat map of strings",
            )
        decoded[name] = decode(value) if isinstance(value, str) else json.dumps(value)
    return decoded


def _read_channels(base: Path) -> dict[str, Path]:
    data, path = base / "input/data", base / "input/config/inputdataconfig.json"
    if not path.is_file():
        folders = sorted(data.iterdir()) if data.is_dir() else []
        return {folder.name: folder for folder in folders if folder.is_dir() and not folder.name.startswith(".")}
    channels = {}
    for name, settings in _read_object(path).items():
        if not isinstance(settings, dict):
            raise Refusal(f'channel "{name}" is {_json_kind(settings)}, not an object ({path})')
        if settings.get("TrainingInputMode", "File") == "Pipe":
            raise Refusal(
                f'channel "{name}" is in Pipe mode, which this program cannot read ({path})',
                f'set the TrainingInputMode or InputMode of channel "{name}" to File or FastFile',
            )
        channels[name] = data / name
    return channels


def _read_sharded(path: Path) -> tuple[str, ...]:
    channels = _read_object(path).items()
    return tuple(name for name, settings in channels if settings.get("S3DistributionType") == "ShardedByS3Key")


def _read_hosts(path: Path, resources: Mapping[str, Any], current_host: str) -> tuple[str, ...]:
    hosts = resources.get("hosts", [current_host])
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise Refusal(f'"hosts" is not a list of names ({path})')
    if current_host not in hosts:
        raise Refusal(f'"current_host" is {current_host}, which is not one of "hosts" ({path})')
    return tuple(hosts)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, OSError) as error:
        raise Refusal(f"{path.name} cannot be read as JSON: {error} ({path})", _ONE_OBJECT) from error
    if not isinstance(content, dict):
        raise Refusal(f"{path.name} holds {_json_kind(content)}, not an object ({path})", _ONE_OBJECT)
    return content


def _json_kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return kinds.get(type(value), "a number")
