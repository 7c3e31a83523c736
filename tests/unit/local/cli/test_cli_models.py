"""Whose program a job's model is, and what is typed for a model that none of ours made."""

from __future__ import annotations

import datetime
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.cli.inference import open_model
from local.cli.refusal import Refusal
from local.environments import CHECKOUT
from local.home import Home

AWS = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:2.8.0-cpu-py312"


class Trained:
    """A place with one job whose model holds the files of ``folder``."""

    flag = ""
    programs = (CHECKOUT / "entrypoints",)

    def __init__(self, folder: Path, image: str, **hyperparameters: str) -> None:
        self.folder = folder
        self.home = Home(folder / "home")
        self.description = {
            "TrainingJobName": "mine",
            "TrainingJobArn": "arn:aws:sagemaker:eu-west-1:123456789012:training-job/mine",
            "TrainingJobStatus": "Completed",
            "CreationTime": datetime.datetime.now(datetime.UTC),
            "AlgorithmSpecification": {"TrainingImage": image},
            "HyperParameters": hyperparameters,
            "ResourceConfig": {"InstanceCount": 1},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket"},
        }
        (folder / "model").mkdir()

    def client(self, _service: str) -> Any:
        return SimpleNamespace(
            describe_training_job=lambda **_: self.description, download_file=lambda *place: self._download(place[-1])
        )

    def _download(self, target: str) -> None:
        with tarfile.open(target, "w:gz") as archive:
            archive.add(self.folder / "model", arcname=".")


@pytest.mark.parametrize(
    ("image", "hyperparameters", "served_by"),
    [
        ("drydock/train-cpu:script", {}, "drydock/train-cpu:script"),
        ("1.dkr.ecr.eu-west-1.amazonaws.com/drydock/train-cpu:script-0.1.0-fd0d3c1", {}, "drydock/train-cpu:script"),
        ("drydock/train-cpu:yolo", {"sagemaker_program": "train.py"}, "drydock/train-cpu:yolo"),
        (AWS, {"sagemaker_program": "train.py"}, "drydock/train-cpu:script"),
        ("segmenter:1", {}, "segmenter:1"),
    ],
)
def test_the_model_of_a_script_or_of_ones_own_image_is_served_by_its_image(
    tmp_path: Path, image: str, hyperparameters: dict[str, str], served_by: str
) -> None:
    with pytest.raises(Refusal, match="the model of mine is of no program of Drydock's") as refused:
        open_model(Trained(tmp_path, image, **hyperparameters), "mine")  # type: ignore[arg-type]
    model = tmp_path / "home/models/mine/model"
    command, _, build = refused.value.hint.partition("; ")
    assert command == f"docker run --rm -p 8080:8080 -v {model}:/opt/ml/model:ro {served_by} serve"
    assert model.is_dir()
    assert build.startswith("make images IMAGES=") == served_by.startswith("drydock/")


def test_a_model_that_names_its_program_is_that_programs_whatever_the_image_is_called(tmp_path: Path) -> None:
    trained = Trained(tmp_path, "renamed:1")
    (tmp_path / "model/metadata.json").write_text(json.dumps({"program": "yolo"}))
    assert open_model(trained, "mine").program.name == "yolo"  # type: ignore[arg-type]


def test_a_model_without_metadata_is_the_program_of_its_images_tag(tmp_path: Path) -> None:
    assert open_model(Trained(tmp_path, "drydock/train-cpu:ssd"), "mine").program.name == "ssd"  # type: ignore[arg-type]
