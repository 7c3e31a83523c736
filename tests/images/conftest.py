"""A container engine, images of ours, and jobs in containers; skips with the reason where one of them is not there."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.images.container import Job
from tests.support import engine as engines
from tests.support.doctored import Doctor

TRAIN = ("drydock/train-cpu:yolo", "drydock/train-gpu:yolo")


@pytest.fixture(scope="session")
def built(engine: Any) -> Callable[[str], Any]:
    """The image of a name, which `make images` has built."""
    return partial(engines.image, engine)


@pytest.fixture(scope="session", params=TRAIN)
def train_image(request: pytest.FixtureRequest, built: Callable[[str], Any]) -> Any:
    """Each image that trains YOLO."""
    return built(request.param)


@pytest.fixture(scope="session")
def cookies(engine: Any, built: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 generated cookies with masks and a manifest, made by the image itself."""
    folder = tmp_path_factory.mktemp("samples")
    engine.containers.run(
        built(TRAIN[0]),
        ["python", "-m", "vision.samples", "/samples/cookies", "--images", "12", "--seed", "7"],
        user=os.getuid(), network_mode="none", volumes=[f"{folder}:/samples"], remove=True,
    )  # fmt: skip
    return folder / "cookies"


@pytest.fixture
def job(engine: Any, cookies: Path, tmp_path: Path) -> Iterator[Job]:
    """A job on the cookies, not yet run; what it started is gone afterwards."""
    new = Job(engine, tmp_path / "ml")
    new.channel("train", cookies)
    yield new
    new.clear()


@pytest.fixture
def scripted(engine: Any, tmp_path: Path) -> Iterator[Job]:
    """A job without data, for the user's own scripts; what it started is gone afterwards."""
    new = Job(engine, tmp_path / "ml")
    yield new
    new.clear()


@pytest.fixture(scope="session")
def trained(
    engine: Any, built: Callable[[str], Any], cookies: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Job]:
    """A finished job of one epoch."""
    new = Job(engine, tmp_path_factory.mktemp("trained") / "ml")
    new.channel("train", cookies)
    code, log = new.run(built(TRAIN[0]), 54321, **TINY)
    assert code == 0, log
    yield new
    new.clear()


TINY = {"epochs": "1", "img-size": "64", "batch-size": "4"}


@pytest.fixture
def build(engine: Any, built: Callable[[str], Any]) -> Iterator[Callable[..., str]]:
    """Builds an image of the emulator's Python, these programs and more steps, and removes it afterwards."""
    base = built("drydock/local").tags[0]
    made = []

    def image(programs: dict[str, str], *lines: str) -> str:
        steps = [f"FROM {base}", "COPY bin /usr/local/bin/", "CMD []", *lines]
        files = {"Dockerfile": "\n".join(steps), **{f"bin/{name}": text for name, text in programs.items()}}
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as tar:
            for name, text in files.items():
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(text), 0o755
                tar.addfile(info, io.BytesIO(text.encode()))
        context.seek(0)
        identity: str = engine.images.build(fileobj=context, custom_context=True, rm=True, forcerm=True)[0].id
        made.append(identity)
        return identity

    yield image
    for identity in reversed(made):
        engine.images.remove(identity, force=True)


@pytest.fixture
def doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: Any) -> Iterator[Doctor]:
    yield Doctor(tmp_path, capsys)
    mine = {"label": f"drydock.doctor={os.getpid()}"}
    assert engine.containers.list(all=True, filters=mine) == []
    assert engine.networks.list(filters=mine) == []
