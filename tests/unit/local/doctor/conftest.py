from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.doctored import Doctor


@pytest.fixture
def doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Doctor:
    return Doctor(tmp_path, capsys)
