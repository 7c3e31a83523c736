"""Reads and joins ``s3://bucket/key`` addresses."""

from local.errors import ValidationException


def parse(uri: str) -> tuple[str, str]:
    """(bucket, key) of an address; the key may be empty. ValidationException for anything else."""
    scheme, separator, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not separator or not bucket:
        raise ValidationException(f'The S3 URI "{uri}" is not supported: write it as s3://bucket/key.')
    return bucket, key


def join(uri: str, *parts: str) -> str:
    """The address with parts appended, one slash between each two."""
    return "/".join([uri.rstrip("/"), *parts])
