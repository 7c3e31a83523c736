"""The ``drydock`` command as a person runs it, in a home and a runs folder of a test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.emulator import ROOT

TIMEOUT_S = 120


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    """What went to stdout: data."""
    err: str
    """What went to stderr: talk."""

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Drydock:
    """``drydock(*arguments)`` runs one command to its end."""

    folder: Path
    timeout_s: float = TIMEOUT_S

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "local.cli", *arguments]

    def environ(self, **more: str) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        ours = {"PYTHONPATH": str(ROOT), "DRYDOCK_HOME": str(self.home), "DRYDOCK_RUNS": str(self.runs)}
        return inherited | ours | more

    def __call__(self, *arguments: str, **environ: str) -> Result:
        done = subprocess.run(
            self.command(*arguments),
            env=self.environ(**environ),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=self.timeout_s,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Runs a command in the background, stdout and stderr as pipes."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environ(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
