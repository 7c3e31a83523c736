"""The walk over botocore's shapes: every kind of constraint, in AWS's wording."""

import re
import sys
import unicodedata

import pytest
from botocore.model import Shape, StructureShape

from local import protocol, validation
from local.errors import SerializationException, ValidationException

ROLE = "arn:aws:iam::123456789012:role/r"
BASE = {"TrainingJobName": "job", "RoleArn": ROLE, "OutputDataConfig": {"S3OutputPath": "s3://bucket"}}


def shape() -> Shape:
    found = protocol.operation("CreateTrainingJob").input_shape
    assert found
    return found


def refusal(request: dict) -> str:
    with pytest.raises(ValidationException) as caught:
        validation.check_request(shape(), BASE | request)
    return caught.value.message


def test_a_request_that_the_model_allows_passes():
    validation.check_request(shape(), BASE)


def test_every_violation_is_listed_in_one_message():
    message = refusal({"TrainingJobName": "bad name", "ResourceConfig": {"InstanceCount": -1}})
    assert message == (
        "2 validation errors detected: Value 'bad name' at 'trainingJobName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}; "
        "Value '-1' at 'resourceConfig.instanceCount' failed to satisfy constraint: "
        "Member must have value greater than or equal to 0"
    )


def test_a_required_member_that_is_missing_reads_as_null():
    with pytest.raises(ValidationException) as caught:
        validation.check_request(shape(), {k: v for k, v in BASE.items() if k != "RoleArn"})
    assert caught.value.message == (
        "1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null"
    )


def test_an_enum_names_its_values():
    message = refusal({"OutputDataConfig": {"S3OutputPath": "s3://bucket", "CompressionType": "zip"}})
    assert message == (
        "1 validation error detected: Value 'zip' at 'outputDataConfig.compressionType' failed to satisfy "
        "constraint: Member must satisfy enum value set: [GZIP, NONE]"
    )


def test_lengths_of_strings_and_values_of_numbers_have_their_own_words():
    assert "at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20" in refusal(
        {"RoleArn": "arn:aws:iam::1"}
    )
    assert "Member must have value less than or equal to 30" in refusal({"RetryStrategy": {"MaximumRetryAttempts": 31}})


def test_an_element_of_a_list_is_named_by_its_position():
    message = refusal({"Tags": [{"Key": "a", "Value": "b"}, {"Key": "", "Value": "b"}]})
    assert "Value '' at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater" in message


def test_scalars_of_a_list_are_named_by_the_list_and_only_the_bad_ones_are_shown():
    message = refusal({"VpcConfig": {"SecurityGroupIds": ["sg-1", "sg_2"], "Subnets": ["s"]}})
    assert message == (
        "1 validation error detected: Value '[sg_2]' at 'vpcConfig.securityGroupIds' failed to satisfy constraint: "
        "Member must satisfy constraint: [Member must have length less than or equal to 32, Member must have length "
        "greater than or equal to 0, Member must satisfy regular expression pattern: [-0-9a-zA-Z]+]"
    )


def test_values_and_keys_of_a_map():
    message = refusal({"HyperParameters": {"good": "1", "note": "two\nlines"}, "Environment": {"1A": "x"}})
    assert (
        "Value '{note=two\nlines}' at 'hyperParameters' failed to satisfy constraint: Map value must satisfy" in message
    )
    assert (
        "Value '{1A=x}' at 'environment' failed to satisfy constraint: Map keys must satisfy constraint: [" in message
    )


def test_the_number_of_entries_of_a_map():
    message = refusal({"HyperParameters": {f"k{i}": "1" for i in range(101)}})
    assert (
        "at 'hyperParameters' failed to satisfy constraint: Member must have length less than or equal to 100"
        in message
    )


def test_a_long_value_is_cut_where_it_is_shown():
    message = refusal({"HyperParameters": {"a": "x" * 1_000_000}})
    assert len(message) < 1000


def test_an_unknown_member_is_refused_with_the_name_that_was_meant():
    assert "did you mean HyperParameters?" in refusal({"Hyperparameters": {}})
    assert "its members are: [" in refusal({"OutputDataConfig": {"S3OutputPath": "s3://bucket", "Zip": True}})


@pytest.mark.parametrize(
    ("member", "text"),
    [
        ({"TrainingJobName": 5}, "NUMBER_VALUE can not be converted to String at 'trainingJobName'"),
        ({"HyperParameters": {"a": 1}}, "NUMBER_VALUE can not be converted to String at 'hyperParameters.a.member'"),
        ({"EnableManagedSpotTraining": "true"}, "STRING_VALUE can not be converted to Boolean"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": True}}, "TRUE_VALUE can not be converted to Integer"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 2**31}}, "NUMBER_VALUE can not be converted to Integer"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 1.0}}, "NUMBER_VALUE can not be converted to Integer"),
        ({"Tags": {}}, "START_OBJECT can not be converted to List at 'tags'"),
        ({"ResourceConfig": []}, "START_ARRAY can not be converted to Structure at 'resourceConfig'"),
    ],
)
def test_a_wrong_type_is_a_serialization_error_that_says_where(member: dict, text: str):
    with pytest.raises(SerializationException, match=re.escape(text)):
        validation.check_request(shape(), BASE | member)


def test_classes_of_characters_are_javas():
    assert validation.compiled(r"\d+").fullmatch("٣") is None
    assert validation.compiled(r".*").fullmatch("two\nlines") is None


def test_the_pattern_of_tags_is_every_letter_separator_and_number_and_a_few_signs():
    pattern = validation.compiled(protocol.service_model().shape_for("TagKey").metadata["pattern"])
    wrong = [
        hex(point)
        for point in range(sys.maxunicode + 1)
        if (pattern.fullmatch(chr(point)) is not None)
        != (unicodedata.category(chr(point))[0] in "LZN" or chr(point) in "_.:/=+-@")
    ]
    assert wrong == []


def test_no_operation_that_is_answered_has_a_pattern_that_is_skipped():
    from local.api import service
    from local.api.actions import ACTIONS

    assert service.ANSWERED_BY
    skipped = {
        pattern
        for name in ACTIONS
        for pattern in patterns(protocol.operation(name).input_shape)
        if validation.compiled(pattern) is None
    }
    assert skipped == set()


def patterns(shape: Shape | None):
    if shape is None:
        return
    if "pattern" in shape.metadata:
        yield shape.metadata["pattern"]
    for inner in children(shape):
        yield from patterns(inner)


def children(shape: Shape) -> list[Shape]:
    if isinstance(shape, StructureShape):
        return list(shape.members.values())
    return [getattr(shape, name) for name in ("member", "key", "value") if hasattr(shape, name)]


def test_an_answer_that_does_not_conform_is_our_mistake_and_named():
    output = protocol.operation("DescribeTrainingJob").output_shape
    with pytest.raises(validation.NonConformingError, match=r"'trainingJobArn'.*must not be null"):
        validation.check_response(output, {"TrainingJobName": "job"})
    with pytest.raises(validation.NonConformingError, match="STRING_VALUE can not be converted to Timestamp"):
        validation.check_response(output, {"CreationTime": "yesterday"})
    with pytest.raises(validation.NonConformingError, match="Member is unknown"):
        validation.check_response(None, {"A": 1})
