"""A compiled detector or segmenter: an image in, predictions of docs/contract.md out."""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from optml.errors import Refusal
from runtimes import Outputs, Session, Tensor
from vision import boxes, masks, transforms
from vision.images import Array

MOST_FOUND = 300
"""Predictions of one image."""
COLUMNS = 6
"""Of a detection: x1, y1, x2, y2 in pixels of the input, score, class."""
_HINT = "export the model again: yolo.py export MODEL_DIR OUT"


class Detector:
    """`metadata` is that of the model folder; the graph's outputs are told in training/ultralytics_onnx.py."""

    def __init__(self, session: Session, metadata: Mapping[str, Any]) -> None:
        try:
            height, width = metadata["input_size"]
            letterbox = metadata["letterbox"]
            self._fit = {"scale_up": letterbox["scale_up"], "center": letterbox["center"]}
            self._color = tuple(letterbox["color"])
            self._overlaps = metadata["graph"]["overlaps"]
            self._confidence, self._nms_iou = float(metadata["confidence"]), float(metadata["nms_iou"])
            self.classes = list(metadata["classes"])
        except (KeyError, TypeError, ValueError) as error:
            raise Refusal(f"metadata.json lacks or misstates what a compiled detector needs: {error}", _HINT) from error
        self.session = session
        self._size = (width, height)
        if "detections" not in session.outputs:
            raise Refusal(
                f"the model's outputs are {', '.join(session.outputs)}, and a compiled detector's is detections", _HINT
            )
        if session.shape != (1, 3, height, width):
            raise Refusal(
                f"metadata.json says that the input is {(1, 3, height, width)}, the model takes {session.shape}", _HINT
            )

    def predict(self, image: Array, confidence: float | None = None) -> list[dict[str, Any]]:
        """Predictions of one RGB image `(H, W, 3)`, boxes xyxy in its pixels.

        `confidence` is the lowest score reported; None takes the model's own.
        """
        return self.found(self.session.predict(self.prepare(image)), image, confidence)

    def warm_up(self) -> None:
        """Run once on nothing, so that a model that cannot be run is refused before it is said to be ready."""
        self.session.predict(np.zeros(self.session.shape, np.float32))

    def prepare(self, image: Array) -> Tensor:
        """The input (1, 3, H, W) in 0..1 of an image `(H, W, 3)`."""
        canvas, _, _ = transforms.letterbox(image, self._size, color=self._color, **self._fit)
        return np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32) / np.float32(255)

    def found(self, outputs: Outputs, image: Array, confidence: float | None = None) -> list[dict[str, Any]]:
        """The predictions that the outputs for `image` hold."""
        rows = outputs["detections"][0]
        if rows.ndim != 2 or rows.shape[1] != COLUMNS:
            raise Refusal(
                f"the model's detections are {(1, *rows.shape)}, and a compiled detector's (1, K, {COLUMNS})", _HINT
            )
        kept = np.flatnonzero(rows[:, 4] > (self._confidence if confidence is None else confidence))
        if self._overlaps:
            kept = kept[boxes.without_overlaps(rows[kept, :4], rows[kept, 4], rows[kept, 5], self._nms_iou)]
        kept = kept[:MOST_FOUND]
        letterbox = boxes.fit((image.shape[1], image.shape[0]), self._size, **self._fit)
        corners = boxes.to_image(rows[kept, :4], letterbox)
        seen = boxes.visible(corners)
        kept, corners = kept[seen], corners[seen]
        predictions = [self._prediction(rows[index], box) for index, box in zip(kept, corners)]
        if "prototypes" not in outputs:
            return predictions
        shapes = [
            mask(outputs["coefficients"][0][index], outputs["prototypes"][0], box, letterbox)
            for index, box in zip(kept, corners)
        ]
        for prediction, shape in zip(predictions, shapes):
            prediction["mask"] = masks.encode(shape)
        return [prediction for prediction, shape in zip(predictions, shapes) if shape.any()]

    def _prediction(self, row: Tensor, box: NDArray[np.float64]) -> dict[str, Any]:
        label = int(row[5])
        return {
            "class": self.classes[label],
            "class_id": label,
            "score": round(float(row[4]), 4),
            "box": [round(float(value), 2) for value in box],
        }


def mask(coefficients: Tensor, prototypes: Tensor, box: NDArray[np.float64], letterbox: boxes.Letterbox) -> masks.Mask:
    """(H, W) of the image: where the sum of prototypes (M, h, w), weighted by coefficients (M,), is above 0 in `box`.

    The sum is sampled bilinearly at the image's pixels, through the letterbox.
    """
    count, rows, columns = prototypes.shape
    (width, height), (gain_x, gain_y) = letterbox.image, letterbox.gain
    per_x, per_y = columns / letterbox.size[0], rows / letterbox.size[1]  # prototype pixels in a pixel of the input
    x1, y1, x2, y2 = (int(value) for value in np.ceil(box))
    whole = np.zeros((height, width), bool)
    if x2 <= x1 or y2 <= y1:
        return whole
    summed = (coefficients @ prototypes.reshape(count, -1)).reshape(rows, columns)
    affine = (
        gain_x * per_x, 0, (x1 * gain_x + letterbox.left) * per_x,
        0, gain_y * per_y, (y1 * gain_y + letterbox.top) * per_y,
    )  # fmt: skip
    source = Image.fromarray(np.ascontiguousarray(summed, np.float32))
    inside = source.transform((x2 - x1, y2 - y1), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    whole[y1:y2, x1:x2] = np.asarray(inside) > 0
    return whole
