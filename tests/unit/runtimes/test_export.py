"""`yolo.py export` writes ONNX whose predictions by the runtimes are those of the trained model."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import compiled
from vision import masks, samples

pytestmark = pytest.mark.pytorch


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Photographs of broken cookies."""
    folder = tmp_path_factory.mktemp("samples") / "cookies"
    samples.write(folder, images=12, seed=7)
    return sorted(folder.rglob("anomaly-*.jpg"))[:4]


@pytest.mark.parametrize("task", [pytest.param("detect", marks=pytest.mark.slow), "segment"])
def test_the_compiled_model_predicts_what_the_trained_one_does(
    task: str, compiling: Path, running: Path, pictures: list[Path], tmp_path: Path
) -> None:
    trained, out = compiled.starter(tmp_path / "trained", task, compiling), tmp_path / "out"
    done = compiled.run(compiling, "yolo.py", "export", trained, out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out}/model.onnx\n"
    metadata = json.loads((out / "metadata.json").read_text())
    assert metadata["graph"]["outputs"][0] == "detections"
    assert metadata["input_size"] == [320, 320]
    expected = rows(compiled.run(compiling, "yolo.py", "predict", trained, *pictures))
    found = rows(compiled.run(running, "runtime.py", "predict", out, *pictures))
    assert any(row["predictions"] for row in expected)
    for one, other in zip(expected, found, strict=True):
        assert len(one["predictions"]) == len(other["predictions"])
        for theirs, ours in zip(one["predictions"], other["predictions"], strict=True):
            agree(theirs, ours)


def agree(one: dict[str, Any], other: dict[str, Any]) -> None:
    """OpenCV and Pillow resize the image to within one grey level of each other, so the answers are not the same."""
    assert one["class"] == other["class"]
    assert one["score"] == pytest.approx(other["score"], abs=0.01)
    assert one["box"] == pytest.approx(other["box"], abs=1.0)
    if "mask" in one:
        first, second = masks.decode(one["mask"]), masks.decode(other["mask"])
        assert (first & second).sum() / (first | second).sum() > 0.98


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
