"""A job folder laid out as SageMaker lays out /opt/ml, to run a program in without an emulator."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import metric_lines
from tests.support.emulator import ROOT

ENTRYPOINTS = ROOT / "entrypoints"


@contextmanager
def unmade(folder: Path) -> Iterator[bool]:
    """Whether a folder that the workers of a test run share is still to be made, which one of them does within."""
    with folder.with_name(f"{folder.name}.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        yield not lock.read()
        lock.write("made")


def generated(python: Path, folder: Path, kind: str, images: int) -> Path:
    """The folder, filled with generated images for a kind of task, unless another worker did so before."""
    command = [python, "-m", "vision.samples", folder, "--kind", kind, "--images", str(images), "--seed", "7"]
    with unmade(folder) as new:
        if new:
            subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(ENTRYPOINTS)})
    return folder


def unrun(base: Path, python: Path, program: str, train: Path) -> Job:
    """A job of a program on its training images, not yet run."""
    job = Job(base, python, program)
    job.channel("train", train)
    return job


def finished(base: Path, python: Path, program: str, train: Path, **hyperparameters: str) -> tuple[Job, str]:
    """A job that has run, and what it printed."""
    job = unrun(base, python, program, train)
    job.configure(**hyperparameters)
    done = job.run()
    assert done.returncode == 0, done.stderr
    return job, done.stdout + done.stderr


def shared(base: Path, python: Path, program: str, train: Path, **hyperparameters: str) -> tuple[Job, str]:
    """`finished`, which the first worker of a test run that needs it waits for; the tests of all look at it."""
    printed = base.with_name(f"{base.name}.txt")
    with unmade(base) as new:
        if new:
            printed.write_text(finished(base, python, program, train, **hyperparameters)[1])
    return Job(base, python, program), printed.read_text()


class Job:
    """`base` stands for /opt/ml."""

    def __init__(self, base: Path, python: Path, program: str = "yolo.py") -> None:
        self.base = base
        self.environ: dict[str, str] = {}
        self.program = Path(program).stem
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
        """Train, or what else the arguments say; whatever a training prints must fit its metric definitions."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout_s)
        if not arguments:
            metric_lines.caught(self.program, out + err)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def interrupted(self, line: str, number: signal.Signals) -> subprocess.CompletedProcess[str]:
        """Train, and send a signal when a line of its log begins so; what it printed after that."""
        process = self.start()
        assert process.stdout is not None
        for printed in process.stdout:
            if printed.startswith(line):
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
        metric_lines.caught(self.program, out + err)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def refused(self) -> str:
        """Train, which must be refused: its error, told in the same words everywhere, and no model."""
        done = self.run()
        assert done.returncode == 2, done.stdout + done.stderr
        assert f"error: {self.failure.splitlines()[0]}" in done.stderr.splitlines()
        assert "Traceback" not in done.stderr
        assert "hint: " in done.stderr
        assert str(self.base) not in self.failure
        assert not any(self.base.joinpath("model").iterdir())
        return self.failure

    @property
    def failure(self) -> str:
        path = self.base / "output" / "failure"
        return path.read_text() if path.exists() else ""

    def model(self, name: str) -> Path:
        return self.base / "model" / name

    def output(self, name: str) -> Path:
        return self.base / "output" / "data" / name
