"""A graph that gives detections, as the ONNX file that runtimes/detector.py takes.

Input `images` (1, 3, H, W): RGB in 0..1, letterboxed. Output `detections` (1, K, 6): x1, y1, x2, y2 in pixels of the
input, score, class; by falling score.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

OPSET = 17
"""Read by TensorRT of JetPack 5 and by every ONNX Runtime that a target has."""


def write(
    graph: torch.nn.Module, input_size: list[int], outputs: Sequence[str], path: Path, *, overlaps: bool
) -> dict[str, Any]:
    """Write `graph` to `path`; what metadata.json says of the file. Needs the package onnx (`verbs.check_format`).

    `overlaps`: whether its detections may overlap, so that the caller drops some.
    """
    import onnx

    height, width = input_size
    names, example = list(outputs), torch.zeros(1, 3, height, width)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer: shapes are constants here
        torch.onnx.export(
            graph, (example,), path, input_names=["images"], output_names=names, opset_version=OPSET, dynamo=False
        )
    onnx.checker.check_model(str(path), full_check=True)
    return {"file": path.name, "opset": OPSET, "outputs": names, "overlaps": overlaps}
