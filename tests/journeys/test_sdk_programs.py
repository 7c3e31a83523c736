"""The SageMaker SDK trains programs by its ordinary Estimator, on the process backend and in the real images."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from local import environments
from local.installer import SetUpError
from tests.support import emulator as emulators
from tests.support import engine as engines
from tests.support.emulator import ROLE, ROOT
from tests.support.job import generated

BUCKET = "photographs"
CLIENT = Path(__file__).parent / "clients" / "sdk_v2.py"


@dataclass(frozen=True)
class Trained:
    image: str
    environment: str
    kind: str
    """Of generated samples."""
    images: int
    metrics: frozenset[str]


TRAINED = {
    "unet": Trained("train-tf-cpu:unet", "tensorflow", "segmentation", 16, frozenset({"validation:best_dice"})),
    "bin_counting": Trained(
        "train-cpu:bin_counting", "pytorch", "counting", 20, frozenset({"validation:accuracy", "validation:best_rmse"})
    ),
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("program", "backend"),
    [
        pytest.param("unet", "process", marks=[pytest.mark.tensorflow, pytest.mark.slow]),
        pytest.param("unet", "docker", marks=pytest.mark.tensorflow),
        pytest.param("bin_counting", "docker", marks=pytest.mark.pytorch),
    ],
)
def test_the_estimator_trains(program: str, backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    wanted = TRAINED[program]
    if backend == "docker":
        engines.image(request.getfixturevalue("engine"), f"drydock/{wanted.image}")
    try:
        python = environments.ensure("sdk-v2")
    except SetUpError as error:
        pytest.skip(f"the environment sdk-v2 cannot be made here: {error.message}")
    data = generated(request.getfixturevalue(wanted.environment), tmp_path / "data", wanted.kind, wanted.images)
    known = json.loads((ROOT / "entrypoints/programs.json").read_text())["programs"][program]
    job = {
        "name": "sdk-1", "image": f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/drydock/{wanted.image}", "role": ROLE,
        "bucket": BUCKET, "channel": f"s3://{BUCKET}/train", "output": f"s3://{BUCKET}/out",
        "hyperparameters": {"epochs": 1, "img-size": 64, "mini_batch_size": 4},
        "metric_definitions": known["metric_definitions"],
    }  # fmt: skip
    running = emulators.start(tmp_path / "home", programs=(ROOT / "entrypoints",), backend=backend)
    try:
        s3 = running.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        for path in data.rglob("*.*"):
            s3.put_object(Bucket=BUCKET, Key=f"train/{path.relative_to(data)}", Body=path.read_bytes())
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_COLOR": "1", **running.environment}
        done = subprocess.run(
            [python, CLIENT], input=json.dumps(job), env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        described = running.client("sagemaker").describe_training_job(TrainingJobName="sdk-1")
        archive = s3.get_object(Bucket=BUCKET, Key="out/sdk-1/output/model.tar.gz")["Body"].read()
    finally:
        running.stop()
    with tarfile.open(fileobj=io.BytesIO(archive)) as model:
        assert sorted(model.getnames()) == ["metadata.json", "model.safetensors"]
    told = {metric["MetricName"] for metric in described["FinalMetricDataList"]}
    assert wanted.metrics | {"train:loss"} <= told
