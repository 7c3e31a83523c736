"""ONNX models, run by ONNX Runtime on the processor."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from optml.errors import Refusal
from runtimes import Outputs, Tensor

_AGAIN = "copy the file again, or export it again: yolo.py export MODEL_DIR OUT"
_FIXED = "export it for one image of a fixed size: yolo.py export MODEL_DIR OUT"
_NEWER = "export it for an older opset, or use an image with a newer ONNX Runtime"
_FAULTS = (
    (r"Protobuf parsing failed|does not have a graph", "is no whole ONNX model", _AGAIN),
    (
        r"No Op registered for (\w+) with domain_version of (\d+)",
        "uses the operator {0} (opset {1}), which {runtime} does not have",
        "export the model without it",
    ),
    (
        r"Fatal error: (\S+?):(\w+)\(.* is not a registered function/op",
        "uses the operator {1} of {0}, which {runtime} does not have",
        "export the model without it",
    ),
    (
        r"Could not find an implementation for (\w+)\((\d+)\)",
        "uses the operator {0} (opset {1}) for numbers of a type that {runtime} does not compute it for",
        "export the model in float32: yolo.py export MODEL_DIR OUT",
    ),
    (r"Opset (\d+) is under development.* till opset (\d+)", "has opset {0}; {runtime} reads up to {1}", _NEWER),
    (r"IR version: (\d+), max supported IR version: (\d+)", "has ONNX IR {0}; {runtime} reads up to {1}", _NEWER),
    (
        r"INVALID_GRAPH : (.{1,300})",
        "is no graph that {runtime} runs: {0}",
        "export it anew, for opset 17 and its operators: yolo.py export MODEL_DIR OUT",
    ),
)
_FATAL = 4
"""ONNX Runtime's severity: what is below it is raised as well, or a remark on the machine that it runs on."""


class OnnxSession:
    """One input of fixed shape, float32; see runtimes.Session."""

    def __init__(self, session: Any, path: Path) -> None:
        self.runtime = f"ONNX Runtime {onnxruntime.__version__}"
        inputs = session.get_inputs()
        shapes = ", ".join(f"{item.name} {item.type} {item.shape}" for item in inputs)
        fixed = len(inputs) == 1 and all(isinstance(side, int) for side in inputs[0].shape)
        if not fixed or inputs[0].type != "tensor(float)":
            raise Refusal(f"the model's input is not one float tensor of fixed shape, but {shapes} ({path})", _FIXED)
        self.shape = tuple(inputs[0].shape)
        self.outputs = tuple(item.name for item in session.get_outputs())
        self._input = inputs[0].name
        self._session = session
        self._path = path

    def predict(self, array: Tensor) -> Outputs:
        if array.shape != self.shape or array.dtype != np.float32:
            raise Refusal(
                f"the input is {array.dtype} {array.shape}; the model takes float32 {self.shape}",
                "give the model what its metadata.json says",
            )
        try:
            found = self._session.run(self.outputs, {self._input: array})
        except Exception as error:
            fault = f"{self.runtime} loads {self._path.name} and cannot run it: {str(error)[:300]} ({self._path})"
            raise Refusal(fault, _AGAIN) from error
        return dict(zip(self.outputs, found))


def load(path: Path, threads: int | None = None) -> OnnxSession:
    """See runtimes.load."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.log_severity_level = _FATAL
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _explained(str(error), path) from error
    return OnnxSession(session, path)


def _explained(said: str, path: Path) -> Refusal:
    runtime = f"ONNX Runtime {onnxruntime.__version__}"
    for pattern, fault, hint in _FAULTS:
        found = re.search(pattern, said, re.DOTALL)
        if found:
            return Refusal(f"{path.name} {fault.format(*found.groups(), runtime=runtime)} ({path})", hint)
    return Refusal(f"{runtime} does not load {path.name}: {said[:300]} ({path})", _AGAIN)
