"""A trained Ultralytics model as ONNX with its decoding inside the graph. Imports nothing of Ultralytics.

Input `images` (1, 3, H, W): RGB in 0..1, letterboxed. Output `detections` (1, K, 6): x1, y1, x2, y2 in pixels of the
input, score, class; by falling score, overlaps still in unless the network has none. A segmenter has two more outputs:
`coefficients` (1, K, M), one row a detection, and `prototypes` (1, M, h, w), which make its mask.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from training import onnx_file

CANDIDATES = 1000
"""The most detections that leave the graph, before overlaps are dropped."""


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
    """Write the network to `path`; what metadata.json says of the file. Needs the package onnx."""
    head = network.model[-1]
    head.export, head.format = True, "onnx"
    graph = Decoded(network, classes).eval()
    with torch.no_grad():
        count = len(graph(torch.zeros(1, 3, *input_size)))
    outputs = ["detections", "coefficients", "prototypes"][:count]
    return onnx_file.write(graph, input_size, outputs, path, overlaps=not graph.end_to_end)
