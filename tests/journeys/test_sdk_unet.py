"""The SageMaker SDK trains the UNet: its ordinary Estimator, on the process backend and in the real image."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from local import environments
from local.installer import SetUpError
from tests.support import emulator as emulators
from tests.support import engine as engines
from tests.support.emulator import ROLE, ROOT
from tests.support.job import generated

BUCKET, IMAGE = "plates", "drydock/train-tf-cpu:unet"
CLIENT = Path(__file__).parent / "clients" / "sdk_v2.py"


@pytest.mark.tensorflow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", ["process", "docker"])
def test_the_estimator_trains_a_unet(
    backend: str, tensorflow: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if backend == "docker":
        engines.image(request.getfixturevalue("engine"), IMAGE)
    try:
        python = environments.ensure("sdk-v2")
    except SetUpError as error:
        pytest.skip(f"the environment sdk-v2 cannot be made here: {error.message}")
    plates = generated(tensorflow, tmp_path / "plates", "segmentation", 16)
    program = json.loads((ROOT / "entrypoints/programs.json").read_text())["programs"]["unet"]
    job = {
        "name": "unet-1", "image": f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{IMAGE}", "role": ROLE,
        "bucket": BUCKET, "channel": f"s3://{BUCKET}/train", "output": f"s3://{BUCKET}/out",
        "hyperparameters": {"epochs": 1, "img-size": 64, "mini_batch_size": 4},
        "metric_definitions": program["metric_definitions"],
    }  # fmt: skip
    running = emulators.start(tmp_path / "home", programs=(ROOT / "entrypoints",), backend=backend)
    try:
        s3 = running.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        for path in plates.rglob("*.*"):
            s3.put_object(Bucket=BUCKET, Key=f"train/{path.relative_to(plates)}", Body=path.read_bytes())
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_COLOR": "1", **running.environment}
        done = subprocess.run(
            [python, CLIENT], input=json.dumps(job), env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        described = running.client("sagemaker").describe_training_job(TrainingJobName="unet-1")
        archive = s3.get_object(Bucket=BUCKET, Key="out/unet-1/output/model.tar.gz")["Body"].read()
    finally:
        running.stop()
    with tarfile.open(fileobj=io.BytesIO(archive)) as model:
        assert sorted(model.getnames()) == ["metadata.json", "model.safetensors"]
    assert {"train:loss", "validation:dice", "validation:best_dice"} <= {
        metric["MetricName"] for metric in described["FinalMetricDataList"]
    }
