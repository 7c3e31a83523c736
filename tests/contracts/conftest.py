"""The implementations that the contract is stated for; one that cannot run here skips with the reason.

Cases that need a program and what it left take ``platform``; cases that need an endpoint take ``jobs``. Both kinds
run in AWS with ``--target aws``. Cases about the emulator itself take ``cloud``, ``runs`` or ``start``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local import environments
from local.installer import SetUpError
from tests.contracts.deviations import SDK_LOCAL
from tests.support import aws
from tests.support import emulator as emulators
from tests.support import engine as engines
from tests.support.jobs import Cloud, Jobs, OnEndpoint, make_bucket
from tests.support.platforms import Platform
from tests.support.runners import BASE, DockerRuns, ProcessRuns, Runs
from tests.support.sdk_local import SdkLocal, why_not

HERE = {"platform": ["process", "docker", SdkLocal.name], "jobs": ["process", "docker"]}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for kind in HERE.keys() & set(metafunc.fixturenames):
        places = HERE[kind] if metafunc.config.getoption("target") == "here" else ["aws"]
        metafunc.parametrize(kind, places, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A case from which the SDK's local mode deviates must fail there, for as long as it does."""
    not_of_aws = pytest.mark.skip(reason="is about the emulator or its tests, not about AWS")
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if parameters.get("platform") == SdkLocal.name and item.originalname in SDK_LOCAL:
            row = SDK_LOCAL[item.originalname]
            item.add_marker(pytest.mark.xfail(strict=True, raises=(AssertionError, KeyError), reason=str(row)))
        if config.getoption("target") == "aws" and not HERE.keys() & parameters.keys():
            item.add_marker(not_of_aws)


@pytest.fixture(scope="session")
def containers(engine: Any) -> Iterator[DockerRuns]:
    """The engine of this machine; images that tests build are removed at the end."""
    engines.image(engine, BASE)
    runs = DockerRuns(engine.api)
    yield runs
    runs.clear()


@pytest.fixture(scope="session")
def platform(request: pytest.FixtureRequest) -> Platform:
    """Each implementation."""
    if request.param == SdkLocal.name:
        local: Platform = request.getfixturevalue("sdk_local")
        return local
    return OnEndpoint(request.param, request.getfixturevalue(f"{request.param}_jobs"))


@pytest.fixture(scope="session")
def jobs(request: pytest.FixtureRequest) -> Jobs:
    """Each endpoint; tests share it and give their jobs new names."""
    found: Jobs = request.getfixturevalue(f"{request.param}_jobs")
    return found


@pytest.fixture(scope="session")
def process_jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    cloud = new_cloud(ProcessRuns(), tmp_path_factory)
    yield cloud
    cloud.emulator.stop()


@pytest.fixture(scope="session")
def docker_jobs(containers: DockerRuns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    cloud = new_cloud(containers, tmp_path_factory)
    yield cloud
    cloud.emulator.stop()


@pytest.fixture(scope="session")
def aws_jobs() -> Jobs:
    return aws.account()


@pytest.fixture(scope="session")
def sdk() -> Callable[[str], Path]:
    """The Python of an environment that has a SageMaker SDK."""

    def python(name: str) -> Path:
        try:
            return environments.ensure(name)
        except SetUpError as error:
            pytest.skip(f"the environment {name} cannot be made here: {error.message}")

    return python


@pytest.fixture(scope="session")
def sdk_local(
    containers: DockerRuns,
    process_jobs: Cloud,
    sdk: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SdkLocal]:
    if reason := why_not():
        pytest.skip(reason)
    local = SdkLocal(sdk("sdk-v2"), process_jobs.emulator, containers, tmp_path_factory.mktemp("sdk-local"))
    yield local
    local.close()


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
