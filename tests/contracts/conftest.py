"""The implementations that the contract is stated for; one that cannot run here skips with the reason.

Cases that need a program and what it left take ``platform``; cases about the endpoint take ``cloud``; cases about the
emulator itself take ``runs`` and ``start``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local import environments
from local.installer import SetUpError
from tests.contracts.deviations import SDK_LOCAL
from tests.support import emulator as emulators
from tests.support import engine as engines
from tests.support import sdk_local
from tests.support.jobs import Cloud, OnEndpoint, make_bucket
from tests.support.platforms import Platform
from tests.support.runners import BASE, DockerRuns, ProcessRuns, Runs

PLATFORMS = ["process", "docker", sdk_local.SdkLocal.name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A case from which the SDK's local mode deviates must fail there, for as long as it does."""
    for item in items:
        case = getattr(item, "originalname", "")
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if parameters.get("platform") == sdk_local.SdkLocal.name and case in SDK_LOCAL:
            fails = pytest.mark.xfail(strict=True, raises=(AssertionError, KeyError), reason=str(SDK_LOCAL[case]))
            item.add_marker(fails)


@pytest.fixture(scope="session")
def containers(engine: Any) -> Iterator[DockerRuns]:
    """The engine of this machine; images that tests build are removed at the end."""
    engines.image(engine, BASE)
    runs = DockerRuns(engine.api)
    yield runs
    runs.clear()


@pytest.fixture(scope="session", params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> Platform:
    """Each implementation."""
    found: Platform = request.getfixturevalue(request.param.replace("-", "_") + "_platform")
    return found


@pytest.fixture(scope="session")
def process_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    cloud = new_cloud(ProcessRuns(), tmp_path_factory)
    yield OnEndpoint("process", cloud)
    cloud.emulator.stop()


@pytest.fixture(scope="session")
def docker_platform(containers: DockerRuns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    cloud = new_cloud(containers, tmp_path_factory)
    yield OnEndpoint("docker", cloud)
    cloud.emulator.stop()


@pytest.fixture(scope="session")
def sdk_python() -> Path:
    """The Python of the SageMaker SDK v2."""
    try:
        return environments.ensure("sdk-v2")
    except SetUpError as error:
        pytest.skip(f"the environment sdk-v2 cannot be made here: {error.message}")


@pytest.fixture(scope="session")
def sdk_local_platform(
    containers: DockerRuns, sdk_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    if reason := sdk_local.why_not():
        pytest.skip(reason)
    cloud = new_cloud(ProcessRuns(), tmp_path_factory)
    platform = sdk_local.SdkLocal(sdk_python, cloud.emulator, containers, tmp_path_factory.mktemp("sdk-local"))
    yield platform
    platform.close()
    cloud.emulator.stop()


@pytest.fixture(scope="module", params=["process", "docker"])
def runs(request: pytest.FixtureRequest) -> Runs:
    """Each backend."""
    return request.getfixturevalue("containers") if request.param == "docker" else ProcessRuns()


@pytest.fixture(scope="module")
def cloud(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An emulator that the tests of a module share; each uses names of its own."""
    cloud = new_cloud(runs, tmp_path_factory)
    yield cloud
    cloud.emulator.stop()


def new_cloud(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    running = emulators.start(tmp_path_factory.mktemp("emulator") / "home", backend=runs.backend)
    make_bucket(running)
    return Cloud(running, runs)


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
