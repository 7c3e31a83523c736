"""An engine that cannot run jobs is refused with what to do about it. Small servers stand for the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local.cli import check
from local.installer import SetUpError
from local.jobs import engine
from tests.support import fake_engine
from tests.support.drydock import Drydock

VERSION, INFO = fake_engine.VERSION, fake_engine.INFO


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes an engine answer with facts that differ from a healthy one's."""
    with ExitStack() as servers:

        def serve(**different: Any) -> None:
            version = VERSION | {name: value for name, value in different.items() if name in VERSION}
            info = INFO | {name: value for name, value in different.items() if name in INFO}
            servers.enter_context(fake_engine.running(tmp_path / "engine.sock", {"/version": version, "/info": info}))

        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
        yield serve


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a docker on the PATH whose engine has a version."""

    def put(version: str) -> None:
        (tmp_path / "docker").write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / "docker").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return put


def refusal() -> tuple[str, str]:
    with pytest.raises(SetUpError) as caught:
        engine.connect()
    assert caught.value.hint.endswith("or run jobs as processes: --backend process")
    return caught.value.message, caught.value.hint


def test_an_engine_is_known_by_what_it_says(serve: Callable[..., None]) -> None:
    serve(Runtimes={"runc": {}, "nvidia": {}})
    found = engine.connect()
    try:
        assert (found.architecture, found.memory_bytes) == ("amd64", 16 << 30)
        assert found.has_gpus
        assert found.kernel == "6.1.0-18-amd64"
    finally:
        found.close()


def test_no_engine(serve: Callable[..., None]) -> None:
    message, hint = refusal()
    assert message.startswith("no container engine answers at unix:///")
    assert ".ci/engine" in hint


@pytest.mark.parametrize("api_version", ["1.30", "1.12"])
def test_an_engine_that_is_too_old(serve: Callable[..., None], api_version: str) -> None:
    serve(ApiVersion=api_version, Version="17.06")
    message, hint = refusal()
    assert "too old" in message
    assert "Docker 20.10 or newer" in hint


def test_the_command_line_says_that_an_engine_is_too_old(
    serve: Callable[..., None], docker: Callable[[str], None], tmp_path: Path
) -> None:
    serve(ApiVersion="1.30", Version="17.06")
    docker("17.06")
    refused = Drydock(tmp_path)("up", "--backend", "docker")
    assert refused.code == 1
    assert refused.err.startswith("error: the container engine 17.06 is too old")
    assert "\n\nhint: install Docker 20.10 or newer" in refused.err
    assert not (tmp_path / "home").exists()
    finding = check.engine()
    assert finding.detail.startswith("the container engine 17.06 is too old")
    assert "Docker 20.10 or newer" in finding.remedy


def test_an_engine_that_runs_jobs_may_be_too_old_to_build_images(
    serve: Callable[..., None], docker: Callable[[str], None]
) -> None:
    serve(ApiVersion="1.41", Version="20.10.24")
    docker("20.10.24")
    finding = check.engine()
    assert finding.detail == "the container engine is 20.10.24; the bake file needs 23 or newer; it only runs jobs"
    assert ".ci/engine" in finding.remedy


@pytest.mark.parametrize(
    ("different", "complaint"),
    [
        ({"SecurityOptions": ["name=seccomp", "name=rootless"]}, "rootless"),
        ({"Os": "windows"}, "runs windows containers"),
    ],
)
def test_an_engine_of_another_kind(serve: Callable[..., None], different: dict[str, Any], complaint: str) -> None:
    serve(**different)
    assert complaint in refusal()[0]


def test_an_engine_of_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2376")
    message, hint = refusal()
    assert "tcp://10.0.0.1:2376" in message
    assert "unset DOCKER_HOST" in hint
