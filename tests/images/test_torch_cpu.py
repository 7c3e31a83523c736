"""Which torch the CPU images take: CPU-only where an index has it, else the general build."""

from __future__ import annotations

import os
import re
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from containers import build, torch_cpu

GENERAL = (torch_cpu.GENERAL / "requirements.lock").read_text()
PINS = dict(re.findall(r"^(torch|torchvision)==(\S+)", GENERAL, re.MULTILINE))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing of each request."""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """A package index that has CPU-only builds of the locked torch and torchvision, which hold nothing."""
    for name, version in PINS.items():
        folder = tmp_path / "index" / name
        folder.mkdir(parents=True)
        wheel = f"{name}-{version}+cpu-py3-none-any.whl"
        write_wheel(folder / wheel, name, f"{version}+cpu")
        (folder / "index.html").write_text(f'<a href="{wheel.replace("+", "%2B")}">{wheel}</a>')
    handler = partial(Quiet, directory=str(tmp_path / "index"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def write_wheel(path: Path, name: str, version: str) -> None:
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_an_index_with_cpu_builds_gives_the_cpu_images_a_lock_of_their_own(index: str, tmp_path: Path) -> None:
    said: list[str] = []
    lock = tmp_path / "cpu" / "requirements.lock"
    variables = torch_cpu.variables({torch_cpu.MIRROR: index}, said.append, lock)
    if not variables and "127.0.0.1" not in said[-1]:
        pytest.skip(f"no package index answers: {said[-1]}")
    assert variables == {"CPU_PACKAGES": "pytorch-cpu", "TORCH_CPU_INDEX": index}
    assert said[-1] == f"torch: CPU-only for the CPU images, from {index} ({lock})"
    text = lock.read_text()
    for name, version in PINS.items():
        assert re.search(rf"^{name}=={re.escape(version)}\+cpu .*\n    --hash=sha256:", text, re.MULTILINE)
    assert re.findall(r"^(?:nvidia|triton)\S+(?===)", text, re.MULTILINE) == ["nvidia-ml-py"]  # ultralytics
    assert index not in text


def test_without_such_an_index_they_take_the_general_build_and_it_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    lock = tmp_path / "cpu" / "requirements.lock"
    assert torch_cpu.variables({torch_cpu.MIRROR: "http://127.0.0.1:9"}, said.append, lock) == {}
    assert said[-1].startswith("torch: no CPU-only build to be had (http://127.0.0.1:9: ")
    assert said[-1].endswith("; CPU and GPU images share the general one")
    assert not lock.parent.exists()


def test_the_bake_file_fills_the_cpu_images_alone_with_it() -> None:
    chosen = {"CPU_PACKAGES": "pytorch-cpu", "TORCH_CPU_INDEX": "http://mirror"}
    if build.reply("docker", "buildx", "version") is None:
        pytest.skip("buildx is not on this machine")
    plan = build.read_plan(["train"], {**os.environ, **chosen})
    filled = {name: target["contexts"]["packages"] for name, target in plan.items() if name.startswith("train-")}
    assert filled["train-cpu-yolo"] == filled["train-cpu-script"] == "target:pytorch-cpu"
    assert filled["train-gpu-yolo"] == filled["train-gpu-script"] == "target:pytorch"
    assert plan["pytorch-cpu"]["args"]["UV_INDEX"] == "http://mirror"
    assert "UV_INDEX" not in plan["pytorch"]["args"]
