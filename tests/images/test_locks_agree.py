"""The locks of the images agree with each other, and the bake file with the Dockerfiles; no engine needed."""

from __future__ import annotations

import re
from pathlib import Path

from containers import rootfs

CONTAINERS = Path(__file__).resolve().parents[2] / "containers"


def test_what_is_built_from_source_has_the_locked_version() -> None:
    sources, whole = read("sources/requirements.lock"), read("pytorch-script/requirements.lock")
    assert sources.items() <= whole.items()
    for lock in ("tensorflow/cpu.lock", "tensorflow/gpu.lock"):
        assert read(lock)["sagemaker-training"] == sources["sagemaker-training"]


def test_the_image_trains_with_what_the_process_backend_trains_with() -> None:
    ours, image = read("pytorch/requirements.lock"), read("pytorch-script/requirements.lock")
    different = {name for name in ours if ours[name] != image.get(name)}
    assert different <= {"setuptools", "python-dateutil"}  # smdebug and sagemaker-training need older ones


def test_the_tensorflow_image_trains_with_what_the_process_backend_trains_with() -> None:
    ours, image = read("tensorflow/programs.lock"), read("tensorflow/cpu.lock")
    different = {name for name in ours if ours[name] != image.get(name)}
    assert different <= {"setuptools"}  # sagemaker-training needs an older one


def test_the_bake_file_swaps_the_base_that_the_dockerfile_names() -> None:
    name = rootfs.public_name(CONTAINERS / "base/Dockerfile")
    assert f'{{ "{name}" = "target:rootfs" }}' in (CONTAINERS.parent / "docker-bake.hcl").read_text()


def read(lock: str) -> dict[str, set[str]]:
    """Name to versions; a universal lock can have several of one package."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", (CONTAINERS / lock).read_text(), re.MULTILINE):
        versions.setdefault(name, set()).add(version)
    return versions
