"""A job folder laid out as SageMaker lays out /opt/ml, to run a program in without an emulator."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.support.emulator import ROOT

ENTRYPOINTS = ROOT / "entrypoints"


class Job:
    """`base` stands for /opt/ml."""

    def __init__(self, base: Path, python: Path, program: str = "yolo.py") -> None:
        self.base = base
        self.environ: dict[str, str] = {}
        self.command = [str(python), str(ENTRYPOINTS / program)]
        for folder in ("input/config", "input/data", "model", "output", "checkpoints"):
            (base / folder).mkdir(parents=True, exist_ok=True)

    def channel(self, name: str, content: Path) -> None:
        (self.base / "input" / "data" / name).symlink_to(content)

    def configure(self, **hyperparameters: str) -> None:
        text = json.dumps({name.replace("_", "-"): value for name, value in hyperparameters.items()})
        (self.base / "input" / "config" / "hyperparameters.json").write_text(text)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *(arguments or ("train",))],
            env=os.environ | {"SAGEMAKER_BASE_DIR": str(self.base), "PYTHONUNBUFFERED": "1"} | self.environ,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: str, timeout_s: float = 280) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout_s)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @property
    def failure(self) -> str:
        path = self.base / "output" / "failure"
        return path.read_text() if path.exists() else ""

    def model(self, name: str) -> Path:
        return self.base / "model" / name

    def output(self, name: str) -> Path:
        return self.base / "output" / "data" / name
