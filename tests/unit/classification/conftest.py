"""Sample data, and one tiny trained model that several tests look at."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.job import ENTRYPOINTS, Job

TINY = {"epochs": "2", "img_size": "32", "batch_size": "8", "model": "resnet18"}


@pytest.fixture(scope="session")
def folders(pytorch: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 generated photographs in normal/ and anomalous/."""
    folder = tmp_path_factory.mktemp("samples") / "cookies"
    command = [pytorch, "-m", "vision.samples", folder, "--kind", "classification", "--images", "24", "--seed", "7"]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(ENTRYPOINTS)})
    return folder


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
