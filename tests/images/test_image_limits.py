"""Every train image, under the limits that SageMaker or the emulator may set: users, no writable root, no network, no
shared memory; and a stop in the middle. With its program where it has one, else with a script of the user's own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.images.container import Job, wait_until
from tests.images.trainable import OWN, TRAINABLE, Trainable, bring_samples, bring_script

ANYBODY = 54321
SCRATCH = ("/tmp", "/opt/ml")
BARE = {"read_only": True, "tmpfs": {"/tmp": "mode=1777"}, "cap_drop": ["ALL"]}
NO_SHM = {"shm_size": "64k"}
"""Room for the semaphores of Python, without which it has no locks between processes, and for nothing else."""
LIMITS: dict[str, tuple[int, dict[str, Any]]] = {
    "root": (0, {"network_mode": "bridge"}),
    "the caller": (os.getuid() or 1000, {"network_mode": "bridge"}),
    "any user": (ANYBODY, {"network_mode": "bridge"}),
    "no network": (ANYBODY, {"network_mode": "none"}),
    "read-only root": (ANYBODY, BARE | {"network_mode": "bridge"}),
    "no shared memory": (ANYBODY, NO_SHM | {"network_mode": "bridge"}),
    "all at once": (ANYBODY, BARE | NO_SHM | {"network_mode": "none"}),
}
ALWAYS = {"yolo": {"root", "all at once"}, "script": set(LIMITS)}
"""A program takes half a minute: what is not named here runs in `make verify` only."""
ONCE = {"all at once"}
"""Of the other programs, whose images differ from YOLO's or the scripts' in one variable."""


def cases() -> list[Any]:
    """Each image with each limit, slow ones marked."""
    return [
        pytest.param(
            each,
            limit,
            id=f"{each.tag}-{limit}",
            marks=[pytest.mark.slow] * (limit not in ALWAYS.get(each.program, ())),
        )
        for each in TRAINABLE
        for limit in (LIMITS if each.program in ALWAYS else ONCE)
    ]


def images() -> list[Any]:
    """Each image, slow ones marked."""
    return [
        pytest.param(each, id=each.tag, marks=[pytest.mark.slow] * (each.program not in ALWAYS)) for each in TRAINABLE
    ]


@pytest.fixture(params=images())
def trainable(request: pytest.FixtureRequest, built: Callable[[str], Any]) -> Trainable:
    """Each train image that is here."""
    built(request.param.image)
    found: Trainable = request.param
    return found


@pytest.fixture
def prepared(request: pytest.FixtureRequest, trainable: Trainable, tmp_path: Path) -> Job:
    """A job with what the image trains on."""
    job: Job = request.getfixturevalue("scripted")
    if trainable.settings is OWN:
        job.channel("code", bring_script(tmp_path / "code"))
    else:
        engine = request.getfixturevalue("engine")
        job.channel("train", bring_samples(engine, trainable.image, trainable.program, tmp_path / "samples"))
    return job


@pytest.mark.parametrize(("trainable", "limit"), cases(), indirect=["trainable"])
def test_trains_under_a_limit(trainable: Trainable, prepared: Job, limit: str) -> None:
    user, limits = LIMITS[limit]
    container = prepared.start(trainable.image, "train", user, limits, **trainable.epochs(1))
    code, log = container.wait()["StatusCode"], container.logs().decode()
    assert code == 0, log
    assert (prepared.base / "model" / trainable.model).stat().st_uid == user
    assert not prepared.failure
    written = [change["Path"] for change in container.diff() or []]
    assert [path for path in written if path != "/opt" and not path.startswith(SCRATCH)] == []


def test_a_stop_in_the_middle_saves_and_ends_in_time(trainable: Trainable, prepared: Job) -> None:
    container = prepared.start(trainable.image, "train", ANYBODY, **trainable.epochs(100_000))
    wait_until(prepared.checkpoints, container)
    container.stop(timeout=120)  # what StopTrainingJob does; 137 would be the SIGKILL that follows
    assert container.wait()["StatusCode"] == 143, container.logs().decode()
    assert (prepared.base / "model" / trainable.model).is_file()
    assert not prepared.failure
    kept = max(int(path.name) for path in prepared.checkpoints())
    code, log = prepared.run(trainable.image, ANYBODY, **trainable.epochs(kept + 1))
    assert code == 0, log
    assert re.search(rf"resuming after epoch .*\b0*{kept}\b", log), log  # the checkpoint's name ends the line
