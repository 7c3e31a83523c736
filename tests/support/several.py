"""A job on several hosts without an emulator: a job folder each, and names that find each other as its backend's do."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.jobs import names, process
from tests.support import metric_lines
from tests.support.job import unrun

PATIENCE_S = 120


class Several:
    """Two hosts, or as many as are asked for, that run one program on the same images."""

    def __init__(self, folder: Path, python: Path, program: str, train: Path, hosts: int = 2) -> None:
        listed = [f"algo-{number}" for number in range(1, hosts + 1)]
        self.jobs = [unrun(folder / host, python, program, train) for host in listed]
        table = folder / "names"
        table.write_text(names.content(process.addresses(listed)), "utf-8", "surrogateescape")
        named = [sys.executable, "-I", "-S", names.__file__, str(table)]
        look = [*named, sys.executable, "-c", "import socket; socket.gethostbyname('algo-2')"]
        if subprocess.run(look, check=False, capture_output=True).returncode:
            pytest.skip("programs cannot have host names of their own here")
        for host, job in zip(listed, self.jobs, strict=True):
            resources = {"current_host": host, "hosts": listed, "network_interface_name": "lo"}
            (job.base / "input/config/resourceconfig.json").write_text(json.dumps(resources))
            job.command = [*named, *job.command]

    def configure(self, **hyperparameters: str) -> None:
        for job in self.jobs:
            job.configure(**hyperparameters)

    def start(self) -> list[subprocess.Popen[str]]:
        """The programs, of which `ended` tells more."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        for job in self.jobs:
            job.environ = {"MASTER_PORT": port, "NCCL_HOSTID": job.base.name}
        return [job.start() for job in self.jobs]

    def ended(self, programs: list[subprocess.Popen[str]]) -> list[subprocess.CompletedProcess[str]]:
        """How each ended; whatever they printed must fit the metric definitions."""
        done = []
        for program in programs:
            out, err = program.communicate(timeout=PATIENCE_S)
            metric_lines.caught(self.jobs[0].program, out + err)
            done.append(subprocess.CompletedProcess(program.args, program.returncode, out, err))
        return done

    def run(self) -> list[subprocess.CompletedProcess[str]]:
        """Train to the end, which must be a good one."""
        done = self.ended(self.start())
        assert [one.returncode for one in done] == [0] * len(done), [one.stderr for one in done]
        return done


def said(program: subprocess.Popen[str], line: str) -> None:
    """Wait for a line of stdout that begins so."""
    assert program.stdout is not None
    deadline = time.monotonic() + PATIENCE_S
    for printed in program.stdout:
        if printed.startswith(line):
            return
        assert time.monotonic() < deadline
    raise AssertionError(f"the program ended and did not say {line}")
