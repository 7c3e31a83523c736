"""The caller's AWS account as an implementation of the contract: real jobs, which take minutes and cost money.

Four variables say where: DRYDOCK_AWS_BUCKET (its ``contract-suite/`` is written to), DRYDOCK_AWS_ROLE (an ARN that
SageMaker may take on, with access to the bucket), DRYDOCK_AWS_IMAGES (a repository that holds what
``python -m tests.contracts.images`` builds) and, if not ml.m5.large, DRYDOCK_AWS_INSTANCE_TYPE. CloudWatch is given
DRYDOCK_AWS_SETTLE_S seconds (15) without a new line before a log counts as whole.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.jobs import Jobs

NEEDED = ("DRYDOCK_AWS_BUCKET", "DRYDOCK_AWS_ROLE", "DRYDOCK_AWS_IMAGES")


@dataclass(frozen=True, kw_only=True)
class Aws(Jobs):
    """SageMaker, S3 and CloudWatch as boto3 finds them by the caller's own settings."""

    bucket: str
    role: str
    images: str
    instance_type: str
    settle_s: float
    prefix: str = "contract-suite/"
    patience_s: float = 1800
    longest_pause_s: float = 10

    def client(self, service: str) -> Any:
        return boto3.client(service)

    def image(self, program: str) -> str:
        return f"{self.images}:{program}"

    @property
    def script_image(self) -> str:
        return self.image("script")

    def log(self, name: str) -> list[str]:
        """The log, once CloudWatch has had time for all of it."""
        lines = super().log(name)
        quiet_since = time.monotonic()
        while time.monotonic() < quiet_since + self.settle_s:
            time.sleep(1)
            newer = super().log(name)
            if newer != lines:
                lines, quiet_since = newer, time.monotonic()
        return lines


def account() -> Aws:
    """The account that the environment names; skips with what is missing."""
    session = boto3.Session()
    if session.get_credentials() is None or session.region_name is None:
        pytest.skip("no AWS credentials and region here: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and the like")
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        pytest.skip(f"{', '.join(missing)} must be set for --target aws; CONTRIBUTING.md says to what")
    try:
        session.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        pytest.skip(f"the AWS credentials here are not accepted: {error}")
    return Aws(
        bucket=os.environ["DRYDOCK_AWS_BUCKET"],
        role=os.environ["DRYDOCK_AWS_ROLE"],
        images=os.environ["DRYDOCK_AWS_IMAGES"],
        instance_type=os.environ.get("DRYDOCK_AWS_INSTANCE_TYPE", "ml.m5.large"),
        settle_s=float(os.environ.get("DRYDOCK_AWS_SETTLE_S", "15")),
    )
