"""Sample data, and one tiny trained model that several tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.job import Job, generated

TINY = {"epochs": "2", "img_size": "32", "batch_size": "8", "model": "resnet18"}


@pytest.fixture(scope="session")
def folders(pytorch: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 generated photographs in normal/ and anomalous/."""
    return generated(pytorch, tmp_path_factory.mktemp("samples") / "folders", "classification", 24)


@pytest.fixture(scope="session")
def trained(pytorch: Path, folders: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, str]:
    """A finished job of two epochs, and what it printed."""
    job = Job(tmp_path_factory.mktemp("trained"), pytorch, "classification.py")
    job.channel("train", folders)
    job.configure(**TINY)
    done = job.run()
    assert done.returncode == 0, done.stderr
    return job, done.stdout


@pytest.fixture
def job(tmp_path: Path, pytorch: Path, folders: Path) -> Job:
    """A job on the photographs, not yet run."""
    new = Job(tmp_path / "ml", pytorch, "classification.py")
    new.channel("train", folders)
    return new
