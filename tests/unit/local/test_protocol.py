"""AWS JSON 1.1: bodies in, bodies out."""

import json
from datetime import UTC, datetime

import pytest

from local import protocol
from local.errors import SerializationException, UnknownOperation, ValidationException

SHAPE = protocol.operation("CreateTrainingJob").input_shape


def test_an_empty_body_is_an_empty_request():
    assert protocol.parse(SHAPE, b"") == {}


def test_null_members_count_as_absent_at_every_depth():
    body = {"TrainingJobName": "job", "Tags": None, "OutputDataConfig": {"S3OutputPath": "s3://b", "KmsKeyId": None}}
    assert protocol.parse(SHAPE, json.dumps(body).encode()) == {
        "TrainingJobName": "job",
        "OutputDataConfig": {"S3OutputPath": "s3://b"},
    }


def test_null_values_of_maps_and_lists_are_left_for_validation():
    assert protocol.parse(SHAPE, b'{"HyperParameters": {"a": null}, "Tags": [null]}') == {
        "HyperParameters": {"a": None},
        "Tags": [None],
    }


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\\ud800"}',
        b"[" * 100_000,
        b'{"a": ' + b"1" * 5000 + b"}",
    ],
    ids=lambda body: body[:20].decode(errors="replace"),
)
def test_what_is_not_a_json_object_is_a_serialization_error(body: bytes):
    with pytest.raises(SerializationException):
        protocol.parse(SHAPE, body)


def test_an_operation_that_sagemaker_does_not_have():
    with pytest.raises(UnknownOperation, match="'CreateCoffee'"):
        protocol.operation("CreateCoffee")


def test_times_are_epoch_seconds_with_milliseconds():
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    assert protocol.wire({"a": [moment], "b": (1, "x")}) == {"a": [1767323045.679], "b": [1, "x"]}


def test_errors_carry_code_and_message():
    assert json.loads(protocol.serialise_error(ValidationException("no"))) == {
        "__type": "ValidationException",
        "message": "no",
    }
