"""The backends whose jobs have several hosts."""

from __future__ import annotations

import pytest

from tests.support.runners import ProcessRuns, Runs


@pytest.fixture(scope="module", params=["process", "docker"])
def runs(request: pytest.FixtureRequest) -> Runs:
    """Each of them."""
    return request.getfixturevalue("containers") if request.param == "docker" else ProcessRuns()
