"""The SageMaker SDK's own local mode, unmodified, trains YOLO in our image; only its S3 is the emulator's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import environments
from local.installer import SetUpError
from tests.support import engine as engines
from tests.support import sdk_local
from tests.support.emulator import ROLE, Emulator
from tests.support.platforms import archive

IMAGE = "drydock/train-cpu:yolo"
BUCKET = "cookies"
OUTPUT = f"s3://{BUCKET}/out"
CLIENT = Path(__file__).parent / "clients" / "sdk_v2_local.py"


@pytest.fixture
def python() -> Path:
    if reason := sdk_local.why_not():
        pytest.skip(reason)
    try:
        return environments.ensure("sdk-v2")
    except SetUpError as error:
        pytest.skip(f"the environment sdk-v2 cannot be made here: {error.message}")


@pytest.fixture
def cookies(engine: Any, emulator: Emulator, tmp_path: Path) -> Iterator[Emulator]:
    """An emulator whose S3 holds 12 generated cookies with masks and a manifest, made by the image itself."""
    engines.image(engine, IMAGE)
    make = ["python", "-m", "vision.samples", "/samples/cookies", "--images", "12", "--seed", "7"]
    samples = tmp_path / "samples"
    samples.mkdir()
    engine.containers.run(IMAGE, make, user=os.getuid(), volumes=[f"{samples}:/samples"], remove=True)
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for path in (samples / "cookies").rglob("*"):
        if path.is_file():
            s3.upload_file(str(path), BUCKET, f"train/{path.relative_to(samples / 'cookies')}")
    yield emulator
    sdk_local.clear(engine.api, tmp_path)


@pytest.mark.sdk
def test_the_estimator_trains_yolo_with_instance_type_local(cookies: Emulator, python: Path, tmp_path: Path) -> None:
    job = {
        "name": "local-1", "image": IMAGE, "role": ROLE, "channel": f"s3://{BUCKET}/train", "output": OUTPUT,
        "hyperparameters": {"epochs": 1, "img-size": 64, "batch-size": 4},
    }  # fmt: skip
    done = subprocess.run(
        [python, CLIENT], input=json.dumps(job), env=sdk_local.environment(cookies, tmp_path), cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"MODEL {OUTPUT}/local-1/output/model.tar.gz" in done.stdout
    assert "#metric epoch=1 name=validation:mAP50" in done.stdout
    model = archive(cookies.client("s3"), OUTPUT, "local-1", "model")
    assert json.loads(model["metadata.json"])["classes"] == ["cracked"]
    assert len(model["model.safetensors"]) > 1_000_000
