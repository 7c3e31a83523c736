"""Tags in S3's two forms: the ``TagSet`` of a document and the query string of a header."""

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from local.s3.errors import S3Error

_KEY_CHARACTERS = 128
_VALUE_CHARACTERS = 256


def tags_from_set(tag_set: Iterable[Mapping[str, str]], limit: int) -> dict[str, str]:
    """``[{"Key": …, "Value": …}]`` as a mapping; S3Error InvalidTag, or BadRequest for more than ``limit``."""
    return _checked([(tag["Key"], tag["Value"]) for tag in tag_set], limit)


def tags_from_header(text: str, limit: int) -> dict[str, str]:
    """``a=1&b=2`` as a mapping; S3Error as above."""
    return _checked(parse_qsl(text, keep_blank_values=True), limit)


def tag_set(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _checked(pairs: list[tuple[str, str]], limit: int) -> dict[str, str]:
    if len(pairs) > limit:
        raise S3Error("BadRequest", f"Object tags cannot be greater than {limit}")
    tags = dict(pairs)
    if len(tags) < len(pairs):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key")
    for key, value in tags.items():
        if not 1 <= len(key) <= _KEY_CHARACTERS:
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(value) > _VALUE_CHARACTERS:
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid", TagKey=key)
        if key.startswith("aws:"):
            raise S3Error("InvalidTag", "System tags cannot be added/updated by requester", TagKey=key)
    return tags
