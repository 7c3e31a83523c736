"""Where training jobs run, as the cases of the contract see it: a program goes in, and what it left comes out."""

from __future__ import annotations

import io
import json
import re
import tarfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_EXIT_CODE = re.compile(r"(?:exit code|exited with code): (\d+)")


@dataclass(frozen=True)
class Ended:
    """A training job that has ended in any way."""

    name: str
    status: str
    """Completed, Failed or Stopped."""
    reason: str
    """FailureReason, or what stands for it; empty without one."""
    lines: list[str]
    """What the program said, in order, without a word of the platform's."""
    fetch: Callable[[str], dict[str, bytes]]
    """The files of ``model`` or ``output``.tar.gz by name."""

    @property
    def model(self) -> dict[str, bytes]:
        return self.fetch("model")

    @property
    def output(self) -> dict[str, bytes]:
        return self.fetch("output")

    @property
    def exit_code(self) -> int | None:
        """The exit code that the reason names."""
        found = _EXIT_CODE.search(self.reason)
        return int(found[1]) if found else None


@dataclass(frozen=True)
class Given:
    """What a program found when it started."""

    name: str
    tree: dict[str, str | None]
    """Path below /opt/ml → text of the file, None for a folder."""
    environment: dict[str, str]

    def config(self, name: str) -> Any:
        return json.loads(str(self.tree[f"input/config/{name}.json"]))


class Platform:
    """An implementation of the contract. Jobs have names of their own; nothing of one is left for the next."""

    name: str

    def store(self, key: str, body: bytes) -> str:
        """Put an object where jobs can read it; its s3:// address."""
        raise NotImplementedError

    def run(self, program: str, **members: Any) -> Ended:
        """Run a program of tests/programs to its end; ``members`` are CreateTrainingJob's."""
        raise NotImplementedError

    def inline(self, code: str, **members: Any) -> Ended:
        """Run some Python, in which BASE is /opt/ml."""
        return self.run("inline", HyperParameters={"code": code}, **members)

    def completed(self, code: str, **members: Any) -> list[str]:
        """The lines of some Python that must complete."""
        ended = self.inline(code, **members)
        assert ended.status == "Completed", (ended.reason, ended.lines)
        return ended.lines

    def given(self, **members: Any) -> Given:
        ended = self.run("dump", **members)
        assert ended.status == "Completed", (ended.reason, ended.lines)
        files = ended.model
        return Given(ended.name, json.loads(files["tree.json"]), json.loads(files["environment.json"]))


def new_name(program: str) -> str:
    """A name that no training job has."""
    return f"{program}-{uuid.uuid4().hex[:8]}"


def request(image: str, output: str, role: str, instance_type: str) -> dict[str, Any]:
    """The members of CreateTrainingJob that every job has, but its name; `output` is an s3:// address."""
    return {
        "RoleArn": role,
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": output},
        "ResourceConfig": {"InstanceType": instance_type, "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }


def channel(uri: str, name: str = "train", **more: Any) -> dict[str, Any]:
    """One entry of InputDataConfig."""
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}, **more}


def archive(s3: Any, output: str, job: str, which: str) -> dict[str, bytes]:
    """The files of a job's model.tar.gz or output.tar.gz by name."""
    bucket, _, prefix = output.removeprefix("s3://").partition("/")
    body = s3.get_object(Bucket=bucket, Key=f"{prefix}/{job}/output/{which}.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}
