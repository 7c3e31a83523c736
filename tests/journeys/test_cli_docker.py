"""``--backend docker``: what a person types, what stands in the way, and the same model as without containers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import environments
from tests.support import engine as engines
from tests.support.drydock import Drydock
from tests.support.emulator import PROGRAMS
from tests.support.runners import BASE

IMAGE = "drydock/train-cpu:yolo"
TINY = ("--hp", "epochs=1", "--hp", "img-size=64", "--hp", "batch-size=4", "--hp", "seed=7")


@pytest.fixture
def drydock(tmp_path: Path) -> Iterator[Drydock]:
    command = Drydock(tmp_path)
    yield command
    command("down")


@pytest.mark.parametrize("verb", [("up",), ("train", "yolo")])
def test_without_an_engine_there_is_one_error_and_nothing_starts(drydock: Drydock, verb: tuple[str, ...]) -> None:
    refused = drydock(*verb, "--backend", "docker", DOCKER_HOST="unix:///nowhere/docker.sock")

    assert refused.code == 1
    assert refused.err.startswith("error: no container engine answers at unix:///nowhere/docker.sock\n\nhint: ")
    assert "--backend process" in refused.err
    assert not drydock.home.exists()


def test_a_backend_that_does_not_exist_is_refused(drydock: Drydock) -> None:
    refused = drydock("up", "--backend", "podman")

    assert refused.code == 2
    assert "'docker'" in refused.err


def test_an_emulator_that_is_up_with_another_backend_is_refused_with_what_mends_it(drydock: Drydock) -> None:
    up = drydock("up", "--port", "0", "--programs", str(PROGRAMS), "--json")
    assert up.json["backend"] == "process"

    for verb in (("up",), ("train", "hello")):
        refused = drydock(*verb, "--backend", "docker")
        assert refused.code == 2
        assert "already up" in refused.err
        assert "with the process backend" in refused.err
        assert "hint: drydock down && drydock up --backend docker" in refused.err


def test_up_with_containers_says_so_and_a_job_of_no_image_is_refused_before_data_is_sent(
    drydock: Drydock, engine: Any
) -> None:
    up = drydock("up", "--port", "0", "--programs", str(PROGRAMS), "--backend", "docker", "--json")
    assert up.code == 0, up.err
    assert up.json["backend"] == "docker"

    refused = drydock("train", "hello", "--image", "drydock/train-cpu:nobody")
    assert refused.code == 1
    assert 'ValidationException: The training image "drydock/train-cpu:nobody"' in refused.err
    assert "drydock/train-cpu:yolo" in refused.err
    assert "make images" not in refused.err


def test_an_image_without_train_is_refused_before_data_is_sent(drydock: Drydock, engine: Any) -> None:
    engines.image(engine, BASE)
    up = drydock("up", "--port", "0", "--programs", str(PROGRAMS), "--backend", "docker")
    assert up.code == 0, up.err

    refused = drydock("train", "hello", "--image", BASE, "--data", str(PROGRAMS))
    assert refused.code == 1
    assert f"ValidationException: The image {BASE} (" in refused.err
    assert "has no program `train`" in refused.err
    assert "sent to" not in refused.err


@pytest.mark.slow
@pytest.mark.pytorch
@pytest.mark.timeout(1800)
def test_a_container_trains_the_same_model_as_a_process(tmp_path: Path, engine: Any) -> None:
    engines.image(engine, IMAGE)
    if not environments.is_ready("pytorch"):
        pytest.skip("the pytorch environment is not there: python3 -m local.environments pytorch")
    results = {}
    for backend in ("process", "docker"):
        drydock = Drydock(tmp_path / backend, timeout_s=900)
        drydock.folder.mkdir()
        try:
            trained = drydock("train", "yolo", "--backend", backend, "--name", "same", *TINY)
            assert trained.code == 0, trained.err
        finally:
            drydock("down")
        results[backend] = figures(json.loads((drydock.runs / "same" / "metrics.json").read_text()))
    assert results["docker"] == results["process"]


def figures(metrics: Any) -> Any:
    """The metrics without the times that they took."""
    if isinstance(metrics, dict):
        return {name: figures(value) for name, value in metrics.items() if not name.endswith("seconds")}
    return metrics
