"""What Drydock does with each member of CreateTrainingJob: one table, read by the API and by the docs.

A path stands for its whole subtree unless a longer path says otherwise; ``[]`` is any element of a
list. A member that the table does not cover is a mistake that a test finds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from local.jobs.job import DEFAULT_RUNTIME_S
from local.jobs.workdir import MOST_HOSTS
from local.validation import Violation, member_name


class Effect(Enum):
    """What happens to a member of a request."""

    EMULATED = "emulated"
    RECORDED = "recorded"  # kept and shown by Describe, without effect here; the job's log names it
    REFUSED = "refused"


@dataclass(frozen=True)
class Member:
    """How one member path is treated."""

    effect: Effect
    note: str
    only: Sequence[object] = ()
    """The values that are let through, all of them if empty; of a refused member, the harmless ones."""


_emulated, _recorded, _refused = Effect.EMULATED, Effect.RECORDED, Effect.REFUSED
_CHANNEL = "InputDataConfig[]"
_S3 = f"{_CHANNEL}.DataSource.S3DataSource"
_ONE_KIND = "all hosts of a job are alike; give InstanceType and InstanceCount"

CREATE_TRAINING_JOB: dict[str, Member] = {
    "TrainingJobName": Member(_emulated, "one name, one job, over all regions"),
    "HyperParameters": Member(_emulated, "hyperparameters.json"),
    "AlgorithmSpecification.TrainingImage": Member(_emulated, "names a program; see `drydock check`"),
    "AlgorithmSpecification.AlgorithmName": Member(_refused, "there are no algorithm resources; give TrainingImage"),
    "AlgorithmSpecification.TrainingInputMode": Member(_emulated, "File only", only=("File",)),
    "AlgorithmSpecification.MetricDefinitions": Member(_emulated, "log lines become CloudWatch and final metrics"),
    "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries": Member(_recorded, "metrics go to CloudWatch either way"),
    "AlgorithmSpecification.ContainerEntrypoint": Member(_refused, "a job runs its program's `train`"),
    "AlgorithmSpecification.ContainerArguments": Member(_refused, "a job runs its program's `train`"),
    "AlgorithmSpecification.TrainingImageConfig": Member(_recorded, "no image is pulled"),
    "RoleArn": Member(_recorded, "no permissions are checked"),
    f"{_CHANNEL}.ChannelName": Member(_emulated, "names the folder"),
    f"{_S3}.S3DataType": Member(_emulated, "S3Prefix and ManifestFile", only=("S3Prefix", "ManifestFile")),
    f"{_S3}.S3Uri": Member(_emulated, "copied before the program starts"),
    f"{_S3}.S3DataDistributionType": Member(_emulated, "ShardedByS3Key: each n-th object of the sorted list"),
    f"{_S3}.AttributeNames": Member(_refused, "for AugmentedManifestFile, which is not supported", only=([],)),
    f"{_S3}.InstanceGroupNames": Member(_refused, _ONE_KIND, only=([],)),
    f"{_S3}.ModelAccessConfig": Member(_refused, "there are no gated models"),
    f"{_S3}.HubAccessConfig": Member(_refused, "there is no model hub"),
    f"{_CHANNEL}.DataSource.FileSystemDataSource": Member(_refused, "no EFS or FSx; give S3DataSource"),
    f"{_CHANNEL}.DataSource.DatasetSource": Member(_refused, "there is no model hub; give S3DataSource"),
    f"{_CHANNEL}.ContentType": Member(_emulated, "inputdataconfig.json"),
    f"{_CHANNEL}.CompressionType": Member(_emulated, "None; Gzip belongs to Pipe mode", only=("None",)),
    f"{_CHANNEL}.RecordWrapperType": Member(_emulated, "None; RecordIO belongs to Pipe mode", only=("None",)),
    f"{_CHANNEL}.InputMode": Member(_emulated, "File only", only=("File",)),
    f"{_CHANNEL}.ShuffleConfig": Member(_recorded, "the order of files has no meaning in File mode"),
    "OutputDataConfig.KmsKeyId": Member(_recorded, "nothing is encrypted"),
    "OutputDataConfig.S3OutputPath": Member(_emulated, "model.tar.gz and output.tar.gz"),
    "OutputDataConfig.CompressionType": Member(_emulated, "GZIP only", only=("GZIP",)),
    "ResourceConfig.InstanceType": Member(_emulated, "told to the program; the job runs on this machine"),
    "ResourceConfig.InstanceCount": Member(
        _emulated, f"at most {MOST_HOSTS} hosts, which share this machine", only=range(1, MOST_HOSTS + 1)
    ),
    "ResourceConfig.VolumeSizeInGB": Member(_recorded, "the disk of this machine"),
    "ResourceConfig.VolumeKmsKeyId": Member(_recorded, "nothing is encrypted"),
    "ResourceConfig.KeepAlivePeriodInSeconds": Member(_recorded, "there is no instance to keep warm"),
    "ResourceConfig.InstanceGroups": Member(_refused, _ONE_KIND, only=([],)),
    "ResourceConfig.TrainingPlanArn": Member(_refused, "there is no capacity to reserve"),
    "ResourceConfig.InstancePlacementConfig": Member(_refused, "there are no UltraServers"),
    "ResourceConfig.InstancePreferences": Member(_refused, "there is one machine; give InstanceType"),
    "ResourceConfig.SelectedInstanceType": Member(_refused, "read-only in SageMaker"),
    "ResourceConfig.SelectedInstanceCount": Member(_refused, "read-only in SageMaker"),
    "VpcConfig": Member(_recorded, "there is no VPC"),
    "StoppingCondition.MaxRuntimeInSeconds": Member(_emulated, f"{DEFAULT_RUNTIME_S} if absent"),
    "StoppingCondition.MaxWaitTimeInSeconds": Member(_refused, "belongs to managed spot training"),
    "StoppingCondition.MaxPendingTimeInSeconds": Member(_recorded, "no job waits for capacity"),
    "Tags": Member(_emulated, "AddTags, ListTags, DeleteTags"),
    "EnableNetworkIsolation": Member(
        _emulated,
        "the program gets no address and no keys of the emulator; the docker backend takes the network away too, "
        "the process backend leaves it",
    ),
    "EnableInterContainerTrafficEncryption": Member(_recorded, "the hosts of a job share this machine"),
    "EnableManagedSpotTraining": Member(_refused, "interruptions are not emulated", only=(False,)),
    "CheckpointConfig.S3Uri": Member(_emulated, "restored before the job, synced during it"),
    "CheckpointConfig.LocalPath": Member(_emulated, "/opt/ml/checkpoints if absent"),
    "DebugHookConfig": Member(_recorded, "debughookconfig.json is written; nothing collects tensors"),
    "DebugRuleConfigurations": Member(_refused, "rules are not evaluated", only=([],)),
    "TensorBoardOutputConfig": Member(_recorded, "tensorboardoutputconfig.json is written; nothing is uploaded"),
    "ExperimentConfig": Member(_recorded, "there are no experiments"),
    "ProfilerConfig": Member(_recorded, "profilerconfig.json is written; nothing profiles"),
    "ProfilerRuleConfigurations": Member(_refused, "rules are not evaluated", only=([],)),
    "Environment": Member(_emulated, "the program's environment"),
    "RetryStrategy": Member(_recorded, "this machine has no internal server errors to retry"),
    "RemoteDebugConfig": Member(_recorded, "the program runs on this machine"),
    "InfraCheckConfig": Member(_recorded, "there is no instance to check"),
    "SessionChainingConfig": Member(_recorded, "no role is assumed"),
    "ServerlessJobConfig": Member(_refused, "there are no serverless jobs; give AlgorithmSpecification"),
    "MlflowConfig": Member(_refused, "there is no MLflow"),
    "ModelPackageConfig": Member(_refused, "there is no model registry"),
}


def member_at(path: str) -> Member | None:
    """How the table treats a path, or the nearest one above it; None if it says nothing."""
    while path:
        if path in CREATE_TRAINING_JOB:
            return CREATE_TRAINING_JOB[path]
        path = path.removesuffix("[]") if path.endswith("[]") else path.rpartition(".")[0]
    return None


def unsupported(request: dict[str, Any]) -> Iterator[Violation]:
    """What the request asks for and Drydock does not do, worded like the model's own constraints."""
    for path, spoken, value in _present(request):
        member = CREATE_TRAINING_JOB[path]
        if value in member.only or (not member.only and member.effect is not _refused):
            continue
        advice = f"use {_choices(member.only)}" if member.only else "leave it out"
        yield Violation(value, spoken, f"Member is not supported by Drydock ({member.note}); {advice}")


def recorded(request: dict[str, Any]) -> tuple[str, ...]:
    """The members of the request that have no effect here, in the table's spelling."""
    paths = [path for path, _, _ in _present(request) if CREATE_TRAINING_JOB[path].effect is _recorded]
    return tuple(dict.fromkeys(paths))


def _present(value: Any, path: str = "", spoken: str = "") -> Iterator[tuple[str, str, Any]]:
    """(table path, path as AWS spells it in messages, value) of each table entry that the request has."""
    if path in CREATE_TRAINING_JOB:
        yield path, spoken, value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _present(member, f"{path}.{name}".lstrip("."), f"{spoken}.{member_name(name)}".lstrip("."))
    elif isinstance(value, list):
        for position, member in enumerate(value, start=1):
            yield from _present(member, f"{path}[]", f"{spoken}.{position}.member")


def _choices(values: Sequence[object]) -> str:
    if isinstance(values, range):
        return f"{values[0]} to {values[-1]}"
    return " or ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in values)
