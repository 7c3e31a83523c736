"""Sample data, and one tiny trained model that several tests look at."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.job import Job, finished, generated, shared, unrun

TINY = {"epochs": "1", "img_size": "64", "batch_size": "8"}


@pytest.fixture(scope="session")
def cookies(pytorch: Path, common: Path) -> Path:
    """24 generated cookies with masks and a manifest."""
    return generated(pytorch, common / "yolo-cookies", "detection", 24)


@pytest.fixture(scope="session")
def trained(pytorch: Path, cookies: Path, common: Path) -> tuple[Job, str]:
    """A finished job of one segmentation epoch, and what it printed."""
    return shared(common / "yolo-trained", pytorch, "yolo.py", cookies, task="segment", **TINY)


@pytest.fixture(scope="session")
def detecting(pytorch: Path, cookies: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, str]:
    """A finished job of one detection epoch in float32 from random weights, and what it printed."""
    start = {"pretrained": "none", "precision": "fp32"}
    return finished(tmp_path_factory.mktemp("detecting"), pytorch, "yolo.py", cookies, **start, **TINY)


@pytest.fixture
def again(detecting: tuple[Job, str], tmp_path: Path, pytorch: Path) -> Job:
    """That job in a folder of its own, to be run once more."""
    shutil.copytree(detecting[0].base, tmp_path / "ml", symlinks=True)
    return Job(tmp_path / "ml", pytorch, "yolo.py")


@pytest.fixture
def job(tmp_path: Path, pytorch: Path, cookies: Path) -> Job:
    """A job on the cookies, not yet run."""
    return unrun(tmp_path / "ml", pytorch, "yolo.py", cookies)
