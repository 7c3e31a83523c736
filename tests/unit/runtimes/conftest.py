"""The environments that write and run ONNX, and models for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import environments
from local.installer import SetUpError
from tests.support import compiled


def environment(name: str) -> Path:
    try:
        return environments.ensure(name)
    except SetUpError as error:
        pytest.skip(f"the {name} environment cannot be made here: {error.message}")


@pytest.fixture(scope="session")
def compiling() -> Path:
    return environment("compile")


@pytest.fixture(scope="session")
def running() -> Path:
    return environment("runtime")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return compiled.small(tmp_path / "small")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return compiled.picture(tmp_path / "noise.png")
