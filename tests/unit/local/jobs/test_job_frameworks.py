"""AWS's framework image URIs resolve to our images by containers/frameworks.json; no engine needed."""

from __future__ import annotations

import json
import re

import pytest

from local.jobs import frameworks
from tests.support.emulator import ROOT

AWS = "763104351884.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("uri", "image"),
    [
        (f"{AWS}/pytorch-training:1.12-cpu-py38", "drydock/train-cpu:script"),
        (f"{AWS}/pytorch-training:1.12.1-gpu-py38-cu113-ubuntu20.04-sagemaker", "drydock/train-gpu:script"),
        (f"{AWS}/pytorch-training:2.8.0-gpu-py312", "drydock/train-gpu:script"),
        (f"{AWS}/pytorch-inference:2.6.0-cpu-py312", "drydock/train-cpu:script"),
        ("520713654638.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-pytorch:1.1.0-gpu-py3", "drydock/train-gpu:script"),
        (f"{AWS}/tensorflow-training:2.11-cpu-py39", "drydock/train-tf-cpu:script"),
        (f"{AWS}/tensorflow-training:2.19.0-gpu-py312-cu125-ubuntu22.04-sagemaker", "drydock/train-tf-gpu:script"),
        (
            "520713654638.dkr.ecr.us-east-1.amazonaws.com/sagemaker-tensorflow-scriptmode:1.12-cpu-py3",
            "drydock/train-tf-cpu:script",
        ),
        (
            "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/pytorch-training:2.1.0-cpu-py310",
            "drydock/train-cpu:script",
        ),
    ],
)
def test_a_framework_image_has_one_of_ours(uri: str, image: str) -> None:
    assert frameworks.stand_in(uri) == image


@pytest.mark.parametrize(
    "uri",
    [
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:1.12-cpu-py38",  # a user's own
        f"{AWS}/pytorch-training:1.3.1-cpu-py2",
        f"{AWS}/pytorch-training-neuronx:1.13.1-neuronx-py310",
        f"{AWS}/huggingface-pytorch-training:2.1.0-transformers4.36.0-gpu-py310",
        f"{AWS}/tensorflow-inference:2.11-cpu",
        f"{AWS}/pytorch-training",
        "pytorch-training:1.12-cpu-py38",
    ],
)
def test_what_ours_cannot_stand_for_is_not_in_the_table(uri: str) -> None:
    assert frameworks.stand_in(uri) is None


def test_the_table_names_images_that_the_bake_file_builds() -> None:
    built = set(re.findall(r"^    (train\S+) += ", (ROOT / "docker-bake.hcl").read_text(), re.MULTILINE))
    entries = json.loads((ROOT / "containers" / "frameworks.json").read_text())["images"]
    assert {entry["image"] for entry in entries} == {f"drydock/{name}:script" for name in built}


def test_no_image_has_two_stand_ins() -> None:
    patterns = [
        entry["pattern"] for entry in json.loads((ROOT / "containers" / "frameworks.json").read_text())["images"]
    ]
    for name in ("pytorch-training:2.8.0-gpu-py312", "tensorflow-training:2.11-cpu-py39"):
        assert sum(bool(re.fullmatch(pattern, name)) for pattern in patterns) == 1
