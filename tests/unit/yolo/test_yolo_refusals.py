"""What the YOLO program refuses: one clear error, exit code 2, the same first line in the failure file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.job import Job
from tests.unit.yolo.conftest import TINY

pytestmark = pytest.mark.pytorch


@pytest.mark.parametrize(
    ("hyperparameters", "said"),
    [
        ({"epochs": "0"}, "epochs"),
        ({"epochs": "many"}, "epochs"),
        ({"img_size": "333"}, "multiple of 32"),
        ({"batch_size": "0"}, "batch-size"),
        ({"epoch": "3"}, "epochs"),
        ({"task": "classify"}, "segment"),
        ({"model_size": "yolov9n"}, "yolov8n"),
        ({"model_size": "yolov8s"}, "pretrained"),
        ({"num_classes": "3"}, "num-classes=3, but the data has 1 classes (cracked)"),
        ({"num_training_samples": "7"}, "num-training-samples=7, but there are"),
        ({"pretrained": "channel"}, 'channel "pretrained" is missing'),
        ({"manifest": "other.manifest"}, "other.manifest"),
    ],
)
def test_hyperparameters(job: Job, hyperparameters: dict[str, str], said: str) -> None:
    job.configure(**(TINY | hyperparameters))
    assert said in job.refused()


def copy_of(cookies: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the cookies that may be damaged, and its manifest."""
    folder = tmp_path / "damaged"
    shutil.copytree(cookies, folder)
    return folder, next(folder.rglob("*.manifest"))


def damaged_job(tmp_path: Path, pytorch: Path, folder: Path) -> Job:
    job = Job(tmp_path / "ml", pytorch)
    job.channel("train", folder)
    job.configure(pretrained="none", **TINY)
    return job


def test_a_manifest_line_that_does_not_parse(cookies: Path, tmp_path: Path, pytorch: Path) -> None:
    folder, manifest = copy_of(cookies, tmp_path)
    lines = manifest.read_text().splitlines()
    lines[4] = lines[4][:40]
    manifest.write_text("\n".join(lines) + "\n")
    job = damaged_job(tmp_path, pytorch, folder)
    assert f"(train/{manifest.relative_to(folder)}:5)" in job.refused()


def test_wrong_data_is_refused_before_torch_is_imported(tmp_path: Path, pytorch: Path) -> None:
    job = damaged_job(tmp_path, pytorch, tmp_path / "nothing")
    (tmp_path / "nothing").mkdir()
    job.environ = {"PYTHONPROFILEIMPORTTIME": "1"}
    done = job.run()
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert {"yolo", "vision.formats"} & imported
    assert not {"torch", "torchvision", "ultralytics"} & imported
    assert 'no images in channel "train"' in job.failure


def test_a_missing_image(cookies: Path, tmp_path: Path, pytorch: Path) -> None:
    folder, manifest = copy_of(cookies, tmp_path)
    reference = json.loads(manifest.read_text().splitlines()[2])["source-ref"]
    next(folder.rglob(Path(reference).name)).unlink()
    failure = damaged_job(tmp_path, pytorch, folder).refused()
    assert Path(reference).name in failure
    assert f"{manifest.name}:3" in failure


def test_a_truncated_image(cookies: Path, tmp_path: Path, pytorch: Path) -> None:
    folder, manifest = copy_of(cookies, tmp_path)
    reference = json.loads(manifest.read_text().splitlines()[0])["source-ref"]
    image = next(folder.rglob(Path(reference).name))
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    job = damaged_job(tmp_path, pytorch, folder)
    assert f"image train/{image.relative_to(folder)} does not decode" in job.refused()


def test_a_class_that_the_colour_map_lacks(cookies: Path, tmp_path: Path, pytorch: Path) -> None:
    folder, manifest = copy_of(cookies, tmp_path)
    lines = manifest.read_text().splitlines()
    number = next(i for i, line in enumerate(lines) if '"#23A436"' in line)
    lines[number] = lines[number].replace("#23A436", "#0000ff")
    manifest.write_text("\n".join(lines) + "\n")
    failure = damaged_job(tmp_path, pytorch, folder).refused()
    assert f"{manifest.name}:{number + 1}" in failure
    assert "#23a436" in failure.lower()


def test_a_channel_without_images(tmp_path: Path, pytorch: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "train.manifest").write_text("")
    assert "no images" in damaged_job(tmp_path, pytorch, folder).refused()


def test_several_hosts(job: Job) -> None:
    job.configure(**TINY)
    resources = {"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]}
    (job.base / "input/config/resourceconfig.json").write_text(json.dumps(resources))
    assert "yolo trains on one host, and the job has 2" in job.refused()
