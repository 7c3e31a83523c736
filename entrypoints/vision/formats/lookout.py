"""Lookout for Vision and Ground Truth manifests: JSON Lines that name an image, a label and a mask.

A pixel belongs to a class where its colour stands in the colour map *of that line* and its alpha is at least 128; its
instances are the 8-connected components of 16 pixels and more. A mask of another size than its image stands for
"nothing here" if it holds background only, else it is an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps

from optml.errors import Refusal
from vision import frames, images, masks
from vision.folder import Folder
from vision.formats import manifest
from vision.formats.manifest import Line
from vision.formats.resolve import Resolver
from vision.frames import Frame
from vision.record import Dataset, Instance, Sample, build

OPAQUE = 128


@dataclass
class _Reading:
    """One reading of a data set: what it is read with, and what was decided on the way, for the notes."""

    folder: Folder
    resolver: Resolver
    classes: list[str]
    specks: int = 0
    other_size: int = 0
    rotated: int = 0
    marked_normal: int = 0
    empty_anomalies: int = 0


def load(file: Path, folder: Folder) -> Dataset:
    """The data set of a manifest whose references lie in `folder`; Refusal that names the line for a fault in it."""
    shown = folder.show(file)
    every = list(manifest.read(file, shown))
    if not every:
        raise Refusal(f"manifest {shown} is empty", "write one JSON object a line")
    lines = [line for line in every if not line.failed]
    failed = manifest.failure_notes(len(every) - len(lines), len(every), shown)
    _require_masks(shown, lines)
    classes = sorted({name for line in lines for name in line.colors.values() if name})
    reading = _Reading(folder, Resolver(file, folder), classes)
    samples = [_sample(line, reading) for line in lines]
    conflicts = [line.conflict for line in lines if line.conflict]
    notes = [*conflicts, *_notes(reading), *failed]
    if verified := sum(line.verified for line in lines):
        notes.append(f"{verified} verifications of labels left aside")
    return build(classes, samples, notes, folder.label, shown)


def _require_masks(shown: str, lines: Sequence[Line]) -> None:
    anomalies = [line for line in lines if line.anomalous]
    bare = [line for line in anomalies if not line.mask]
    if not bare:
        return
    if len(bare) == len(anomalies):
        raise Refusal(
            f"{shown} is a classification manifest: none of its {len(anomalies)} anomalies has a mask, "
            "and detection and segmentation need masks",
            "use a manifest whose anomalies have anomaly-mask-ref",
        )
    raise Refusal(
        f"an anomaly without a mask ({bare[0].where}; {len(bare)} of {len(anomalies)} anomalies lack one)",
        "add its anomaly-mask-ref, or remove the line: it would be trained on as if nothing were wrong",
    )


def _sample(line: Line, reading: _Reading) -> Sample:
    image = reading.resolver.find(line.image, line.where, "image")
    frame = frames.frame_of(image, reading.folder.show(image))
    instances: list[Instance] = []
    if line.mask:
        mask = reading.resolver.find(line.mask, line.where, "mask")
        instances = _instances(_labels(mask, line, frame, reading), reading)
    reading.marked_normal += bool(instances) and line.anomalous is False
    reading.empty_anomalies += not instances and line.anomalous is True
    return Sample(image, reading.folder.name(image), *frame.displayed, tuple(instances), line.where)


def _labels(path: Path, line: Line, frame: Frame, reading: _Reading) -> NDArray[np.uint16] | None:
    """(H, W) of class id + 1, 0 for background, as the image is displayed; None for a mask that says "nothing here"."""
    shown = reading.folder.show(path)
    with images.opened(path, shown) as image:
        pixels, own_turn = np.asarray(ImageOps.exif_transpose(image).convert("RGBA")), images.orientation(image)
    labels = _classify(pixels, line, shown, reading.classes)
    height, width = labels.shape
    if frame.turns((width, height), own_turn):
        reading.rotated += 1
        return frames.turned(labels, frame.orientation)
    if (width, height) == frame.displayed:
        return labels
    if not labels.any():
        reading.other_size += 1
        return None
    raise Refusal(
        f"mask {shown} is {width}x{height}, its image {frame.displayed[0]}x{frame.displayed[1]} ({line.where})",
        "save the mask in the size of its image",
    )


def _classify(pixels: NDArray[np.uint8], line: Line, shown: str, classes: list[str]) -> NDArray[np.uint16]:
    """(H, W) of class id + 1 from (H, W, 4) RGBA, by the line's colours where alpha is at least 128."""
    wide = pixels.astype(np.uint32)
    codes = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    opaque = pixels[..., 3] >= OPAQUE
    labels = np.zeros(codes.shape, np.uint16)
    known = np.zeros(codes.shape, bool)
    for (red, green, blue), class_name in line.colors.items():
        here = opaque & (codes == (red << 16 | green << 8 | blue))
        known |= here
        if class_name:
            labels[here] = classes.index(class_name) + 1
    unknown = codes[opaque & ~known]
    if unknown.size:
        code, count = Counter(unknown.tolist()).most_common(1)[0]
        listed = ", ".join(f"#{r:02X}{g:02X}{b:02X}" for r, g, b in line.colors)
        raise Refusal(
            f"mask {shown} has {count} pixels of colour #{code:06X}, which the colour map lacks ({line.where}; it has "
            f"{listed})",
            "add the colour to internal-color-map, as BACKGROUND if it is none of the classes",
        )
    return labels


def _instances(labels: NDArray[np.uint16] | None, reading: _Reading) -> list[Instance]:
    if labels is None:
        return []
    instances = []
    for value in np.unique(labels[labels > 0]):
        found, dropped = masks.components(labels == value)
        reading.specks += dropped
        instances += [_instance(component, int(value) - 1, labels.shape) for component in found]
    return instances


def _instance(component: masks.Component, class_id: int, size: tuple[int, ...]) -> Instance:
    x1, y1, x2, y2 = component.box
    full = np.zeros(size, bool)
    full[y1:y2, x1:x2] = component.mask
    box = (float(x1), float(y1), float(x2), float(y2))
    return Instance(class_id, box, (size[0], size[1]), (masks.outline(component),), masks.encode(full))


def _notes(reading: _Reading) -> list[str]:
    said = {
        f"specks of under {masks.MINIMUM_AREA_PX} px (8-connected) dropped from masks": reading.specks,
        "background-only masks of another size than their image taken as empty": reading.other_size,
        "masks turned by the EXIF orientation of their image": reading.rotated,
        "images labelled normal whose mask marks a defect: the mask counts": reading.marked_normal,
        "anomalies whose mask marks nothing: trained on as negatives": reading.empty_anomalies,
        "references found by the end of their path only": len(reading.resolver.by_suffix),
    }
    return [f"{count} {text}" for text, count in said.items() if count]
