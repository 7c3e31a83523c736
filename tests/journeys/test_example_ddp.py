"""examples/ddp as a person runs it: plain boto3 against an emulator, two hosts as processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.emulator import ROOT, Emulator
from tests.support.scripts import require


@pytest.mark.timeout(600)
def test_the_example_trains_on_two_hosts(emulator: Emulator, request: pytest.FixtureRequest) -> None:
    require("process", request)
    region = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1")
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "ddp" / "launch.py"],
        env=os.environ | emulator.environment | region,
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    status, metric = done.stdout.splitlines()
    assert status == "Completed s3://factory-line-8/models/ddp-1/output/model.tar.gz"
    assert metric.split()[0] == "train:loss"
