"""What `make images` makes of the checkout, without an engine."""

from __future__ import annotations

import os

import pytest

from containers import build


@pytest.fixture
def buildx() -> None:
    try:
        build.check_buildx()
    except build.CannotBuildError as error:
        pytest.skip(f"{error.message}: {error.hint}")


@pytest.mark.usefixtures("buildx")
def test_only_the_program_called_script_means_an_image_without_one() -> None:
    plan = build.read_plan(["train"], {**os.environ, "PROGRAMS": "train-cpu:my_script train-cpu:yolo"})
    programs = {name: target["args"]["PROGRAM"] for name, target in plan.items() if name.startswith("train-cpu-")}
    assert programs == {"train-cpu-my_script": "my_script", "train-cpu-yolo": "yolo", "train-cpu-script": ""}
