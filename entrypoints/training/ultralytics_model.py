"""A trained Ultralytics model and its answers in our words: predictions, scores, exports. Imports nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from training import ultralytics_onnx
from training.results import SCORES, Scores
from vision import boxes, masks, transforms
from vision.images import Array
from vision.report import PrecisionRecall


class Model:
    """`yolo` is an ultralytics.YOLO that holds the weights, `metadata` that of the model folder."""

    def __init__(self, yolo: Any, metadata: dict[str, Any], device: str) -> None:
        self.metadata = metadata
        self.classes: list[str] = metadata["classes"]
        self._yolo = yolo
        self._inference = {
            "device": "cpu" if device == "cpu" else "0",
            "imgsz": metadata["input_size"][0],
            "iou": metadata["nms_iou"],
            "rect": False,
            "verbose": False,
        }
        yolo.add_callback("on_predict_start", self._fit_images)

    def predict(self, image: Array, confidence: float | None = None) -> list[dict[str, Any]]:
        """Predictions of one RGB image `(H, W, 3)`, boxes xyxy in its pixels; schema in docs/contract.md.

        `confidence` is the lowest score reported; None takes the model's own.
        """
        bgr = image[..., ::-1].copy()
        lowest = self.metadata["confidence"] if confidence is None else confidence
        result = self._yolo.predict(bgr, conf=lowest, save=False, retina_masks=True, **self._inference)[0]
        return _predictions(result.cpu(), self.classes)

    def _fit_images(self, predictor: Any) -> None:
        """Let Ultralytics' predictor see images as its validation does: its own letterbox rounds pixels otherwise."""
        side_px = self.metadata["input_size"][0]
        predictor.pre_transform = lambda given: [transforms.letterbox(image, side_px)[0] for image in given]

    def evaluate(self, data_yaml: Path) -> Scores:
        """Ultralytics' own validation on the `val` part of a YOLO folder."""
        out = str(data_yaml.parent / "val")
        result = self._yolo.val(
            data=str(data_yaml), batch=16, plots=False, workers=0, project=out, exist_ok=True, **self._inference
        )
        return _scores(result, self.classes)

    def export_onnx(self, path: Path) -> dict[str, Any]:
        """Write ONNX; what metadata.json says of it (see training/ultralytics_onnx.py)."""
        network = self._yolo.model.fuse(verbose=False)
        return ultralytics_onnx.write(network, len(self.classes), self.metadata["input_size"], path)

    def export_torchscript(self, path: Path) -> None:
        """Write TorchScript: images `(1, 3, H, W)` in 0..1 in, raw predictions out."""
        height, width = self.metadata["input_size"]
        module = self._yolo.model.fuse(verbose=False)
        module.model[-1].export = True
        module.model[-1].format = "torchscript"
        example = torch.zeros(1, 3, height, width)
        module(example)  # lays out its anchors for this size
        traced = torch.jit.trace(module, example, strict=False, check_trace=False)  # type: ignore[no-untyped-call]
        traced.save(str(path))


def _predictions(result: Any, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Those of one image's result (on the CPU)."""
    found = []
    for index, box in enumerate(result.boxes):
        if not boxes.visible(box.xyxy.numpy())[0]:
            continue  # it lies in the border beside the image
        label = int(box.cls)
        prediction = {
            "class": classes[label],
            "class_id": label,
            "score": round(float(box.conf), 4),
            "box": [round(float(value), 2) for value in box.xyxy[0]],
        }
        if result.masks is not None:
            prediction["mask"] = masks.encode(result.masks.data[index].numpy() > 0.5)
        found.append(prediction)
    return found


def _scores(result: Any, classes: Sequence[str]) -> Scores:
    """Those of a validation's result; the curves are of masks where it has them."""
    values: dict[str, float] = {}
    parts = {"": result.box} | ({"mask_": result.seg} if hasattr(result, "seg") else {})
    for prefix, part in parts.items():
        numbers = zip(SCORES, part.mean_results(), strict=True)
        values |= {f"validation:{prefix}{name}": float(value) for name, value in numbers}
    main = parts.get("mask_", result.box)
    names = [classes[index] for index in main.ap_class_index]
    curves = PrecisionRecall(names, main.px, main.prec_values, [float(value) for value in main.ap50])
    return Scores(values, curves)
