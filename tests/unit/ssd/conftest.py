"""Sample data, and one tiny trained model that several tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.job import Job, generated, shared, unrun

TINY = {"epochs": "2", "img_size": "64", "batch_size": "8", "pretrained": "none"}


@pytest.fixture(scope="session")
def cookies(pytorch: Path, common: Path) -> Path:
    """24 generated photographs, half of them of a broken cookie."""
    return generated(pytorch, common / "ssd-cookies", "detection", 24)


@pytest.fixture(scope="session")
def trained(pytorch: Path, cookies: Path, common: Path) -> tuple[Job, str]:
    """A finished job of two epochs, and what it printed."""
    return shared(common / "ssd-trained", pytorch, "ssd.py", cookies, **TINY)


@pytest.fixture
def job(tmp_path: Path, pytorch: Path, cookies: Path) -> Job:
    """A job on the photographs, not yet run."""
    return unrun(tmp_path / "ml", pytorch, "ssd.py", cookies)
