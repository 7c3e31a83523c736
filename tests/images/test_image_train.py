"""What the images that hold a program promise beside test_image_limits.py: process 1, exit codes, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.images.conftest import TINY
from tests.images.container import Job, wait_until


def test_process_1_is_ours_and_the_program_has_a_group_of_its_own(train_image: Any, job: Job) -> None:
    container = job.start(train_image, "train", **TINY | {"epochs": "300"})
    wait_until(job.checkpoints, container)
    code, listing = container.exec_run(["python", "-c", PROCESSES])
    assert code == 0, listing
    processes = [line.split() for line in listing.decode().splitlines()]
    assert "Z" not in {state for _, _, _, state in processes}
    worker = next(pid for pid, parent, _, _ in processes if parent == "1")
    assert [group for pid, _, group, _ in processes if pid == worker] == [worker]


def test_a_refusal_is_told_alike_everywhere(train_image: Any, job: Job) -> None:
    code, log = job.run(train_image, 54321, **TINY | {"img-size": "333"})
    assert code == 2
    error = next(line for line in log.splitlines() if line.startswith("error: "))
    assert job.failure.splitlines()[0] == error.removeprefix("error: ")


def test_without_a_program_or_a_script_the_image_says_what_to_do(built: Callable[[str], Any], job: Job) -> None:
    code, log = job.run(built("drydock/train-cpu:script"), 54321)
    assert code == 2
    assert "sagemaker_program" in log
    assert job.failure.startswith("nothing says what to train")


PROCESSES = """
from pathlib import Path
for folder in Path("/proc").glob("[0-9]*"):
    state, parent, group = (folder / "stat").read_text().rpartition(") ")[2].split()[:3]
    print(folder.name, parent, group, state)
"""
