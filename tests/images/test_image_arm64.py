"""The arm64 runtime image answers as the amd64 one does, on processors from a Cortex-A53 to a server's, under QEMU."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from containers import emulate
from local import environments
from local.installer import SetUpError
from tests.images.test_image_serve import address, ping
from tests.support import compiled

ARM64, AMD64 = "drydock/runtime-arm64", "drydock/runtime-amd64"
LIMIT_S = 270
TOLERANCE = 1e-4


@pytest.fixture(autouse=True)
def runnable(built: Callable[[str], Any]) -> None:
    built(ARM64)
    try:
        emulate.check(ARM64)
    except emulate.CannotEmulateError as error:
        pytest.skip(f"{error.message}; {error.hint}")


def golden(engine: Any, image: Any, model: Path, picture: Path) -> Path:
    """The folder with the model, and the answers that the amd64 image gives recorded in it."""
    for path in (model.parent, model):
        path.chmod(0o777)
    (model / picture.name).write_bytes(picture.read_bytes())
    engine.containers.run(
        image, ["verify", "/model", "/model/golden.npz", "--record", f"/model/{picture.name}"],
        volumes=[f"{model}:/model"], network_mode="none", remove=True,
    )  # fmt: skip
    return model


def verified(model: Path, cpu: str, capfd: pytest.CaptureFixture[str], image: str = ARM64) -> None:
    command = ["verify", "/model", "/model/golden.npz", "--threads", "1", "--tolerance", str(TOLERANCE)]
    code = emulate.run(image, command, cpu, LIMIT_S, [f"{model}:/model"])
    said = capfd.readouterr()
    assert code == 0, said.err
    report = json.loads(said.out)
    assert report["largest_difference"] <= TOLERANCE
    assert report["detections"]


def test_the_oldest_processor_gives_the_same_answers(
    engine: Any, built: Callable[[str], Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    picture = compiled.picture(tmp_path / "noise.png")
    model = golden(engine, built(AMD64), compiled.small(tmp_path / "small"), picture)
    verified(model, emulate.CPUS[0], capfd)


@pytest.mark.slow
@pytest.mark.parametrize("cpu", emulate.CPUS[1:])
def test_every_other_processor_does(
    cpu: str, engine: Any, built: Callable[[str], Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    picture = compiled.picture(tmp_path / "noise.png")
    verified(golden(engine, built(AMD64), compiled.small(tmp_path / "small"), picture), cpu, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("cpu", emulate.CPUS)
@pytest.mark.parametrize("jetpack", ["5", "6"])
def test_the_images_for_jetsons_do_on_what_stands_in_for_their_base(
    jetpack: str, cpu: str, engine: Any, built: Callable[[str], Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    image = f"drydock/runtime-l4t:jetpack-{jetpack}"
    built(image)
    picture = compiled.picture(tmp_path / "noise.png")
    verified(golden(engine, built(AMD64), compiled.small(tmp_path / "small"), picture), cpu, capfd, image)


@pytest.mark.slow
@pytest.mark.pytorch
@pytest.mark.parametrize("cpu", emulate.CPUS)
def test_a_real_detector_at_320_pixels_does(
    cpu: str, engine: Any, built: Callable[[str], Any], starter: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = golden(engine, built(AMD64), starter, compiled.defects(tmp_path / "defects.png", seed=18))
    with np.load(model / "golden.npz") as recorded:
        assert recorded["0/detections"][0, :, 4].max() > 0.5, "the picture has defects to find"
    verified(model, cpu, capfd)


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter YOLOv8n as ONNX."""
    try:
        python = environments.ensure("compile")
    except SetUpError as error:
        pytest.skip(f"the compile environment cannot be made here: {error.message}")
    folder = tmp_path_factory.mktemp("starter")
    done = compiled.run(
        python, "yolo.py", "export", compiled.starter(folder / "trained", "detect", python), folder / "onnx"
    )
    assert done.returncode == 0, done.stderr
    return folder / "onnx"


@pytest.mark.slow
def test_it_serves(engine: Any, built: Callable[[str], Any], tmp_path: Path) -> None:
    model, picture = compiled.small(tmp_path / "model"), compiled.picture(tmp_path / "noise.png").read_bytes()
    tmp_path.chmod(0o755)
    container = engine.containers.run(
        built(ARM64), ["serve"], detach=True, read_only=True, platform="linux/arm64", cpuset_cpus="0",
        environment={"QEMU_CPU": "cortex-a72"}, volumes=[f"{model}:/opt/ml/model:ro"],
        ports={"8080/tcp": ("127.0.0.1", None)},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + LIMIT_S
        while ping(container) != 200:
            assert time.monotonic() < deadline, container.logs().decode()
            time.sleep(0.5)
        request = urllib.request.Request(f"{address(container)}/invocations", picture, {"Content-Type": "image/png"})
        with urllib.request.urlopen(request, timeout=LIMIT_S) as reply:
            assert json.load(reply)["predictions"]
    finally:
        container.remove(force=True, v=True)
