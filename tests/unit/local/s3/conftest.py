"""A server of our S3 for each test file, a boto3 client of it, and a bucket for each test."""

import hashlib

import boto3
import pytest
from botocore.exceptions import ClientError

from local.s3.alone import serving


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("s3")


@pytest.fixture(scope="module")
def url(root):
    with serving(root) as url:
        yield url


@pytest.fixture(scope="module")
def client(url):
    """Makes a client; keyword arguments go to boto3."""

    def make(**arguments):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client("s3", **{"endpoint_url": url, "region_name": "us-east-1", **keys, **arguments})

    return make


@pytest.fixture(scope="module")
def s3(client):
    return client()


@pytest.fixture
def bucket(s3, request):
    name = "b" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:20]
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def refused():
    """Checks that a call is refused with a code; gives the reply."""

    def check(code, call, **arguments):
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        assert caught.value.response["Error"]["Code"] == code
        return caught.value.response

    return check


@pytest.fixture
def blobs(root):
    """The names of all files with bytes of objects, finished or not."""
    return lambda: {
        path.name for folder in ("incoming", "objects") for path in (root / folder).rglob("*") if path.is_file()
    }
