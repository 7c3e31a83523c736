"""Images that are not in the engine are refused with what to type. A small server stands for the engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.errors import ValidationException
from local.jobs import builds, engine, images
from local.jobs.backend import Runnable, Wanted
from local.jobs.engine import Engine
from local.jobs.programs import ProgramTable
from tests.support import fake_engine
from tests.support.emulator import ROOT

YOLO = "drydock/train-cpu:yolo"
SSD, RUNTIME = "drydock/train-gpu:ssd", "drydock/runtime-arm64"
"""For another machine, as is theirs:1."""
AWS = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:2.0-cpu-py310"
MPI = "sagemaker_mpi_enabled"
IMAGE = {"Id": "sha256:" + 64 * "a", "Os": "linux", "Architecture": "amd64"}
REPLIES = {
    "/version": fake_engine.VERSION,
    "/info": fake_engine.INFO,
    "/images/json": [{"RepoTags": [YOLO, "mine:1"]}],
    **{f"/images/{name}/json": IMAGE for name in (YOLO, "mine:1", AWS)},
    **{f"/images/{name}/json": IMAGE | {"Architecture": "arm64"} for name in (SSD, RUNTIME, "theirs:1")},
}


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine with one image of ours."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    with fake_engine.running(tmp_path / "engine.sock", REPLIES):
        engine_of_test = engine.connect()
        yield engine_of_test
        engine_of_test.close()


def resolve(found: Engine, image: str, **asked: Any) -> Runnable:
    return images.resolve(found, ProgramTable([ROOT / "entrypoints"]), Wanted(image, **asked))


def refusal(found: Engine, image: str, **asked: Any) -> str:
    with pytest.raises(ValidationException) as refused:
        resolve(found, image, **asked)
    return refused.value.message


def test_make_images_builds_what_it_is_said_to_build() -> None:
    plan = json.loads((ROOT / "tests/images/bake-print.json").read_text())["target"]
    train = {tag: name for name, target in plan.items() for tag in target.get("tags", ()) if "/train-" in tag}
    assert builds.targets() == train


@pytest.mark.parametrize(
    ("image", "target"),
    [
        ("drydock/train-cpu:ssd", "train-cpu-ssd"),
        ("drydock/train-tf-gpu:script", "train-tf-gpu-script"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/drydock/train-gpu:yolo-0.1.0-fd0d3c1", "train-gpu-yolo"),
        ("763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:1.12-cpu-py38", "train-cpu-script"),
    ],
)
def test_an_image_of_this_checkout_is_refused_with_what_builds_it(found: Engine, image: str, target: str) -> None:
    message = refusal(found, image)
    assert f"To build it: make images IMAGES={target}. " in message
    assert "Did you mean" not in message


@pytest.mark.parametrize(
    ("image", "remedy"),
    [
        (SSD, "on a machine that is linux/amd64: make images IMAGES=train-gpu-ssd."),
        (RUNTIME, f"no registry has {RUNTIME}; make images builds what trains: drydock/train-cpu:bin_counting, "),
        ("theirs:1", "build it for linux/amd64, or docker pull --platform linux/amd64 theirs:1."),
    ],
)
def test_an_image_for_another_machine_is_refused_with_where_one_is_to_be_had(
    found: Engine, image: str, remedy: str
) -> None:
    assert f"is for linux/arm64, and this machine is linux/amd64. To mend it: {remedy}" in refusal(found, image)


@pytest.mark.parametrize(
    ("image", "near"),
    [
        ("drydock/train-cpu:yola", YOLO),
        ("drydock/train-tf-cpu:unit", "drydock/train-tf-cpu:unet"),
        ("registry.example/drydock/train-cpu:yola", YOLO),
    ],
)
def test_a_tag_that_nothing_builds_is_refused_with_the_nearest(found: Engine, image: str, near: str) -> None:
    message = refusal(found, image)
    assert f'Did you mean "{near}"? ' in message
    assert "make images" not in message
    assert ("docker pull" in message) == image.startswith("registry.example/")


def test_known_images_are_those_that_are_there_and_those_that_can_be_built(found: Engine) -> None:
    known = refusal(found, "nobody/nothing:1").rpartition(": ")[2]
    assert known.rstrip(".").split(", ") == sorted(builds.targets())
    assert resolve(found, f"registry.example/{YOLO}").description == f"{YOLO} (aaaaaaaaaaaa)"


@pytest.mark.parametrize("image", [YOLO, f"registry.example/{YOLO}-0.1.0-fd0d3c1"])
def test_what_an_image_of_ours_cannot_do_is_refused_before_it_runs(found: Engine, image: str) -> None:
    several = refusal(found, image, hosts=2)
    assert several.startswith("ResourceConfig.InstanceCount is 2, and the program yolo trains on one host. ")
    launcher = refusal(found, image, script=True, launcher=MPI)
    assert launcher.startswith(f"Hyperparameter {MPI} asks for a launcher that drydock/train-cpu does not have. ")
    assert resolve(found, image, script=True, hosts=2)


@pytest.mark.parametrize("image", ["mine:1", AWS])
def test_an_image_of_somebody_else_may_be_able_to_do_anything(found: Engine, image: str) -> None:
    assert resolve(found, image, script=True, hosts=2, launcher=MPI).description == f"{image} (aaaaaaaaaaaa)"
