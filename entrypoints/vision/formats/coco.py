"""COCO JSON: images, categories and annotations with boxes (x, y, w, h), polygons or run lengths.

Category ids need not be contiguous; classes are the categories by ascending id. Crowds (`iscrowd`) are skipped and
objects without area dropped, both with a note. Images without annotations are negatives.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optml.errors import Refusal
from vision import documents, images, masks
from vision.folder import Folder, shortened
from vision.formats import corners
from vision.formats.resolve import Resolver
from vision.record import Box, Dataset, Instance, Polygon, Sample, build

Record = dict[str, Any]


@dataclass
class _Reading:
    """One reading of a data set: what it is read with, and what was decided on the way, for the notes."""

    shown: str  # what errors call the file
    folder: Folder
    resolver: Resolver
    ids: dict[Any, int]  # class index by category id
    crowds: int = 0
    empty: int = 0
    clipped: int = 0


def load(file: Path, folder: Folder) -> Dataset:
    """The data set of a COCO file whose images lie in `folder`; Refusal that names the faulty annotation."""
    shown = folder.show(file)
    content = _read(file, shown)
    ids, classes = _categories(content, shown)
    by_image = _by_image(content, shown)
    reading = _Reading(shown, folder, Resolver(file, folder), ids)
    samples = []
    for record in content["images"]:
        samples.append(_sample(record, by_image.pop(record["id"], []), reading))
    if by_image:
        stray = next(iter(by_image.values()))[0]
        raise Refusal(
            f"annotation of image {stray['image_id']}, which is not among images ({_where(shown, stray)})",
            "remove the annotation or add the image",
        )
    return build(classes, samples, _notes(reading), folder.label, shown)


def _read(file: Path, shown: str) -> Record:
    text = documents.read_text(file, shown, "save it as UTF-8")
    content = documents.from_json(text, shown, "write the file anew")
    for key in ("images", "annotations"):
        if not isinstance(content, dict) or not _are_records(content.get(key)):
            raise Refusal(f'{shown} has no list of objects "{key}"', "COCO needs images, categories and annotations")
    if content.get("categories") == []:
        raise Refusal(
            f'"categories" is an empty list ({shown})',
            'list the classes: {"id": 1, "name": "cracked"}; JumpStart\'s annotations.json is without "categories"',
        )
    if not _are_records(content.get("categories")):
        raise Refusal(
            f'{shown} has no "categories": so does JumpStart\'s annotations.json, whose boxes are x1 y1 x2 y2',
            "write COCO: categories, and boxes as x y width height",
        )
    for image in content["images"]:
        if not isinstance(image.get("id"), int | str) or not isinstance(image.get("file_name"), str):
            raise Refusal(f"an image without id or file_name: {shortened(json.dumps(image))} ({shown})", "add both")
    check_ids(content["images"], shown)
    return dict(content)


def check_ids(records: list[Record], shown: str) -> None:
    """Refuse two images of one id: annotations name their image by it."""
    first: dict[str, Record] = {}
    for image in records:
        other = first.setdefault(json.dumps(image.get("id")), image)
        if other is not image:
            names = " and ".join(shortened(repr(one.get("file_name"))) for one in (other, image))
            raise Refusal(
                f"image id {shortened(json.dumps(image.get('id')))} stands twice, for {names} ({shown})",
                "give each image an id of its own, and its annotations that id",
            )


def _categories(content: Record, shown: str) -> tuple[dict[Any, int], list[str]]:
    """Class index by category id, and the class names."""
    records = content["categories"]
    if any(not isinstance(r.get("id"), int) or not isinstance(r.get("name"), str) for r in records):
        raise Refusal(f"a category without id or name ({shown})", 'write {"id": 1, "name": "cracked"}')
    records = sorted(records, key=lambda record: int(record["id"]))
    ids, names = [record["id"] for record in records], [record["name"] for record in records]
    if len(set(ids)) < len(ids) or len(set(names)) < len(names):
        raise Refusal(f"a category id or name stands twice ({shown})", "give each class one id and one name")
    return {identity: index for index, identity in enumerate(ids)}, names


def _by_image(content: Record, shown: str) -> dict[Any, list[Record]]:
    by_image: dict[Any, list[Record]] = defaultdict(list)
    for annotation in content["annotations"]:
        if not isinstance(annotation.get("image_id"), int | str):
            raise Refusal(f"no image_id ({_where(shown, annotation)})", "add the id of its image")
        by_image[annotation["image_id"]].append(annotation)
    return by_image


def _sample(record: Record, annotations: list[Record], reading: _Reading) -> Sample:
    source = f"{reading.shown}, image {record['id']}"
    path = reading.resolver.find(record["file_name"], source)
    size = images.image_size(path, reading.folder.show(path))
    corners.check_size(record, size, source, f"image {reading.folder.show(path)}")
    found = [_instance(annotation, size, reading) for annotation in annotations]
    instances = tuple(instance for instance in found if instance)
    return Sample(path, reading.folder.name(path), *size, instances, source)


def _instance(annotation: Record, size: tuple[int, int], reading: _Reading) -> Instance | None:
    """The instance of an annotation; None, counted, for one that is left out."""
    where, category = _where(reading.shown, annotation), annotation.get("category_id")
    if not isinstance(category, int | float) or category not in reading.ids:
        known = ", ".join(str(identity) for identity in reading.ids)
        raise Refusal(
            f"category_id {shortened(json.dumps(category))} is not among categories {known} ({where})",
            "correct it or add a category",
        )
    if annotation.get("iscrowd"):
        reading.crowds += 1
        return None
    width, height = size
    polygons, rle = _segmentation(annotation.get("segmentation"), width, height, where)
    box = _box(annotation.get("bbox"), polygons, where)
    inside = np.clip(box, 0, [width, height] * 2)
    if box[2] <= box[0] or box[3] <= box[1]:
        reading.empty += 1
        return None
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        raise Refusal(f"box {annotation.get('bbox')} lies outside the {width}x{height} image ({where})", "correct it")
    reading.clipped += bool((np.abs(inside - box) > 1).any())
    x1, y1, x2, y2 = inside.tolist()
    return Instance(reading.ids[category], (x1, y1, x2, y2), (height, width), polygons, rle)


def _box(bbox: object, polygons: tuple[Polygon, ...] | None, where: str) -> Box:
    if bbox is None and polygons:
        points = np.concatenate(polygons)
        low, high = points.min(axis=0), points.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(_is_number(value) for value in bbox):
        raise Refusal(f"bbox is {shortened(json.dumps(bbox))} ({where})", "write [x, y, width, height] in pixels")
    x, y, w, h = bbox
    if w < 0 or h < 0:
        raise Refusal(f"bbox {bbox} has a negative size ({where})", "write [x, y, width, height] in pixels")
    return float(x), float(y), float(x + w), float(y + h)


def _segmentation(
    value: object, width: int, height: int, where: str
) -> tuple[tuple[Polygon, ...] | None, masks.Rle | None]:
    """Polygons and, where the file has them, run lengths; (None, None) for a box only."""
    if not value:
        return None, None
    if isinstance(value, dict):
        return _run_lengths(value, width, height, where)
    fault = Refusal(
        f"segmentation does not parse ({where})", "write polygons [[x1, y1, x2, y2, x3, y3]] or run lengths"
    )
    if not isinstance(value, list):
        raise fault
    polygons = []
    for ring in value:
        if not isinstance(ring, list) or len(ring) < 6 or len(ring) % 2 or not all(_is_number(v) for v in ring):
            raise fault
        polygons.append(np.clip(np.array(ring, float).reshape(-1, 2), 0, [width, height]))
    return tuple(polygons), None


def _run_lengths(
    value: Record, width: int, height: int, where: str
) -> tuple[tuple[Polygon, ...] | None, masks.Rle | None]:
    if value.get("size") != [height, width]:
        raise Refusal(
            f"run lengths of size {value.get('size')}, not [{height}, {width}] ({where})", "size is [height, width]"
        )
    counts = value.get("counts")
    if not isinstance(counts, str) and not (isinstance(counts, list) and all(isinstance(v, int) for v in counts)):
        raise Refusal(f"run lengths without counts ({where})", "write a list of integers or COCO's string")
    rle: masks.Rle = {"size": [height, width], "counts": counts}
    try:
        mask = masks.decode(rle)
    except ValueError as error:
        raise Refusal(f"{error} ({where})", "write the run lengths anew") from error
    found, _ = masks.components(mask, minimum_area=1)
    return (tuple(masks.outline(component) for component in found), rle) if found else (None, None)


def _are_records(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(record, dict) for record in value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _where(shown: str, annotation: Record) -> str:
    return f"{shown}, annotation {annotation.get('id', '?')}"


def _notes(reading: _Reading) -> list[str]:
    said = {
        "crowd annotations skipped": reading.crowds,
        "objects without area dropped": reading.empty,
        "boxes clipped to their image": reading.clipped,
        "images found by the end of their path only": len(reading.resolver.by_suffix),
    }
    return [f"{count} {text}" for text, count in said.items() if count]
