"""Seventeen hundred CreateTrainingJob requests made from botocore's model, against a real server.

Three hundred are valid: each is accepted and is a job of a one-line program. The others have one fault each; between
them they break every constraint of every member, leave out every required member, have a wrong type, an
unknown member and a null wherever one can be, and ask for whatever Drydock does not do. Each is refused in AWS's
form, names the member at fault and changes nothing. DRYDOCK_FUZZ_SEED picks other requests.
"""

import http.client
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from local import protocol, validation
from local.home import Home
from tests.contracts.generated_requests import BUCKET, SHAPE, Fault, Generator, below, mismatches
from tests.support import emulator as emulators
from tests.support.emulator import Emulator

SEED = int(os.environ.get("DRYDOCK_FUZZ_SEED", "0"))
VALID, FAULTY = 300, 1400
LEFT_TO_RUN = 10
"""Every so many valid jobs run to their end; the others are stopped."""

SIGNED = {
    "X-Amz-Target": "SageMaker.CreateTrainingJob",
    "Content-Type": protocol.CONTENT_TYPE,
    "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/sagemaker/aws4_request",
}


class Endpoint:
    """The server under test: its wire, and what it has on disk."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.home = Home(emulator.home)
        self.connection = http.client.HTTPConnection(emulator.url.removeprefix("http://"))
        self.database = sqlite3.connect(f"file:{self.home.state_db}?mode=ro", uri=True)

    def post(self, body: bytes) -> tuple[int, Any, dict[str, Any]]:
        """(status, headers, decoded body) of one CreateTrainingJob."""
        self.connection.request("POST", "/", body, SIGNED)
        response = self.connection.getresponse()
        return response.status, response.headers, json.loads(response.read())

    def state(self) -> tuple[Any, ...]:
        """Changes with every commit to the records and with every folder of a job."""
        (version,) = self.database.execute("PRAGMA data_version").fetchone()
        return version, sorted(path.name for path in self.home.training_jobs.iterdir())

    def public_state(self) -> tuple[list[Any], list[Any]]:
        """Every job and every object, as clients see them."""
        jobs, objects = self.emulator.client("sagemaker"), self.emulator.client("s3")
        sized = {"PaginationConfig": {"PageSize": 100}}
        listed = jobs.get_paginator("list_training_jobs").paginate(**sized)
        stored = objects.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return (
            [job for page in listed for job in page["TrainingJobSummaries"]],
            [object_ for page in stored for object_ in page.get("Contents", [])],
        )

    def close(self) -> None:
        self.database.close()
        self.connection.close()


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    emulator = emulators.start(tmp_path / "home", DRYDOCK_STOP_GRACE_SECONDS="1")
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": emulators.REGION})
    s3.put_object(Bucket=BUCKET, Key="data/a.txt", Body=b"a")
    s3.put_object(Bucket=BUCKET, Key="a.manifest", Body=f'[{{"prefix": "s3://{BUCKET}/data/"}}, "a.txt"]'.encode())
    endpoint = Endpoint(emulator)
    yield endpoint
    endpoint.close()
    emulator.stop()


def faulty_requests(generator: Generator) -> list[Fault]:
    """Every fault at least once, again with other values around it until there are enough."""
    found: list[Fault] = []
    while len(found) < FAULTY:
        found += [*generator.faults(SHAPE), *generator.unsupported(SHAPE)]
    return found


def check_refusal(fault: Fault, status: int, headers: Any, reply: dict[str, Any]) -> None:
    assert status == 400, (fault, reply)
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    assert headers["x-amzn-RequestId"]
    assert set(reply) == {"__type", "message"}
    assert reply["__type"] == fault.code, (fault, reply)
    assert "Traceback" not in reply["message"]
    named = set(re.findall(r" at '([^']*)' failed to satisfy constraint: ", reply["message"]))
    if fault.code == "SerializationException":
        assert not fault.path or f"at '{fault.path}'" in reply["message"], (fault, reply)
    else:
        assert named == {fault.path}, (fault, reply)
        assert re.match(r"\d+ validation errors? detected: Value ", reply["message"]), (fault, reply)


def test_every_valid_request_is_accepted_and_every_faulty_one_refused(endpoint: Endpoint):
    generator = Generator(SEED)
    create_valid_jobs(endpoint, generator)
    public, state = endpoint.public_state(), endpoint.state()
    assert len(public[0]) == VALID
    for fault in faulty_requests(generator):
        check_refusal(fault, *endpoint.post(json.dumps(fault.request).encode()))
        assert endpoint.state() == state, fault
    assert endpoint.public_state() == public
    assert "Traceback" not in (endpoint.emulator.home / "server.log").read_text()


def create_valid_jobs(endpoint: Endpoint, generator: Generator) -> None:
    """Have every request accepted; return when all jobs have ended, the ones left to run as Completed."""
    sagemaker = endpoint.emulator.client("sagemaker")
    names = []
    for number in range(VALID):
        request = generator.value(SHAPE, "")
        status, _, reply = endpoint.post(json.dumps(request).encode())
        assert status == 200, (request, reply)
        names.append(request["TrainingJobName"])
        assert reply == {"TrainingJobArn": f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{names[-1]}"}
        if number % LEFT_TO_RUN:
            stop(sagemaker, names[-1])
    waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
    for number, name in enumerate(names):
        waiter.wait(TrainingJobName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
        status = sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"]
        assert status in ({"Completed"} if number % LEFT_TO_RUN == 0 else {"Completed", "Stopped"}), name


def stop(sagemaker: Any, name: str) -> None:
    """Stop a job, which may have ended by itself."""
    try:
        sagemaker.stop_training_job(TrainingJobName=name)
    except sagemaker.exceptions.ClientError as error:
        if "The request was rejected because the training job is in status" not in str(error):
            raise


def test_every_constraint_of_every_member_is_among_the_faults():
    kinds = {(fault.path, fault.kind) for fault in Generator(SEED).faults(SHAPE)}
    missing = [(spoken, kind) for spoken, kind in constraints(SHAPE, "") if (spoken, kind) not in kinds]
    assert missing == []


def constraints(shape: Shape, spoken: str) -> Iterator[tuple[str, str]]:
    """(path as faults name it, kind) of every constraint that a value can break."""
    yield spoken, "type"
    limits = shape.metadata
    if shape.type_name == "string" and "pattern" in limits and not mismatches(limits):
        limits = {name: limit for name, limit in limits.items() if name != "pattern"}
    breakable = {"min", "max", "pattern", "enum"} - ({"min"} if limits.get("min") == 0 and sized(shape) else set())
    yield from ((spoken, kind) for kind in breakable & limits.keys())
    if isinstance(shape, StructureShape):
        yield below(spoken, "Surprise"), "unknown"
        yield from ((below(spoken, validation.member_name(name)), "required") for name in shape.required_members)
        for name, member in shape.members.items():
            yield from constraints(member, below(spoken, validation.member_name(name)))
    elif isinstance(shape, ListShape | MapShape):
        step = "1" if isinstance(shape, ListShape) else "k"
        inner = shape.member if isinstance(shape, ListShape) else shape.value
        nested = isinstance(inner, StructureShape)
        for at, kind in constraints(inner, f"{spoken}.{step}.member"):
            yield at if nested or kind == "type" else spoken, kind


def sized(shape: Shape) -> bool:
    return shape.type_name in ("string", "list", "map")


def test_patterns_that_nothing_can_break_are_those_that_match_everything():
    generator = Generator(SEED)
    unbroken = {
        shape.metadata["pattern"]
        for shape in all_shapes(SHAPE)
        if shape.type_name == "string" and "pattern" in shape.metadata and not mismatches(shape.metadata)
    }
    assert unbroken == {r"[\S\s]*"}
    assert generator.count == 0


def all_shapes(shape: Shape) -> Iterator[Shape]:
    yield shape
    inner: list[Shape] = list(shape.members.values()) if isinstance(shape, StructureShape) else []
    inner += [getattr(shape, name) for name in ("member", "key", "value") if hasattr(shape, name)]
    for child in inner:
        yield from all_shapes(child)
