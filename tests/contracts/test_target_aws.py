"""``--target aws`` runs the same cases through the caller's own settings; here those lead to an emulator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.emulator import ROLE, ROOT
from tests.support.jobs import Cloud
from tests.support.scripts import require

SOME = "0_has_completed or one_object or failure_file or stopped_once or in_cloudwatch_in_order or survives"


def suite_in_aws(folder: Path, some: str = SOME, **environ: str) -> str:
    """The output of some cases with `--target aws`; they must not fail."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "DRYDOCK_"))}
    nobodys = {"HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/contracts",
        "--target",
        "aws",
        "-k",
        some,
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        command, cwd=ROOT, env=inherited | nobodys | environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_without_credentials_every_case_is_skipped_and_says_why(tmp_path: Path) -> None:
    output = suite_in_aws(tmp_path)
    assert "no AWS credentials and region here: set AWS_PROFILE" in output
    assert " passed" not in output


def test_without_a_bucket_the_variables_are_named(tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}
    output = suite_in_aws(tmp_path, **keys, AWS_DEFAULT_REGION="eu-west-1")
    assert "DRYDOCK_AWS_BUCKET, DRYDOCK_AWS_ROLE, DRYDOCK_AWS_IMAGES must be set for --target aws" in output


def test_the_cases_run_on_what_the_callers_settings_name(process_jobs: Cloud, tmp_path: Path) -> None:
    output = suite_in_aws(tmp_path, **settings(process_jobs))
    assert "5 passed" in output
    keys = process_jobs.client("s3").list_objects_v2(Bucket=process_jobs.bucket, Prefix="contract-suite/out/")
    assert keys["KeyCount"] > 0


def test_those_of_scripts_do_too(process_jobs: Cloud, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    require("process", request)
    assert "1 passed" in suite_in_aws(tmp_path, "gets_its_arguments", **settings(process_jobs))


def settings(account: Cloud) -> dict[str, str]:
    """What leads the suite to an emulator as to an account."""
    return account.emulator.environment | {
        "DRYDOCK_AWS_BUCKET": account.bucket,
        "DRYDOCK_AWS_ROLE": ROLE,
        "DRYDOCK_AWS_IMAGES": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/drydock/train-cpu",
        "DRYDOCK_AWS_SETTLE_S": "0",
    }
