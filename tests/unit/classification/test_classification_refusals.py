"""What the classification program refuses: one clear error, exit code 2, before torch is imported where it can be."""

from __future__ import annotations

import os
import pickle
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.support.job import Job
from tests.unit.classification.conftest import TINY

pytestmark = pytest.mark.pytorch


@pytest.mark.parametrize(
    ("hyperparameters", "said"),
    [
        ({"model": "resnet200"}, "resnet152"),
        ({"model": "resnet34", "pretrained": "starter"}, "Drydock ships no starting weights for resnet34"),
        ({"num_layers": "200"}, 'hyperparameter "num-layers" is 200; allowed: 18, 34, 50, 101, 152'),
        ({"image_shape": "1,28,28"}, "it must be of the form 3,224,224"),
        ({"multi_label": "1"}, 'hyperparameter "multi-label" is 1, but an image has one label'),
        ({"precision_dtype": "float16"}, 'set "precision" to auto or bf16'),
        ({"mini_batch_size": "4"}, '"batch-size" is given twice, as batch-size and as mini-batch-size'),
        ({"top_n": "2"}, 'unknown hyperparameter "top-n"'),
        ({"num_classes": "3"}, "num-classes=3, but the data has 2 classes (anomalous, normal)"),
        ({"num_training_samples": "60000"}, "num-training-samples=60000, but there are 19 training images"),
        ({"positive_class": "rotten"}, "positive-class=rotten is none of the classes"),
        ({"pretrained": "channel"}, 'channel "pretrained" is missing'),
        ({"batch_size": "1"}, "batch-size=1 makes a batch of one image out of 19"),
        ({"learning_rate": "1e12"}, "the loss is not finite in epoch"),
    ],
)
def test_hyperparameters(job: Job, hyperparameters: dict[str, str], said: str) -> None:
    job.configure(**(TINY | hyperparameters))
    assert said in job.refused()


class Touches:
    """What leaves a file behind where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.path}'",)


def test_starting_weights_that_open_only_by_running_code(job: Job, tmp_path: Path) -> None:
    folder, trace = tmp_path / "weights", tmp_path / "trace"
    folder.mkdir()
    (tmp_path / "model.pt").write_bytes(pickle.dumps({"model": Touches(trace)}, protocol=2))
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "model.pt", "model.pt")
    job.channel("pretrained", folder)
    job.configure(**TINY)
    assert "model.pt opens only by running code that it holds" in job.refused()
    assert not trace.exists()


def damaged(job: Job, folders: Path, tmp_path: Path) -> Path:
    """A copy of the photographs that may be damaged, as the job's channel."""
    folder = tmp_path / "damaged"
    shutil.copytree(folders, folder)
    (job.base / "input/data/train").unlink()
    job.channel("train", folder)
    job.configure(**TINY)
    return folder


def test_an_image_that_does_not_decode(job: Job, folders: Path, tmp_path: Path) -> None:
    image = damaged(job, folders, tmp_path) / "normal/0003.jpg"
    image.write_bytes(image.read_bytes()[:2000])
    assert "image train/normal/0003.jpg does not decode" in job.refused()


def test_one_class_only(job: Job, folders: Path, tmp_path: Path) -> None:
    shutil.rmtree(damaged(job, folders, tmp_path) / "normal")
    assert "are in one folder, train/anomalous" in job.refused()


def test_wrong_data_is_refused_before_torch_is_imported(job: Job, folders: Path, tmp_path: Path) -> None:
    (damaged(job, folders, tmp_path) / "stray.jpg").write_bytes(next(folders.rglob("*.jpg")).read_bytes())
    job.environ = {"PYTHONPROFILEIMPORTTIME": "1"}
    done = job.run()
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "vision.classification" in imported
    assert not {"torch", "torchvision"} & imported
    assert "image train/stray.jpg lies in no class folder" in job.failure
