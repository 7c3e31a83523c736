"""Every train image keeps the contract: any user, no writable root, no network; signals, exit codes, files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.images.conftest import TINY
from tests.images.container import Job, wait_until

BARE = {"read_only": True, "tmpfs": {"/tmp": "mode=1777,exec"}, "shm_size": "64k", "cap_drop": ["ALL"]}
SCRATCH = ("/tmp", "/opt/ml")


@pytest.mark.parametrize(
    ("user", "limits"),
    [(0, {}), (54321, {}), (54321, BARE)],
    ids=["root", "any user", "any user, read-only root, no shared memory"],
)
def test_trains_without_network(train_image: Any, job: Job, user: int, limits: dict[str, Any]) -> None:
    container = job.start(train_image, "train", user, limits, **TINY)
    code = container.wait()["StatusCode"]
    assert code == 0, container.logs().decode()
    assert json.loads((job.base / "model/metadata.json").read_text())["classes"] == ["cracked"]
    assert (job.base / "model/model.safetensors").stat().st_uid == user
    assert "#metric" in container.logs().decode()
    assert not job.failure
    written = [change["Path"] for change in container.diff() or []]
    assert [path for path in written if path != "/opt" and not path.startswith(SCRATCH)] == []


def test_a_stop_saves_and_ends_in_time(train_image: Any, job: Job) -> None:
    container = job.start(train_image, "train", 54321, **TINY | {"epochs": "300"})
    wait_until(job.checkpoints, container)
    container.stop(timeout=120)  # what StopTrainingJob does; 137 would be the SIGKILL that follows
    assert container.wait()["StatusCode"] == 143, container.logs().decode()
    assert (job.base / "model/model.safetensors").is_file()
    assert not job.failure
    kept = int(job.checkpoints()[-1].name)
    code, log = job.run(train_image, 54321, **TINY | {"epochs": str(kept + 1)})
    assert code == 0, log
    assert f"resuming after epoch {kept}" in log


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
