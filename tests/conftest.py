"""Fixtures that more than one test folder uses."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from local import environments
from local.installer import SetUpError
from tests.support import emulator as emulators
from tests.support import engine as engines
from tests.support.emulator import ROOT, Emulator

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--target", choices=("here", "aws"), default="here",
        help="what the contract suite runs on: the implementations of this machine, or your AWS account",
    )  # fmt: skip


def pytest_configure() -> None:
    """What the programs of tests inherit.

    A shell starts background jobs with SIGINT ignored. The threads of OpenMP, which PyTorch computes with, wait for one
    another in a busy loop, which takes the cores from the programs of the tests beside. Where bytecode may not be kept,
    every start of PyTorch compiles 2,000 modules first, which takes twice as long as to import them.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the workers of a test run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """An emulator of its own for one test."""
    running = emulators.start(tmp_path / "home")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that the tests of a module share; each uses names of its own."""
    running = emulators.start(tmp_path_factory.mktemp("emulator") / "home")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images; skips where it is absent."""
    folder = Path(os.environ.get("DRYDOCK_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real images are not here (looked in {folder}; set DRYDOCK_DATA)")
    return folder


@pytest.fixture(scope="session")
def pytorch() -> Path:
    """The Python of the PyTorch environment; skips where it cannot be made."""
    try:
        return environments.ensure("pytorch")
    except SetUpError as error:
        pytest.skip(f"the pytorch environment cannot be made here: {error.message}")


@pytest.fixture(scope="session")
def tensorflow() -> Path:
    """The Python of the TensorFlow environment; skips where it cannot be made."""
    try:
        return environments.ensure("tensorflow")
    except SetUpError as error:
        pytest.skip(f"the tensorflow environment cannot be made here: {error.message}")


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    """A docker.DockerClient of the engine of this machine; skips where none answers."""
    client = engines.connected()
    yield client
    client.close()
