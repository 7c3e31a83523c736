"""Sample data, and one tiny trained model that several tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.job import Job, generated

TINY = {"epochs": "1", "img_size": "64", "batch_size": "8"}


@pytest.fixture(scope="session")
def cookies(pytorch: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 generated cookies with masks and a manifest."""
    return generated(pytorch, tmp_path_factory.mktemp("samples") / "cookies", "detection", 24)


@pytest.fixture(scope="session")
def trained(pytorch: Path, cookies: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, str]:
    """A finished job of one segmentation epoch, and what it printed."""
    job = Job(tmp_path_factory.mktemp("trained"), pytorch)
    job.channel("train", cookies)
    job.configure(task="segment", **TINY)
    done = job.run()
    assert done.returncode == 0, done.stderr
    return job, done.stdout


@pytest.fixture
def job(tmp_path: Path, pytorch: Path, cookies: Path) -> Job:
    """A job on the cookies, not yet run."""
    new = Job(tmp_path / "ml", pytorch)
    new.channel("train", cookies)
    return new
