"""Compiled models for tests: a small ONNX detector made here, and the starter YOLOv8n exported at 320 pixels."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tests.support.job import ENTRYPOINTS
from vision import surfaces

SIDE, ROWS = 32, 64
METADATA: dict[str, Any] = {
    "format": 1, "program": "test", "task": "detect", "classes": ["a", "b"], "input_size": [SIDE, SIDE],
    "letterbox": {"color": [114, 114, 114], "scale_up": True, "center": True}, "confidence": 0.25, "nms_iou": 0.4,
    "graph": {"file": "model.onnx", "opset": 17, "outputs": ["detections"], "overlaps": True},
}  # fmt: skip
_STARTER = """
import json, sys, yolo
from pathlib import Path
from safetensors import safe_open
from safetensors.torch import save_file
folder = Path(sys.argv[1])
with safe_open(yolo.STARTER, "pt") as file:
    classes = json.loads(file.metadata()["classes"])
    state = {name: file.get_tensor(name) for name in file.keys()}
yolo.prepare_ultralytics(folder / "scratch")
if sys.argv[2] == "detect":
    wanted = yolo.new_model("yolov8n", "detect", len(classes)).state_dict()
    state = {name: state[name] for name in wanted}
save_file(state, folder / "model.safetensors")
(folder / "metadata.json").write_text(json.dumps({
    "format": 1, "program": "yolo", "task": sys.argv[2], "classes": classes, "input_size": [320, 320],
    "letterbox": {"color": [114, 114, 114], "scale_up": True, "center": True}, "architecture": "yolov8n",
    "confidence": 0.25, "nms_iou": 0.4, "versions": {}, "hyperparameters": {},
}))
"""


def small(folder: Path, opset: int = 17, operator: str = "Relu", ir_version: int = 8) -> Path:
    """A model folder: convolutions of fixed weights give 64 rows of box, score and class."""
    draw = np.random.default_rng(0).normal
    weights = {
        "w1": draw(0, 0.4, (8, 3, 3, 3)), "w2": draw(0, 0.4, (6, 8, 3, 3)),
        "scale": np.reshape([SIDE, SIDE, SIDE, SIDE, 1, 1], (1, 6, 1)),
        "nudge": np.reshape([0, 0, 0.3, 0.3, 0, 0], (1, 6, 1)), "shape": np.array([1, 6, ROWS]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["images", "w1"], ["c1"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node(operator, ["c1"], ["r1"], name="middle"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["c2"], ["s"]),
        helper.make_node("Reshape", ["s", "shape"], ["flat"]),
        helper.make_node("Add", ["flat", "nudge"], ["nudged"]),
        helper.make_node("Mul", ["nudged", "scale"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["detections"], perm=[0, 2, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("detections", TensorProto.FLOAT, [1, ROWS, 6])],
        [
            numpy_helper.from_array(value.astype(np.int64 if name == "shape" else np.float32), name)
            for name, value in weights.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(folder / "model.onnx"))
    (folder / "metadata.json").write_text(json.dumps(METADATA))
    return folder


def change(folder: Path, action: Callable[[Any], object]) -> None:
    """Do something to the graph of a model folder."""
    model = onnx.load(str(folder / "model.onnx"))
    action(model.graph)
    onnx.save(model, str(folder / "model.onnx"))


def weights(name: str, shape: tuple[int, ...], value: float = 0.0) -> Any:
    """A tensor of one value."""
    return numpy_helper.from_array(np.full(shape, value, np.float32), name)


def picture(path: Path, width: int = 60, height: int = 40) -> Path:
    """A photograph of coloured noise."""
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def defects(path: Path, seed: int) -> Path:
    """A made-up photograph of the kind that the starter has learnt to find defects on."""
    pixels, _ = surfaces.scene(seed)
    Image.fromarray(pixels).save(path)
    return path


def starter(folder: Path, task: str, python: Path) -> Path:
    """Drydock's starter as a trained model folder for images of 320 pixels."""
    folder.mkdir(parents=True)
    environ = os.environ | {"PYTHONPATH": str(ENTRYPOINTS)}
    subprocess.run([python, "-c", _STARTER, folder, task], check=True, env=environ)
    return folder


def run(python: Path, program: str, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
    """`python PROGRAM …` of entrypoints, to its end."""
    command = [python, ENTRYPOINTS / program, *arguments]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=280)
