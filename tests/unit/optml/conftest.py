"""A job folder in tmp_path and tiny real programs that run in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ENTRYPOINTS = Path(__file__).parents[3] / "entrypoints"

PROGRAM = """
import os, signal, subprocess, sys, time
from dataclasses import dataclass
from pathlib import Path
from optml.errors import Refusal
from optml.hyperparameters import field
from optml.metrics import Registry
from optml.program import Channel, Program, Stopped, Verb, leave_if_stopped, on_stop, stop_requested

@dataclass(frozen=True)
class Hyperparameters:
    epochs: int = field(5, unit="epochs", help="passes over the data", minimum=1)

def wait_for_stop():
    print("ready", flush=True)
    while not stop_requested():
        time.sleep(0.01)

def linger():
    for _ in range(3000):
        time.sleep(0.01)
    os._exit(99)

def train(env, hp):
{train}

def predict(args):
    print("predicting", args.image)

def arguments(parser):
    parser.add_argument("image")

metrics = Registry()
metrics.metric("validation:mAP50", "how good", "1")
program = Program(
    name="tiny", summary="a tiny program", hyperparameters=Hyperparameters, metrics=metrics,
    channels={{"train": Channel(True, "images"), "validation": Channel(False, "more images")}},
    environment="python", images=("train-cpu",),
    verbs={{"train": Verb(train, "train it"), "predict": Verb(predict, "predict one image", arguments)}},
)
if __name__ == "__main__":
    program.main()
"""


@dataclass
class Job:
    """A base folder with one channel, and the processes started in it."""

    base: Path
    environ: dict[str, str] = field(default_factory=dict)
    prefix: list[str] = field(default_factory=list)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def config(self, name: str, content: Any) -> None:
        path = self.base / "input/config" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    def start_script(self, source: str, *arguments: str) -> subprocess.Popen[str]:
        script = self.base.parent / "tiny.py"
        script.write_text(source)
        process = subprocess.Popen(
            [*self.prefix, sys.executable, str(script), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ENTRYPOINTS),
                "PYTHONDONTWRITEBYTECODE": "1",
                "SAGEMAKER_BASE_DIR": str(self.base),
                **self.environ,
            },
        )
        self.processes.append(process)
        return process

    def start(self, train: str, *arguments: str) -> subprocess.Popen[str]:
        """Start the tiny program with this body of `train`; its verb is `train` unless arguments are given."""
        body = textwrap.indent(textwrap.dedent(train).strip(), "    ")
        return self.start_script(PROGRAM.format(train=body), *(arguments or ("train",)))

    def run(self, train: str, *arguments: str) -> tuple[int, str, str]:
        process = self.start(train, *arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    @property
    def failure(self) -> str | None:
        path = self.base / "output/failure"
        return path.read_text() if path.exists() else None


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    base = tmp_path / "ml"
    (base / "input/data/train").mkdir(parents=True)
    (base / "output").mkdir()
    made = Job(base)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
