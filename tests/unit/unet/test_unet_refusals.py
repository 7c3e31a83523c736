"""What the UNet program refuses: one clear error, exit code 2, before TensorFlow is imported where it can be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.job import Job
from tests.unit.unet.conftest import TINY

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(
    ("hyperparameters", "said"),
    [
        ({"model": "resnet34"}, "mobilenetv2_035"),
        ({"model": "mobilenetv2_100", "pretrained": "starter"}, "no starting weights for mobilenetv2_100"),
        ({"loss": "mse"}, "dice_crossentropy"),
        ({"img_size": "100"}, '"img-size" is 100; allowed: a multiple of 32'),
        ({"learning_rate": "1e12"}, "the loss is not finite in epoch"),
        ({"backbone": "resnet-50"}, 'hint: set "model", to mobilenetv2_100 for instance'),
        ({"num_classes": "3"}, "num-classes=3, but the data has 2, the background and defect"),
    ],
)
def test_hyperparameters(job: Job, hyperparameters: dict[str, str], said: str) -> None:
    job.configure(**(TINY | hyperparameters))
    assert said in job.refused()


@pytest.fixture
def damaged(job: Job, plates: Path, tmp_path: Path) -> Path:
    """A copy of the photographs that may be damaged, as the job's channel."""
    folder = tmp_path / "damaged"
    shutil.copytree(plates, folder)
    (job.base / "input/data/train").unlink()
    job.channel("train", folder)
    job.configure(**TINY)
    return folder


def test_an_image_without_a_mask(job: Job, damaged: Path) -> None:
    (damaged / "masks/0002.png").unlink()
    assert "image train/images/0002.jpg has no mask" in job.refused()


def test_masks_that_mark_nothing(job: Job, damaged: Path) -> None:
    for path in (damaged / "masks").iterdir():
        Image.new("L", (8, 8)).save(path)
    assert "none of the 10 masks of the train set marks anything" in job.refused()


def test_an_unknown_value_before_tensorflow_is_imported(job: Job, damaged: Path) -> None:
    (damaged / "classes.txt").write_text("crack\n")
    mask = np.zeros((320, 160), np.uint8)
    mask[20, 30] = 7
    Image.fromarray(mask).save(damaged / "masks/0001.png")
    job.environ = {"PYTHONPROFILEIMPORTTIME": "1"}
    done = job.run()
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "vision.segmentation" in imported
    assert not {"tensorflow", "keras"} & imported
    assert "the value" in job.failure
    assert "there are 1 classes (crack)" in job.failure


def test_several_hosts(job: Job) -> None:
    job.configure(**TINY)
    resources = {"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]}
    (job.base / "input/config/resourceconfig.json").write_text(json.dumps(resources))
    assert "unet trains on one host, and the job has 2" in job.refused()
