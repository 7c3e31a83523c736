"""Sample data, and one tiny trained model that several tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.job import Job, generated, shared, unrun

TINY = {"epochs": "2", "img_size": "32", "batch_size": "8", "model": "resnet18"}


@pytest.fixture(scope="session")
def bins(pytorch: Path, common: Path) -> Path:
    """30 generated bins with metadata and file_list.json."""
    return generated(pytorch, common / "bin_counting-bins", "counting", 30)


@pytest.fixture(scope="session")
def trained(pytorch: Path, bins: Path, common: Path) -> tuple[Job, str]:
    """A finished job of two epochs, and what it printed."""
    return shared(common / "bin_counting-trained", pytorch, "bin_counting.py", bins, **TINY)


@pytest.fixture
def job(tmp_path: Path, pytorch: Path, bins: Path) -> Job:
    """A job on the bins, not yet run."""
    return unrun(tmp_path / "ml", pytorch, "bin_counting.py", bins)
