"""What jobs of a test are run by: the names of images that hold tests/programs, for each backend, and what is left."""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from local.jobs import supervisor
from tests.support.emulator import PROGRAMS

BASE = "drydock/local"
"""An image with a Python in it."""
REGISTRY = f"test-{os.getpid()}.invalid"
TRAIN = b'#!/bin/sh\nexec python "/opt/programs/$PROGRAM"\n'


class Runs(Protocol):
    """One backend under test."""

    backend: str

    def image(self, program: str) -> str:
        """The TrainingImage that means a program of tests/programs."""

    def left(self, home: Path, pids: Iterable[int]) -> list[str]:
        """What still runs of the jobs of a home; `pids` are ids that a program said its processes have."""


class ProcessRuns:
    """Programs as processes."""

    backend = "process"

    def image(self, program: str) -> str:
        return f"{REGISTRY}/drydock/train-cpu:{program}"

    def left(self, home: Path, pids: Iterable[int]) -> list[str]:
        return [str(pid) for pid in pids if supervisor.process_start(pid) is not None]


class DockerRuns:
    """Programs in images that are built when a test first asks for them; `clear` removes those."""

    backend = "docker"

    def __init__(self, api: Any) -> None:
        """`api` is a docker.APIClient."""
        self.api = api
        self._built: list[str] = []

    def image(self, program: str) -> str:
        name = f"{REGISTRY}/drydock/train-cpu:{program}"
        return name if name in self._built else self.build_program(name, program)

    def build_program(self, name: str, program: str) -> str:
        """Build an image whose `train` is a program of tests/programs, and return its name."""
        files = {f"programs/{path.name}": path.read_bytes() for path in PROGRAMS.glob("*.py")}
        lines = f"COPY train /usr/local/bin/train\nCOPY programs /opt/programs\nENV PROGRAM={_file(program)}"
        return self.build(name, f"FROM {BASE}\n{lines}\n", {"train": TRAIN, **files})

    def build(self, name: str, dockerfile: str, files: Mapping[str, bytes] | None = None) -> str:
        """Build an image, its files executable, and return its name."""
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as tar:
            for path, content in {"Dockerfile": dockerfile.encode(), **(files or {})}.items():
                member = tarfile.TarInfo(path)
                member.size, member.mode = len(content), 0o755
                tar.addfile(member, io.BytesIO(content))
        context.seek(0)
        for event in self.api.build(fileobj=context, custom_context=True, tag=name, rm=True, forcerm=True, decode=True):
            assert "error" not in event, event
        self._built.append(name)
        return name

    def left(self, home: Path, pids: Iterable[int] = ()) -> list[str]:
        mine = {"label": f"drydock.home={home}"}
        containers = [entry["Id"] for entry in self.api.containers(all=True, filters=mine)]
        return containers + [entry["Id"] for entry in self.api.networks(filters=mine)]

    def container(self, home: Path) -> str:
        """The id of the one container that runs for a home."""
        (only,) = self.api.containers(filters={"label": f"drydock.home={home}"})
        return str(only["Id"])

    def hosts(self, home: Path) -> dict[str, str]:
        """The ids of the containers that run for a home, by host of a job that has several."""
        running = self.api.containers(filters={"label": f"drydock.home={home}"})
        return {re.sub(r".*-(?=algo-\d+$)", "", entry["Names"][0]): str(entry["Id"]) for entry in running}

    def clear(self) -> None:
        for name in self._built:
            self.api.remove_image(name, force=True)


def _file(program: str) -> str:
    return f"{program.replace('-', '_')}.py"
