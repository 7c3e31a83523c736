"""Script mode through the SageMaker SDK, unmodified, against an emulator of either backend."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import environments
from local.installer import SetUpError
from tests.support import emulator as emulators
from tests.support.emulator import PROGRAMS, ROLE, Emulator
from tests.support.scripts import IMAGE, require

BUCKET = "scripts"
CLIENT = Path(__file__).parent / "clients" / "sdk_v2_pytorch.py"


@pytest.fixture(params=[pytest.param("process", marks=pytest.mark.slow), "docker"])
def with_scripts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Emulator]:
    require(request.param, request)
    running = emulators.start(tmp_path / "home", backend=request.param)
    fill(running)
    yield running
    running.stop()


def fill(emulator: Emulator) -> None:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=BUCKET, Key="train/numbers.txt", Body=b"1 3 5 7")


@pytest.mark.timeout(900)
def test_the_pytorch_estimator_trains_a_script_with_a_debugger_hook(with_scripts: Emulator, tmp_path: Path) -> None:
    try:
        python = environments.ensure("sdk-v2")
    except SetUpError as error:
        pytest.skip(f"the environment sdk-v2 cannot be made here: {error.message}")
    job: dict[str, Any] = {
        "name": "hpo-1", "bucket": BUCKET, "role": ROLE, "channel": f"s3://{BUCKET}/train",
        "source": str(PROGRAMS / "hpo"),
    }  # fmt: skip
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_COLOR": "1", **with_scripts.environment}
    done = subprocess.run(
        [python, CLIENT], input=json.dumps(job), env=environ, capture_output=True, text=True, timeout=800, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    losses = [float(value) for value in re.findall(r"epoch \d of 2: loss=([0-9.]+)", done.stdout)]
    assert len(losses) == 2
    assert losses[1] != losses[0]
    assert re.search(r"hook saves to (/opt/ml|.*/hpo-1/algo-1)/output/tensors", done.stdout)
    assert f"{IMAGE} (" in done.stdout  # the log says what stands for AWS's image
    archive = with_scripts.client("s3").get_object(Bucket=BUCKET, Key="hpo-1/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(archive)) as model:
        assert "model.pth" in [Path(name).name for name in model.getnames()]


def test_where_nothing_is_compiled_scripts_are_refused_with_what_mends_it(tmp_path: Path) -> None:
    running = emulators.start(tmp_path / "home", CC="no-such-compiler", DRYDOCK_VENVS=str(tmp_path / "venvs"))
    try:
        fill(running)
        with pytest.raises(ClientError) as refused:
            running.client("sagemaker").create_training_job(
                TrainingJobName="hpo-2",
                RoleArn=ROLE,
                AlgorithmSpecification={"TrainingImage": "drydock/train-cpu:hello", "TrainingInputMode": "File"},
                HyperParameters={"sagemaker_program": '"hpo.py"'},
                OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/out"},
                ResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
                StoppingCondition={"MaxRuntimeInSeconds": 60},
            )
    finally:
        running.stop()
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    message = refused.value.response["Error"]["Message"]
    assert "sagemaker_program" in message
    assert "apt install gcc python3-dev" in message
    assert "drydock up --backend docker" in message
