"""Sample data, and one tiny trained model that several tests look at. Each start of TensorFlow costs seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.job import Job, finished, generated, unrun

TINY = {"epochs": "3", "img_size": "64", "batch_size": "4", "validation_fraction": "0.4"}


@pytest.fixture(scope="session")
def plates(tensorflow: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 generated photographs in images/, their masks in masks/."""
    return generated(tensorflow, tmp_path_factory.mktemp("samples") / "plates", "segmentation", 16)


@pytest.fixture(scope="session")
def trained(tensorflow: Path, plates: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, str]:
    """A finished job of three epochs, and what it printed."""
    return finished(tmp_path_factory.mktemp("trained"), tensorflow, "unet.py", plates, **TINY)


@pytest.fixture
def job(tmp_path: Path, tensorflow: Path, plates: Path) -> Job:
    """A job on the photographs, not yet run."""
    return unrun(tmp_path / "ml", tensorflow, "unet.py", plates)
