"""The AWS account that the caller's credentials open, and what Drydock's things are called in it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from local.cli import endpoint
from local.cli.refusal import FAILED, Refusal
from local.environments import CHECKOUT
from local.home import Home

MARK = {"Key": "made-by", "Value": "drydock"}
"""The tag on all that Drydock makes; without it nothing is changed or removed."""


@dataclass(frozen=True)
class Account:
    """An account and a region of it, as a place where jobs run."""

    flag: ClassVar[str] = " --aws"
    poll_s: ClassVar[float] = 2.0
    drain_s: ClassVar[float] = 3.0  # CloudWatch shows lines some seconds late

    session: Any
    """boto3.Session"""
    number: str
    partition: str
    """``aws``, ``aws-cn``, …"""
    region: str
    home: Home
    """Of this machine, for generated data and unpacked models."""
    programs: tuple[Path, ...]

    @property
    def bucket(self) -> str:
        return f"drydock-{self.number}-{self.region}"

    @property
    def role_name(self) -> str:
        return f"drydock-{self.region}"

    @property
    def role(self) -> str:
        return f"arn:{self.partition}:iam::{self.number}:role/{self.role_name}"

    def client(self, service: str, in_region: str = "") -> Any:
        """A boto3 client of one service, with the credentials and the endpoint that the environment names."""
        from botocore.config import Config

        patient = Config(retries={"mode": "standard", "max_attempts": 5}, max_pool_connections=16)
        return self.session.client(service, region_name=in_region or self.region, config=patient)

    def ensure_bucket(self) -> None:
        """Raises Refusal unless the bucket is there and this account's own."""
        from local.aws.bucket import Bucket
        from local.aws.resource import Standing

        if Bucket(self).look() is Standing.absent:
            raise Refusal(f"{self} has no bucket {self.bucket}", "make aws-setup", FAILED)

    def __str__(self) -> str:
        url = self.client("sagemaker").meta.endpoint_url
        elsewhere = "" if "amazonaws" in url else f" at {url}, which is not AWS"
        return f"account {self.number}, {self.region}{elsewhere}"


def connect() -> Account:
    """The account of the caller's credentials, which AWS has recognised; its programs are those of the emulator.

    Raises Refusal where no region is chosen.
    """
    import boto3

    make: Any = boto3.Session
    session = make(region_name=os.environ.get("AWS_REGION"))
    if not session.region_name:
        raise Refusal("no AWS region is chosen", "export AWS_REGION=eu-west-1, or another")
    caller = session.client("sts", region_name=session.region_name).get_caller_identity()
    home = Home.default()
    running = endpoint.find(home)
    return Account(
        session,
        number=caller["Account"],
        partition=caller["Arn"].split(":")[1],
        region=session.region_name,
        home=home,
        programs=running.programs if running else (CHECKOUT / "entrypoints",),
    )
