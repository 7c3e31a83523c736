"""Sample data, and one tiny trained model that several tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.job import Job, generated, shared, unrun

TINY = {"epochs": "2", "img_size": "32", "batch_size": "8", "model": "resnet18"}


@pytest.fixture(scope="session")
def folders(pytorch: Path, common: Path) -> Path:
    """24 generated photographs in normal/ and anomalous/."""
    return generated(pytorch, common / "classification-folders", "classification", 24)


@pytest.fixture(scope="session")
def trained(pytorch: Path, folders: Path, common: Path) -> tuple[Job, str]:
    """A finished job of two epochs, and what it printed."""
    return shared(common / "classification-trained", pytorch, "classification.py", folders, **TINY)


@pytest.fixture
def job(tmp_path: Path, pytorch: Path, folders: Path) -> Job:
    """A job on the photographs, not yet run."""
    return unrun(tmp_path / "ml", pytorch, "classification.py", folders)
