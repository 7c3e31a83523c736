"""The container engine of this machine, for tests that need a real one; skips with the reason where it is not there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from containers import build
from containers.build import DIRTY
from tests.support.emulator import ROOT

REVISION = "org.opencontainers.image.revision"
SOURCES = ("containers", "entrypoints", "docker-bake.hcl")
"""What every image is made of; that of the emulator holds `local` too."""


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
    """The image of a name, which `make images` has built of what is tested; DRYDOCK_STALE_IMAGES=1 takes any."""
    docker = pytest.importorskip("docker")
    try:
        found = client.images.get(name)
    except docker.errors.ImageNotFound:
        pytest.skip(f"there is no image {name} here: make images")
    sources = (*SOURCES, "local") if name.startswith("drydock/local") else SOURCES
    difference = changed_since(found.labels.get(REVISION, ""), sources)
    if difference and os.environ.get("DRYDOCK_STALE_IMAGES") != "1":
        pytest.skip(f"{name} {difference}: make images")
    return found


def changed_since(revision: str, sources: tuple[str, ...], checkout: Path = ROOT) -> str | None:
    """What tells an image of a commit from one of HEAD, in words; None if nothing does or this is no repository.

    One of uncommitted changes is taken for one of those that are there.
    """
    head = _git(checkout, "rev-parse", "HEAD")
    base = revision.removesuffix(DIRTY)
    if head is None or revision == head:
        return None
    commit = f"commit {base[:7]}" if base else "no commit"
    if not base or _git(checkout, "cat-file", "-e", f"{base}^{{commit}}") is None:
        return f"was built from {commit}, which this repository does not have"
    changed = [path for path in sources if _git(checkout, "diff", "--quiet", base, "HEAD", "--", path) is None]
    if changed:
        verb = "has" if len(changed) == 1 else "have"
        return f"was built from {commit}, and {', '.join(changed)} {verb} changed since"
    if base != revision and not build.revision(checkout).endswith(DIRTY):
        return f"was built from uncommitted changes to {commit}, which are not there any more"
    return None


def _git(checkout: Path, *arguments: str) -> str | None:
    """What git prints; None if it fails, or is not there."""
    try:
        done = subprocess.run(["git", "-C", checkout, *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
