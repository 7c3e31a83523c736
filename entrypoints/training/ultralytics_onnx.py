"""A trained Ultralytics model as ONNX with its decoding inside the graph. Imports nothing of Ultralytics.

Input `images` (1, 3, H, W): RGB in 0..1, letterboxed. Output `detections` (1, K, 6): x1, y1, x2, y2 in pixels of the
input, score, class; by falling score, overlaps still in unless the network has none. A segmenter has two more outputs:
`coefficients` (1, K, M), one row a detection, and `prototypes` (1, M, h, w), which make its mask.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from optml.errors import Refusal

CANDIDATES = 1000
"""The most detections that leave the graph, before overlaps are dropped."""
OPSET = 17
"""Read by TensorRT of JetPack 5 and by every ONNX Runtime that a target has."""
_COMPILE = '"$(python3 -m local.environments compile)" entrypoints/yolo.py export MODEL_DIR OUT'


class Decoded(torch.nn.Module):
    """A fused network whose head gives rows (1, 4 + classes + M, N) of xywh boxes, or (1, K, 6 + M) once decoded."""

    def __init__(self, network: torch.nn.Module, classes: int) -> None:
        super().__init__()
        self.network = network
        self.classes = classes
        self.end_to_end: bool = network.model[-1].end2end  # type: ignore[union-attr, index]

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        raw = self.network(images)
        rows, prototypes = raw if isinstance(raw, tuple) else (raw, None)
        if not self.end_to_end:
            rows = self._best(rows.transpose(1, 2))
        return (rows,) if prototypes is None else (rows[..., :6], rows[..., 6:], prototypes)

    def _best(self, rows: torch.Tensor) -> torch.Tensor:
        """(1, N, 4 + classes + M) into (1, K, 6 + M): each row with its best class, the K best of them."""
        count = min(CANDIDATES, rows.shape[1])
        boxes, scores, rest = torch.tensor_split(rows, (4, 4 + self.classes), dim=2)
        score, label = scores.max(2)
        score, index = score.topk(count, dim=1)

        def chosen(values: torch.Tensor) -> torch.Tensor:
            return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))

        centre, half = chosen(boxes[..., :2]), chosen(boxes[..., 2:]) / 2
        label = label.gather(1, index).to(score.dtype)
        best = [centre - half, centre + half, score[..., None], label[..., None]]
        return torch.cat([*best, chosen(rest)] if rest.shape[2] else best, dim=2)


def write(network: Any, classes: int, input_size: list[int], path: Path) -> dict[str, Any]:
    """Write the network to `path`; what metadata.json says of the file. Refusal where onnx is not installed."""
    try:
        import onnx
    except ImportError as error:
        raise Refusal(
            "onnx is not in this environment (it cannot live beside smdebug)",
            f"run {_COMPILE}, or give --format torchscript",
        ) from error
    height, width = input_size
    head = network.model[-1]
    head.export, head.format = True, "onnx"
    graph = Decoded(network, classes).eval()
    example = torch.zeros(1, 3, height, width)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer: shapes are constants here
        outputs = ["detections", "coefficients", "prototypes"][: len(graph(example))]
        torch.onnx.export(
            graph, (example,), path, input_names=["images"], output_names=outputs, opset_version=OPSET, dynamo=False
        )
    onnx.checker.check_model(str(path), full_check=True)
    return {"file": path.name, "opset": OPSET, "outputs": outputs, "overlaps": not graph.end_to_end}
