"""What `runtime.py` answers for a small compiled model, and how it refuses what it cannot run."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.support import compiled
from tests.support.compiled import METADATA, ROWS, SIDE, run
from tests.support.job import Job


def test_predictions_are_boxes_in_pixels_of_the_image(running: Path, small: Path, picture: Path) -> None:
    done = run(running, "runtime.py", "predict", small, picture, "--confidence", "0.1")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert (row["width"], row["height"]) == (60, 40)
    assert 0 < len(row["predictions"]) < ROWS
    for found in row["predictions"]:
        x1, y1, x2, y2 = found["box"]
        assert 0 <= x1 <= x2 <= 60
        assert 0 <= y1 <= y2 <= 40
        assert found["class"] == METADATA["classes"][found["class_id"]]
    scores = [found["score"] for found in row["predictions"]]
    assert scores == sorted(scores, reverse=True)


def test_no_two_predictions_of_a_class_overlap(running: Path, small: Path, picture: Path) -> None:
    (small / "metadata.json").write_text(json.dumps(METADATA | {"nms_iou": 0.0}))
    few = found(run(running, "runtime.py", "predict", small, picture))
    (small / "metadata.json").write_text(json.dumps(METADATA | {"nms_iou": 1.0}))
    many = found(run(running, "runtime.py", "predict", small, picture))
    assert len(few) < len(many)
    assert all(prediction in many for prediction in few)


@pytest.fixture
def served(running: Path, small: Path, tmp_path: Path) -> Iterator[str]:
    job = Job(tmp_path / "ml", running, "runtime.py")
    job.environ = {"SAGEMAKER_BIND_TO_PORT": "0"}
    for path in small.iterdir():
        (job.base / "model" / path.name).write_bytes(path.read_bytes())
    process = job.start("serve")
    assert process.stdout is not None
    yield process.stdout.readline().split()[-1]
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


def test_serves_what_predict_prints(served: str, running: Path, small: Path, picture: Path) -> None:
    request = urllib.request.Request(f"{served}/invocations", picture.read_bytes(), {"Content-Type": "image/png"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        answer = json.load(reply)
    assert answer["predictions"] == found(run(running, "runtime.py", "predict", small, picture))
    wrong = urllib.request.Request(f"{served}/invocations", b"a,b\n", {"Content-Type": "text/csv"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(wrong, timeout=60)
    assert refused.value.code == 415


def test_bench_prints_percentiles(running: Path, small: Path) -> None:
    done = run(running, "runtime.py", "bench", small, "--runs", "9")
    assert done.returncode == 0, done.stderr
    numbers = json.loads(done.stdout)
    assert 0 < numbers["min_ms"] <= numbers["p50_ms"] <= numbers["p99_ms"]
    assert (numbers["runs"], numbers["shape"]) == (9, [1, 3, SIDE, SIDE])


def test_verify_accepts_the_same_answers_and_refuses_others(running: Path, small: Path, picture: Path) -> None:
    golden = small / "golden.npz"
    assert run(running, "runtime.py", "verify", small, golden, "--record", picture).returncode == 0
    done = run(running, "runtime.py", "verify", small, golden)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["largest_difference"] <= 1e-6
    assert 0 < report["detections"] <= 2 * ROWS
    compiled.small(small, operator="Sigmoid")
    done = run(running, "runtime.py", "verify", small, golden)
    assert "the model's answers differ from golden.npz" in error(done)
    assert json.loads(done.stdout)["largest_difference"] > 1e-4


def test_verify_says_that_it_compared_no_detection(running: Path, small: Path, picture: Path) -> None:
    compiled.change(small, lambda graph: graph.initializer[2].CopyFrom(compiled.weights("scale", (1, 6, 1))))
    golden = small / "golden.npz"
    assert run(running, "runtime.py", "verify", small, golden, "--record", picture).returncode == 0
    report = json.loads(run(running, "runtime.py", "verify", small, golden).stdout)
    assert (report["largest_difference"], report["detections"]) == (0, 0)


def cut(model: Path) -> str:
    path = model / "model.onnx"
    path.write_bytes(path.read_bytes()[:-10])
    return f"model.onnx is no whole ONNX model ({path})"


def empty(model: Path) -> str:
    (model / "model.onnx").write_bytes(b"")
    return "model.onnx is no whole ONNX model"


def gone(model: Path) -> str:
    (model / "model.onnx").unlink()
    return "there is no model.onnx"


def of_an_unknown_operator(model: Path) -> str:
    compiled.small(model, operator="Frobnicate")
    return "model.onnx uses the operator Frobnicate (opset 17), which ONNX Runtime"


def of_an_unknown_opset(model: Path) -> str:
    compiled.small(model, opset=99)
    return "model.onnx has opset 99; ONNX Runtime"


def of_an_opset_without_its_operators(model: Path) -> str:
    compiled.small(model, opset=3)
    return "model.onnx is no graph that ONNX Runtime"


def of_numbers_that_nothing_computes(model: Path) -> str:
    def bfloat16(graph: Any) -> None:
        middle = next(node for node in graph.node if node.name == "middle")
        given, taken = middle.input[0], middle.output[0]
        middle.input[0], middle.output[0] = "narrow", "narrowed"
        at = list(graph.node).index(middle)
        graph.node.insert(at, helper.make_node("Cast", [given], ["narrow"], to=TensorProto.BFLOAT16))
        graph.node.insert(at + 2, helper.make_node("Cast", ["narrowed"], [taken], to=TensorProto.FLOAT))

    compiled.change(model, bfloat16)
    return "model.onnx uses the operator Relu (opset 14) for numbers of a type that ONNX Runtime"


def of_an_unknown_format(model: Path) -> str:
    compiled.small(model, ir_version=99)
    return "model.onnx has ONNX IR 99; ONNX Runtime"


def of_another_size(model: Path) -> str:
    (model / "metadata.json").write_text(json.dumps(METADATA | {"input_size": [64, 64]}))
    return "metadata.json says that the input is (1, 3, 64, 64), the model takes (1, 3, 32, 32)"


def not_compiled(model: Path) -> str:
    (model / "metadata.json").write_text(json.dumps({k: v for k, v in METADATA.items() if k != "graph"}))
    return 'metadata.json has no "graph", so this is no compiled model'


def for_another_runtime(model: Path) -> str:
    (model / "metadata.json").write_text(json.dumps(METADATA | {"graph": {"file": "model.engine"}}))
    return "nothing here runs model.engine"


def of_any_batch(model: Path) -> str:
    compiled.change(model, lambda graph: setattr(graph.input[0].type.tensor_type.shape.dim[0], "dim_param", "N"))
    return "the model's input is not one float tensor of fixed shape, but images tensor(float) ['N', 3, 32, 32]"


def without_detections(model: Path) -> str:
    def rename(graph: Any) -> None:
        graph.output[0].name = graph.node[-1].output[0] = "output0"

    compiled.change(model, rename)
    return "the model's outputs are output0, and a compiled detector's is detections"


def with_columns_for_rows(model: Path) -> str:
    def lay_down(graph: Any) -> None:
        graph.node[-1].attribute[0].CopyFrom(helper.make_attribute("perm", [0, 1, 2]))
        sides = graph.output[0].type.tensor_type.shape.dim
        sides[1].dim_value, sides[2].dim_value = 6, ROWS

    compiled.change(model, lay_down)
    return "the model's detections are (1, 6, 64), and a compiled detector's (1, K, 6)"


def of_layers_that_do_not_fit(model: Path) -> str:
    compiled.change(model, lambda graph: graph.initializer[1].CopyFrom(compiled.weights("w2", (6, 4, 3, 3))))
    return "loads model.onnx and cannot run it: "


@pytest.mark.parametrize(
    "damage",
    [cut, empty, gone, of_an_unknown_operator, of_an_unknown_opset, of_an_opset_without_its_operators,
     of_numbers_that_nothing_computes, of_an_unknown_format, of_another_size, not_compiled, for_another_runtime,
     of_any_batch, without_detections, with_columns_for_rows, of_layers_that_do_not_fit],
)  # fmt: skip
def test_a_damaged_model_is_refused(running: Path, small: Path, picture: Path, damage: Callable[[Path], str]) -> None:
    said = damage(small)
    done = run(running, "runtime.py", "predict", small, picture)
    assert said in error(done)
    assert "Traceback" not in done.stderr


def test_a_server_is_not_ready_with_a_model_that_cannot_run(running: Path, small: Path, tmp_path: Path) -> None:
    said = of_layers_that_do_not_fit(small)
    job = Job(tmp_path / "ml", running, "runtime.py")
    job.environ = {"SAGEMAKER_BIND_TO_PORT": "0"}
    for path in small.iterdir():
        (job.base / "model" / path.name).write_bytes(path.read_bytes())
    process = job.start("serve")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert said in err


def test_answers_that_are_no_numbers_are_not_right(running: Path, small: Path, picture: Path) -> None:
    golden = small / "golden.npz"
    assert run(running, "runtime.py", "verify", small, golden, "--record", picture).returncode == 0
    compiled.change(small, lambda graph: graph.initializer[3].CopyFrom(compiled.weights("nudge", (1, 6, 1), np.nan)))
    done = run(running, "runtime.py", "verify", small, golden)
    assert "the model's answers differ from golden.npz" in error(done)
    assert json.loads(done.stdout)["largest_difference"] > 1


@pytest.mark.parametrize("threads", ["0", "-2"])
def test_no_threads_are_refused(running: Path, small: Path, threads: str) -> None:
    assert f"--threads is {threads}" in error(run(running, "runtime.py", "bench", small, "--threads", threads))


def test_there_is_no_training(running: Path) -> None:
    assert 'runtime has no verb "train"' in error(run(running, "runtime.py", "train"))


def test_a_golden_file_that_is_none_is_refused(running: Path, small: Path, tmp_path: Path) -> None:
    assert "there is no gone.npz" in error(run(running, "runtime.py", "verify", small, tmp_path / "gone.npz"))
    (tmp_path / "text.npz").write_text("text")
    assert "it is no whole .npz file" in error(run(running, "runtime.py", "verify", small, tmp_path / "text.npz"))
    answer = {"0/input": np.zeros((1, 3, SIDE, SIDE), np.float32), "0/detections": np.zeros((1, ROWS, 5), np.float32)}
    for arrays, said in (
        ({}, "holds no recorded answers"),
        (answer, f"the model's detections are (1, {ROWS}, 6), the recorded ones (1, {ROWS}, 5)"),
        (answer | {"0/input": answer["0/input"][..., 1:]}, "the model takes float32 (1, 3, 32, 32)"),
    ):
        np.savez(tmp_path / "other.npz", **arrays)
        assert said in error(run(running, "runtime.py", "verify", small, tmp_path / "other.npz"))


def error(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr
    said, _, hint = done.stderr.partition("\n\nhint: ")
    assert said.startswith("error: ")
    assert hint
    return said


def found(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["predictions"]
