"""An AWS account that moto stands in for, S3 and all: what the environment of a command needs to reach it."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

from local.cli.shell import variables
from local.neighbours import Neighbours

NUMBER = "123456789012"
"""moto's, unless credentials of another one's role are used."""


@dataclass(frozen=True)
class Moto:
    url: str
    region: str

    @property
    def environ(self) -> dict[str, str]:
        return variables(self.url, {"AWS_REGION": self.region})

    def client(self, service: str, **credentials: str) -> Any:
        ours = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=self.url, region_name=self.region, **ours | credentials)

    def client_of(self, account: str, service: str) -> Any:
        """The same service, as another account uses it."""
        role = f"arn:aws:iam::{account}:role/somebody"
        keys = self.client("sts").assume_role(RoleArn=role, RoleSessionName="somebody")["Credentials"]
        return self.client(
            service,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )


@contextmanager
def running() -> Iterator[str]:
    """Its address; seconds pass before it answers, so one serves the tests of a module."""
    neighbours = Neighbours()
    yield neighbours.start()
    neighbours.stop()


def emptied(url: str, region: str) -> Moto:
    """The account there, with nothing in it."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST")).close()
    return Moto(url, region)
