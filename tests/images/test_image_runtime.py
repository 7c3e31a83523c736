"""The runtime images: small, without a shell, for any user on a root that cannot be written, made for their machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from containers import gates
from tests.images.container import wait_until
from tests.images.test_image_serve import address, health, ping
from tests.support import anew, compiled
from tests.support.emulator import ROOT

NAMES = ("runtime-amd64", "runtime-arm64")
MOST_BYTES = 250_000_000


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return compiled.small(tmp_path / "model")


@pytest.fixture
def served(engine: Any, built: Callable[[str], Any], model: Path) -> Iterator[Any]:
    container = engine.containers.run(
        built("drydock/runtime-amd64"), ["serve"], user=54321, detach=True, read_only=True,
        volumes=[f"{model}:/opt/ml/model:ro"], ports={"8080/tcp": ("127.0.0.1", None)},
        healthcheck={"interval": 1_000_000_000},
    )  # fmt: skip
    yield container
    container.remove(force=True, v=True)


def test_answers_on_a_read_only_root_and_ends_on_sigterm(served: Any, tmp_path: Path) -> None:
    wait_until(lambda: ping(served) == 200, served)
    picture = compiled.picture(tmp_path / "noise.png").read_bytes()
    request = urllib.request.Request(f"{address(served)}/invocations", picture, {"Content-Type": "image/png"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        assert json.load(reply)["predictions"]
    wait_until(lambda: health(served) == "healthy", served)
    served.stop(timeout=30)
    assert served.wait()["StatusCode"] == 0, served.logs().decode()


def test_a_truncated_model_is_one_clear_error(engine: Any, built: Callable[[str], Any], model: Path) -> None:
    path = model / "model.onnx"
    path.write_bytes(path.read_bytes()[:100])
    container = engine.containers.run(
        built("drydock/runtime-amd64"), ["bench", "/model"], volumes=[f"{model}:/model:ro"], detach=True,
        read_only=True, network_mode="none",
    )  # fmt: skip
    try:
        assert container.wait()["StatusCode"] == 2
        said = container.logs().decode()
    finally:
        container.remove(force=True, v=True)
    assert said.startswith("error: model.onnx is no whole ONNX model (/model/model.onnx)\n\nhint: ")


@pytest.fixture(scope="module", params=NAMES)
def unpacked(
    request: pytest.FixtureRequest, engine: Any, built: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Any, Path]:
    """Name, image and file system of each runtime image, as a tar archive."""
    image = built(f"drydock/{request.param}")
    container = engine.containers.create(image, platform=f"linux/{image.attrs['Architecture']}")
    archive = tmp_path_factory.mktemp("unpacked") / "image.tar"
    try:
        with archive.open("wb") as file:
            for block in container.export():
                file.write(block)
    finally:
        container.remove(force=True, v=True)
    return request.param, image, archive


def test_it_passes_the_gates(unpacked: tuple[str, Any, Path]) -> None:
    name, image, archive = unpacked
    target = gates.targets()[name]
    assert image.attrs["Architecture"] == target.machine
    found = [finding for file in gates.files(str(archive)) for finding in gates.check(file, target)]
    assert not found


def test_it_is_small_and_holds_neither_shell_nor_package_manager(unpacked: tuple[str, Any, Path]) -> None:
    _, image, archive = unpacked
    assert image.attrs["Size"] <= MOST_BYTES
    names = [Path(path).name for path, _ in gates.files(str(archive))]
    assert not {"sh", "dash", "bash", "dpkg", "apt", "perl", "busybox"} & set(names)
    assert image.attrs["Config"]["User"] == "1000:1000"
    assert image.attrs["Config"]["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_it_says_what_it_holds(unpacked: tuple[str, Any, Path]) -> None:
    _, _, archive = unpacked
    files = dict(gates.files(str(archive)))
    document = json.loads(files["usr/share/doc/drydock/sbom.spdx.json"])
    names = {package["name"] for package in document["packages"]}
    assert {"onnxruntime", "numpy", "pillow", "libc6", "python3.11-minimal"} <= names
    lines = files["usr/share/doc/drydock/licences.txt"].decode().splitlines()
    texts = [line.strip().lstrip("/") for line in lines if line.startswith("    /")]
    assert texts
    assert not [path for path in texts if path not in files]


@pytest.mark.slow
def test_two_builds_are_the_same(built: Callable[[str], Any], engine: Any) -> None:
    built("drydock/runtime-arm64")
    tag = f"drydock-test-{os.getpid()}/again"
    anew.runtime("arm64", tag)
    try:
        assert anew.layers(engine, tag) == anew.layers(engine, "drydock/runtime-arm64")
    finally:
        engine.images.remove(tag)


def test_the_sizes_of_its_layers_are_printed(built: Callable[[str], Any]) -> None:
    built("drydock/runtime-arm64")
    command = [sys.executable, "-m", "containers.layers", "drydock/runtime-arm64"]
    table = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert table[0] == "| image | layer | MB |"
    assert [row.split("|")[2].strip() for row in table[2:]] == [
        "ADD rootfs.tar /", "COPY /library /", "COPY /packages /", "COPY /program /", "**all**",
    ]  # fmt: skip


def test_no_stage_of_the_image_runs_anything() -> None:
    lines = (ROOT / "containers/runtime/Dockerfile").read_text().splitlines()
    assert {line.split()[0] for line in lines if line and not line.startswith(("#", " "))} == {
        "FROM", "COPY", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "CMD",
    }  # fmt: skip
