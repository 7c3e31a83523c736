"""Sample data, and one tiny trained model that several tests look at. Each start of TensorFlow costs seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.job import Job, generated, shared, unrun

TINY = {"epochs": "3", "img_size": "64", "batch_size": "4", "validation_fraction": "0.4"}


@pytest.fixture(scope="session")
def plates(tensorflow: Path, common: Path) -> Path:
    """16 generated photographs in images/, their masks in masks/."""
    return generated(tensorflow, common / "unet-plates", "segmentation", 16)


@pytest.fixture(scope="session")
def trained(tensorflow: Path, plates: Path, common: Path) -> tuple[Job, str]:
    """A finished job of three epochs, and what it printed."""
    return shared(common / "unet-trained", tensorflow, "unet.py", plates, **TINY)


@pytest.fixture
def job(tmp_path: Path, tensorflow: Path, plates: Path) -> Job:
    """A job on the photographs, not yet run."""
    return unrun(tmp_path / "ml", tensorflow, "unet.py", plates)
