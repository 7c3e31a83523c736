"""The container engine of this machine, for tests that need a real one; skips with the reason where it is not there."""

from __future__ import annotations

from typing import Any

import pytest


def connected() -> Any:
    """A docker.DockerClient that the caller closes."""
    docker = pytest.importorskip("docker", reason="the docker SDK is not in this environment")
    try:
        client = docker.from_env(timeout=280)
        client.ping()
    except docker.errors.DockerException as error:
        pytest.skip(f"no container engine answers here ({str(error)[:120]}); .ci/engine starts one on Debian 12")
    return client


def image(client: Any, name: str) -> Any:
    """The image of a name, which `make images` has built."""
    docker = pytest.importorskip("docker")
    try:
        return client.images.get(name)
    except docker.errors.ImageNotFound:
        pytest.skip(f"there is no image {name} here: make images")
