"""Jobs of several hosts from the command line: started, refused, and their logs told apart."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.drydock import Drydock
from tests.support.emulator import PROGRAMS
from tests.support.job import generated


@pytest.fixture(scope="module")
def drydock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drydock]:
    command = Drydock(tmp_path_factory.mktemp("cli"))
    up = command("up", "--port", "0", "--programs", str(PROGRAMS))
    assert up.code == 0, up.err
    yield command
    command("down")


def test_the_lines_of_several_hosts_begin_with_their_names(drydock: Drydock) -> None:
    trained = drydock("train", "hello", "--instance-count", "2", "--name", "both-1")
    assert trained.code == 0, trained.err
    assert "at 2 ml." in trained.out  # what it would have cost

    for shown in (
        drydock("logs", "both-1").out,
        drydock("logs", "-f", "both-1").out,
        Path(drydock.runs, "both-1", "log.txt").read_text(),
    ):
        lines = shown.splitlines()
        assert {"algo-1: hello", "algo-2: hello"} <= set(lines)
        assert all(line.startswith(("algo-1: ", "algo-2: ")) for line in lines)


def test_the_lines_of_one_host_stay_as_they_are(drydock: Drydock) -> None:
    drydock("train", "hello", "--name", "alone-1")
    assert "hello" in drydock("logs", "alone-1").out.splitlines()


def test_a_program_for_one_host_is_refused_before_its_data_is_sent(drydock: Drydock) -> None:
    refused = drydock("train", "yolo", "--instance-count", "2")
    assert refused.code == 1
    assert "ResourceConfig.InstanceCount is 2, and the program yolo trains on one host" in refused.err
    assert "sent to" not in refused.err
    assert "generating" not in refused.err


@pytest.mark.pytorch
def test_a_program_that_shares_its_work_trains_on_two_hosts_and_leaves_one_model(
    drydock: Drydock, pytorch: Path, tmp_path: Path
) -> None:
    photographs = generated(pytorch, tmp_path / "photographs", "classification", 24)
    small = ("epochs=2", "img-size=32", "batch-size=8", "freeze=true")
    asked = [word for setting in small for word in ("--hp", setting)]
    trained = drydock(
        "train", "classification", "--instance-count", "2", "--name", "shared-1", "--data", str(photographs), *asked
    )
    assert trained.code == 0, trained.err
    lines = Path(drydock.runs, "shared-1", "log.txt").read_text().splitlines()
    told = {line.partition(": ")[0] for line in lines if "#metric" in line}
    assert told == {"algo-1"}
    assert any(line.startswith("algo-2: algo-2 is one of 2 hosts") for line in lines)
    assert not any("is left out" in line for line in lines)
    with tarfile.open(Path(drydock.runs, "shared-1", "model.tar.gz")) as model:
        assert {"metadata.json", "model.safetensors"} <= {name.removeprefix("./") for name in model.getnames()}
