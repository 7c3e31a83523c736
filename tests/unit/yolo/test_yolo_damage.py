"""What the verbs of the YOLO program say of a damaged model folder, and of a folder that cannot be written to."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.job import ENTRYPOINTS, Job

pytestmark = pytest.mark.pytorch

METADATA = {
    "format": 1, "program": "yolo", "task": "detect", "classes": ["cracked"], "input_size": [64, 64],
    "architecture": "yolov8n", "confidence": 0.25, "nms_iou": 0.4,
}  # fmt: skip
UNTRAINED = """
import sys, yolo
from pathlib import Path
from safetensors.torch import save_file
folder = Path(sys.argv[1])
yolo.prepare_ultralytics(folder / "scratch")
save_file(yolo.new_model("yolov8n", "detect", 1).state_dict(), folder / "model.safetensors")
"""


@pytest.fixture(scope="module")
def weights(pytorch: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("untrained")
    subprocess.run([pytorch, "-c", UNTRAINED, folder], check=True, env=os.environ | {"PYTHONPATH": str(ENTRYPOINTS)})
    return (folder / "model.safetensors").read_bytes()


def run(tmp_path: Path, pytorch: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return Job(tmp_path / "ml", pytorch).run(*arguments)


def cut(model: Path) -> str:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100_000])
    return "model.safetensors holds no weights that can be read"


def without_weights(model: Path) -> str:
    (model / "model.safetensors").unlink()
    return f"there is no model.safetensors ({model}/model.safetensors)"


def of_more_classes(model: Path) -> str:
    (model / "metadata.json").write_text(json.dumps(METADATA | {"classes": ["cracked", "chipped"]}))
    return f"the weights are not those of the model that metadata.json describes ({model}/model.safetensors)"


def bare(model: Path) -> str:
    (model / "metadata.json").write_text('{"format":1}')
    return f'"task" is missing ({model}/metadata.json)'


def of_no_architecture(model: Path) -> str:
    (model / "metadata.json").write_text(json.dumps(METADATA | {"architecture": ["yolov8n"]}))
    return f'"architecture" is not one that a model can have ({model}/metadata.json)'


@pytest.mark.parametrize("damage", [cut, without_weights, of_more_classes, bare, of_no_architecture])
def test_a_damaged_model_is_refused(
    tmp_path: Path, pytorch: Path, weights: bytes, damage: Callable[[Path], str]
) -> None:
    said = damage(model(tmp_path, weights))
    done = run(tmp_path, pytorch, "export", str(tmp_path / "model"), str(tmp_path / "out"), "--format", "torchscript")
    refused(done, said)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, pytorch: Path, weights: bytes) -> None:
    folder = model(tmp_path, weights)
    done = run(tmp_path, pytorch, "export", str(folder), "/dev/null/x", "--format", "torchscript")
    refused(done, "the folder /dev/null/x cannot be made: Not a directory")


def test_a_model_may_be_exported_into_its_own_folder(tmp_path: Path, pytorch: Path, weights: bytes) -> None:
    folder = model(tmp_path, weights)
    done = run(tmp_path, pytorch, "export", str(folder), str(folder), "--format", "torchscript")
    assert done.returncode == 0, done.stderr
    assert (folder / "model.torchscript").is_file()
    assert json.loads((folder / "metadata.json").read_text()) == METADATA


def test_onnx_is_refused_where_it_cannot_be_written(tmp_path: Path, pytorch: Path, weights: bytes) -> None:
    done = run(tmp_path, pytorch, "export", str(model(tmp_path, weights)), str(tmp_path / "out"))
    refused(done, "onnx is not in this environment")
    assert "python3 -m local.environments compile" in done.stderr


def model(tmp_path: Path, weights: bytes) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "metadata.json").write_text(json.dumps(METADATA))
    return folder


def refused(done: subprocess.CompletedProcess[str], said: str) -> None:
    assert done.returncode == 2, done.stderr
    assert said in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr
    assert "hint: " in done.stderr
