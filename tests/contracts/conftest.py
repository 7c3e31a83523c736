"""The backends that the contract is stated for; one that cannot run here skips with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import emulator as emulators
from tests.support import engine as engines
from tests.support.jobs import Cloud, make_bucket
from tests.support.runners import BASE, DockerRuns, ProcessRuns, Runs


@pytest.fixture(scope="session")
def containers(engine: Any) -> Iterator[DockerRuns]:
    """The engine of this machine; images that tests build are removed at the end."""
    engines.image(engine, BASE)
    runs = DockerRuns(engine.api)
    yield runs
    runs.clear()


@pytest.fixture(scope="module", params=["process", "docker"])
def runs(request: pytest.FixtureRequest) -> Runs:
    """Each backend."""
    return request.getfixturevalue("containers") if request.param == "docker" else ProcessRuns()


@pytest.fixture(scope="module")
def cloud(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An emulator that the tests of a module share; each uses names of its own."""
    running = emulators.start(tmp_path_factory.mktemp("emulator") / "home", backend=runs.backend)
    make_bucket(running)
    yield Cloud(running, runs)
    running.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Cloud]]:
    """Starts an emulator of the test's own home, again if need be; the last one is stopped."""
    started: list[Cloud] = []

    def start(runs: Runs, backend: str = "", **options: str) -> Cloud:
        cloud = Cloud(emulators.start(tmp_path / "home", backend=backend or runs.backend, **options), runs)
        if not started:
            make_bucket(cloud.emulator)
        started.append(cloud)
        return cloud

    yield start
    for cloud in started:
        cloud.emulator.stop()
