"""A training job as a value: one enum of states, one table of legal moves, and the shapes that clients see.

A job never changes in place: ``move`` and ``say`` return the next job, so that whoever keeps it can
write it to disk before anybody sees it. Times are epoch seconds.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from local.jobs.s3uri import join

FAILURE_REASON_LIMIT = 1024  # characters
DEFAULT_RUNTIME_S = 86_400


class Secondary(StrEnum):
    """SageMaker's SecondaryStatus, as far as jobs of this emulator reach it."""

    STARTING = "Starting"
    PENDING = "Pending"
    DOWNLOADING = "Downloading"
    TRAINING = "Training"
    UPLOADING = "Uploading"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    MAX_RUNTIME_EXCEEDED = "MaxRuntimeExceeded"
    COMPLETED = "Completed"
    FAILED = "Failed"


_S = Secondary

MOVES: dict[Secondary, frozenset[Secondary]] = {
    _S.STARTING: frozenset({_S.PENDING, _S.DOWNLOADING, _S.STOPPING, _S.FAILED}),
    _S.PENDING: frozenset({_S.STARTING, _S.STOPPING, _S.FAILED}),
    _S.DOWNLOADING: frozenset({_S.TRAINING, _S.STOPPING, _S.FAILED}),
    _S.TRAINING: frozenset({_S.UPLOADING, _S.STOPPING, _S.FAILED}),
    _S.UPLOADING: frozenset({_S.COMPLETED, _S.STOPPING, _S.STOPPED, _S.MAX_RUNTIME_EXCEEDED, _S.FAILED}),
    _S.STOPPING: frozenset({_S.UPLOADING, _S.STOPPED, _S.MAX_RUNTIME_EXCEEDED, _S.FAILED}),
    _S.STOPPED: frozenset(),
    _S.MAX_RUNTIME_EXCEEDED: frozenset(),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
}

_PRIMARY = {
    _S.STOPPING: "Stopping",
    _S.STOPPED: "Stopped",
    _S.MAX_RUNTIME_EXCEEDED: "Stopped",
    _S.COMPLETED: "Completed",
    _S.FAILED: "Failed",
}

_MESSAGES = {
    _S.STARTING: "Starting the training job",
    _S.PENDING: "Waiting for a free place",
    _S.DOWNLOADING: "Downloading input data",
    _S.TRAINING: "Training image download completed. Training in progress.",
    _S.UPLOADING: "Uploading generated training model",
    _S.STOPPING: "Stopping the training job",
    _S.STOPPED: "Training job stopped",
    _S.MAX_RUNTIME_EXCEEDED: "Training job runtime exceeded MaxRuntimeInSeconds provided",
    _S.COMPLETED: "Training job completed",
    _S.FAILED: "Training job failed",
}

# Members of CreateTrainingJob that DescribeTrainingJob gives back as they were.
_ECHOED = (
    "HyperParameters", "AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig",
    "ResourceConfig", "VpcConfig", "StoppingCondition", "CheckpointConfig", "DebugHookConfig",
    "ExperimentConfig", "DebugRuleConfigurations", "TensorBoardOutputConfig", "ProfilerConfig",
    "ProfilerRuleConfigurations", "Environment", "RetryStrategy", "RemoteDebugConfig", "InfraCheckConfig",
    "ServerlessJobConfig", "MlflowConfig", "ModelPackageConfig",
)  # fmt: skip
_ECHOED_FLAGS = ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining")


class IllegalMoveError(Exception):
    """A move that the table does not allow: a mistake in the emulator, never in a request."""


class JobError(Exception):
    """Why a job fails, worded as its FailureReason."""


@dataclass(frozen=True)
class Transition:
    """One entry of SecondaryStatusTransitions."""

    status: Secondary
    start: float
    message: str
    end: float | None = None


@dataclass(frozen=True)
class FinalMetric:
    """One entry of FinalMetricDataList."""

    name: str
    value: float
    timestamp: float


@dataclass(frozen=True)
class TrainingJob:
    """One training job at one moment; ``TrainingJob(request, arn, recorded)`` is one that was just asked for.

    ``request`` is a validated CreateTrainingJob; ``recorded`` names its members that have no effect here.
    """

    request: Mapping[str, Any]
    arn: str
    recorded: Sequence[str] = ()
    created: float = field(default_factory=time.time)
    modified: float = 0.0
    transitions: tuple[Transition, ...] = ()
    status: str = "InProgress"
    started: float | None = None
    ended: float | None = None
    failure_reason: str | None = None
    final_metrics: tuple[FinalMetric, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "recorded", tuple(self.recorded))
        if not self.transitions:
            first = Transition(Secondary.STARTING, self.created, _MESSAGES[Secondary.STARTING])
            object.__setattr__(self, "transitions", (first,))
            object.__setattr__(self, "modified", self.created)

    @property
    def name(self) -> str:
        return str(self.request["TrainingJobName"])

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    @property
    def secondary_status(self) -> Secondary:
        return self.transitions[-1].status

    @property
    def terminal(self) -> bool:
        return not MOVES[self.secondary_status]

    @property
    def output_uri(self) -> str:
        """``S3OutputPath/<job>/output``: what the job leaves in S3 lies below it."""
        return join(self.request["OutputDataConfig"]["S3OutputPath"], self.name, "output")

    @property
    def model_artifacts(self) -> str:
        return join(self.output_uri, "model.tar.gz")

    @property
    def max_runtime_s(self) -> int:
        return int(self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_RUNTIME_S))

    def move(
        self,
        to: Secondary,
        message: str | None = None,
        *,
        failure_reason: str | None = None,
        final_metrics: tuple[FinalMetric, ...] | None = None,
        now: float | None = None,
    ) -> "TrainingJob":
        """The job in its next state; IllegalMoveError if the table has no such move."""
        here = self.transitions[-1]
        if to not in MOVES[here.status]:
            raise IllegalMoveError(f"{self.name}: {here.status} -> {to}")
        moment = max(here.start, time.time() if now is None else now)
        over = not MOVES[to]
        entered = Transition(to, moment, message or _MESSAGES[to], end=moment if over else None)
        still_stopping = self.status == "Stopping" and not over
        return replace(
            self,
            modified=moment,
            transitions=(*self.transitions[:-1], replace(here, end=moment), entered),
            status="Stopping" if still_stopping else _PRIMARY.get(to, "InProgress"),
            started=moment if to is Secondary.DOWNLOADING else self.started,
            ended=moment if over and self.started is not None else self.ended,
            failure_reason=failure_reason[:FAILURE_REASON_LIMIT] if failure_reason else self.failure_reason,
            final_metrics=self.final_metrics if final_metrics is None else final_metrics,
        )

    def say(self, message: str) -> "TrainingJob":
        """The job with another message for the state it is in."""
        *before, here = self.transitions
        return replace(self, modified=time.time(), transitions=(*before, replace(here, message=message)))

    def to_record(self) -> dict[str, Any]:
        """JSON for the store; ``from_record`` reads it."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "TrainingJob":
        transitions = tuple(Transition(**{**t, "status": Secondary(t["status"])}) for t in record["transitions"])
        metrics = tuple(FinalMetric(**metric) for metric in record["final_metrics"])
        return cls(**{**record, "transitions": transitions, "final_metrics": metrics})

    def describe(self) -> dict[str, Any]:
        """DescribeTrainingJobResponse; times are epoch seconds."""
        response: dict[str, Any] = {
            **self.summary(),
            "ModelArtifacts": {"S3ModelArtifacts": self.model_artifacts},
            "StoppingCondition": {"MaxRuntimeInSeconds": self.max_runtime_s},
            **{member: self.request[member] for member in _ECHOED if member in self.request},
            **{flag: self.request.get(flag, False) for flag in _ECHOED_FLAGS},
            "SecondaryStatusTransitions": [_transition(t) for t in self.transitions],
        }
        if self.started is not None:
            response["TrainingStartTime"] = self.started
        if self.started is not None and self.ended is not None:
            seconds = max(1, math.ceil(self.ended - self.started))
            response |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
        if self.failure_reason:
            response["FailureReason"] = self.failure_reason
        if self.final_metrics:
            response["FinalMetricDataList"] = [
                {"MetricName": m.name, "Value": m.value, "Timestamp": m.timestamp} for m in self.final_metrics
            ]
        return response

    def summary(self) -> dict[str, Any]:
        """TrainingJobSummary, an entry of ListTrainingJobs."""
        response: dict[str, Any] = {
            "TrainingJobName": self.name,
            "TrainingJobArn": self.arn,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": str(self.secondary_status),
        }
        if self.ended is not None:
            response["TrainingEndTime"] = self.ended
        return response


def _transition(transition: Transition) -> dict[str, Any]:
    shown = {"Status": str(transition.status), "StartTime": transition.start, "StatusMessage": transition.message}
    return shown if transition.end is None else {**shown, "EndTime": transition.end}
