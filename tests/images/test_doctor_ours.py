"""`drydock doctor` has nothing to say of our own images, looked at and run: trained, stopped, served, as any user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from containers import build
from tests.images.container import Job
from tests.images.trainable import OWN, TINY, bring_samples, bring_script
from tests.support import compiled
from tests.support.doctored import Doctor

STACKS = ("train-cpu", "train-gpu", "train-tf-cpu", "train-tf-gpu")
AS_USER = "DD202"
"""Told of every server that is not root, which a runtime image is not on purpose: it is for devices."""
SMALL = {"train-cpu:script"}
"""Always run; the others take as long again each."""
TRAINING = [*build.program_tags(), *(f"{stack}:script" for stack in STACKS)]
DEVICES = {
    "runtime-arm64": ("raspberry-pi-3", "raspberry-pi-5"),
    "runtime-l4t:jetpack-5": ("jetpack5", "jetpack6"),
    "runtime-l4t:jetpack-6": ("jetpack6",),
}
LIMITS = ("--timeout", "60", "--grace", "120")
"""What SageMaker leaves a job that is stopped; the doctor's own default is shorter, for machines with nothing to do."""
ECHO = "def model_fn(folder): return str\n"


@pytest.fixture
def data(tag: str, built: Callable[[str], Any], engine: Any, tmp_path: Path) -> Path:
    """What an image trains on: generated photographs of its program, or a script of the user's own."""
    image, name = built(f"drydock/{tag}"), tag.split(":")[1]
    if name == "script":
        return bring_script(tmp_path / "code")
    return bring_samples(engine, image, name, tmp_path / "samples")


@pytest.fixture
def job(engine: Any, data: Path, tag: str, tmp_path: Path) -> Iterator[Job]:
    new = Job(engine, tmp_path / "ml")
    new.channel(channel(tag), data)
    yield new
    new.clear()


def channel(tag: str) -> str:
    return "code" if tag.endswith(":script") else "train"


@pytest.mark.parametrize("tag", [pytest.param(tag, marks=[pytest.mark.slow] * (tag not in SMALL)) for tag in TRAINING])
def test_an_image_that_trains_is_clean(doctor: Doctor, tag: str, job: Job, data: Path) -> None:
    image = f"drydock/{tag}"
    settings = OWN if tag.endswith(":script") else TINY
    code, log = job.run(image, **settings, epochs="1")
    assert code == 0, log
    if settings is OWN:
        (job.base / "model/code").mkdir()
        (job.base / "model/code/inference.py").write_text(ECHO)
    given = ["--data", f"{channel(tag)}={data}", "--model", str(job.base / "model"), *LIMITS]
    for name, value in {**settings, "epochs": "100000"}.items():
        given += ["--hp", f"{name}={value}"]

    report = doctor(image, *given)

    assert report["findings"] == []
    assert report["checked_for"] == ["serve", "train"]
    assert report["not_run"] is None


def test_the_runtime_image_is_clean_served(doctor: Doctor, built: Callable[[str], Any], tmp_path: Path) -> None:
    built("drydock/runtime-amd64")
    model = compiled.small(tmp_path / "model")

    report = doctor("drydock/runtime-amd64", "--model", str(model), "--for", "serve", "--for", "device")

    assert [finding["code"] for finding in report["findings"]] == [AS_USER]
    assert report["not_run"] is None


@pytest.mark.parametrize(("name", "device"), [(name, device) for name in DEVICES for device in DEVICES[name]])
def test_a_runtime_image_is_clean_for_its_devices(
    doctor: Doctor, built: Callable[[str], Any], name: str, device: str
) -> None:
    built(f"drydock/{name}")

    assert doctor(f"drydock/{name}", "--device", device)["findings"] == []


@pytest.mark.parametrize(("name", "device"), [(name, devices[0]) for name, devices in DEVICES.items()])
def test_it_names_the_oldest_of_them_itself(
    doctor: Doctor, built: Callable[[str], Any], name: str, device: str
) -> None:
    built(f"drydock/{name}")

    report = doctor(f"drydock/{name}")

    assert (report["device"], report["findings"]) == (device, [])


def test_the_image_of_the_emulator_is_clean(doctor: Doctor, built: Callable[[str], Any]) -> None:
    built("drydock/local")

    assert doctor("drydock/local", "--for", "other")["findings"] == []
