"""``drydock new-image``: what it writes is linted, builds, trains and serves by its name, on our image or another."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.cli.new_image import OURS
from tests.images.container import Job, wait_until
from tests.support import emulator as emulators
from tests.support.drydock import Drydock
from tests.support.emulator import ROOT
from tests.support.jobs import Cloud, make_bucket
from tests.support.runners import BASE, DockerRuns

NAME = f"own-{os.getpid()}"


@pytest.fixture(scope="module", params=[OURS, BASE])
def own(
    request: pytest.FixtureRequest, engine: Any, built: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """An image built of what the command writes, made from ours and from one without the launcher."""
    built(OURS)
    built(request.param)
    folder = tmp_path_factory.mktemp("images")
    made = Drydock(folder)("new-image", NAME, "--base", request.param)
    assert made.code == 0, made.err
    subprocess.run(["docker", "build", "--quiet", "--tag", NAME, folder / NAME], check=True, capture_output=True)
    yield engine.images.get(NAME)
    engine.images.remove(NAME, force=True)


@pytest.fixture
def job(engine: Any, tmp_path: Path) -> Iterator[Job]:
    new = Job(engine, tmp_path / "ml")
    yield new
    new.clear()


def test_it_keeps_the_contract(own: Any) -> None:
    config = own.attrs["Config"]
    assert not config["Entrypoint"]
    assert config["Cmd"] == ["train"]
    assert config["Healthcheck"]["Test"] == ["CMD", "healthy"]


def test_a_job_of_its_name_completes_and_can_be_stopped(own: Any, engine: Any, tmp_path: Path) -> None:
    running = emulators.start(tmp_path / "home", backend="docker")
    try:
        make_bucket(running)
        cloud = Cloud(running, DockerRuns(engine.api))
        cloud.create_on("first", NAME, HyperParameters={"epochs": "2"})
        assert any("epoch=2 name=validation:rmse" in line for line in cloud.completed("first"))
        assert set(cloud.archive("first")) == {"model.json", "metadata.json"}
        cloud.create_on("long", NAME, HyperParameters={"epochs": "1000000"})
        cloud.said("long", "#metric epoch=2 ")
        running.client("sagemaker").stop_training_job(TrainingJobName="long")
        assert cloud.ended("long")["TrainingJobStatus"] == "Stopped"
        assert not any("SIGKILL" in line for line in cloud.log("long"))
    finally:
        running.stop()


def test_any_user_runs_it_on_a_root_that_nobody_can_write_to(own: Any, job: Job) -> None:
    code, log = job.run(own, 54321, {"read_only": True, "tmpfs": {"/tmp": ""}})
    assert code == 0, log
    assert (job.base / "model/metadata.json").stat().st_uid == 54321


def test_a_stop_is_obeyed_by_process_1(own: Any, job: Job) -> None:
    container = job.start(own, epochs="1000000")
    wait_until(job.checkpoints, container)
    container.kill("SIGTERM")
    assert container.wait(timeout=30)["StatusCode"] == 143
    assert not job.failure


def test_it_serves_what_it_trained(own: Any, job: Job) -> None:
    assert job.run(own)[0] == 0
    server = job.start(own, "serve", 54321, {"network_mode": "bridge", "ports": {"8080/tcp": ("127.0.0.1", None)}})
    wait_until(lambda: b"serving" in server.logs(), server)
    url = f"http://127.0.0.1:{server.ports['8080/tcp'][0]['HostPort']}/invocations"
    request = urllib.request.Request(url, data=b"1,0\n", headers={"Content-Type": "text/csv"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        assert json.load(reply)["predictions"] == pytest.approx([4], abs=0.2)
    server.stop(timeout=30)
    assert server.wait()["StatusCode"] == 0


def test_a_program_that_was_not_copied_is_named(own: Any, job: Job) -> None:
    code, log = job.run(own, 0, {"environment": {"DRYDOCK_PROGRAM": "/opt/own/other.py"}})
    assert code == 2
    assert log.startswith("error: this image has no program /opt/own/other.py")


@pytest.mark.parametrize("base", [OURS, "python:3.12-slim"])
def test_hadolint_finds_nothing(tmp_path: Path, base: str) -> None:
    assert Drydock(tmp_path)("new-image", "linted", "--base", base).code == 0
    command = [Path(sys.executable).parent / "hadolint", "--config", ROOT / "containers/hadolint.yaml"]
    done = subprocess.run([*command, tmp_path / "linted/Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_base_needs_no_root_and_keeps_its_user(tmp_path: Path) -> None:
    assert Drydock(tmp_path)("new-image", "own", "--base", "jupyter/base-notebook").code == 0
    dockerfile = (tmp_path / "own/Dockerfile").read_text()
    assert "\nUSER " not in dockerfile
    assert "\nRUN " not in dockerfile.rpartition("\nFROM jupyter/base-notebook\n")[2]
    written = re.findall(r"mkdir -p (\S+)|ln -s \S+ \S+ (\S+);", dockerfile)
    assert {path.split("/")[1] for found in written for path in found if path} == {"tmp"}


@pytest.mark.parametrize(("name", "base"), [("Own", OURS), ("a_", OURS), ("own", "no image"), ("own", "--pull")])
def test_bad_names_are_refused(tmp_path: Path, name: str, base: str) -> None:
    refused = Drydock(tmp_path)("new-image", name, f"--base={base}")
    assert refused.code == 2
    assert "cannot be the name of an image" in refused.err or "is not the name of an image" in refused.err
    assert not (tmp_path / name).exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/program.py").write_text("# mine\n")
    refused = Drydock(tmp_path)("new-image", "own")
    assert refused.code == 2
    assert "own/program.py is there already" in refused.err
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["program.py"]
