"""SageMaker JumpStart's annotations.json: COCO's shape without categories, and boxes as corners x1, y1, x2, y2.

A file of this name that has categories is COCO, whose boxes are x, y, width, height. The classes have no names here,
so they are called by their ids, in ascending order.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from optml.errors import Refusal
from vision import documents, images
from vision.folder import Folder, shortened
from vision.formats import coco, corners
from vision.formats.resolve import Resolver
from vision.record import Dataset, Instance, Sample, build

NAME = "annotations.json"
HINT = 'write "bbox": [x1, y1, x2, y2] in pixels; COCO, with [x, y, width, height], has "categories"'


def is_annotation(file: Path) -> bool:
    """Whether a JSON file with images and annotations is one of these."""
    return file.name == NAME and b'"categories"' not in file.read_bytes()


def load(file: Path, folder: Folder) -> Dataset:
    """The data set of a file whose images lie in `folder`; Refusal that names the faulty annotation."""
    shown = folder.show(file)
    content = documents.from_json(documents.read_text(file, shown, "save it as UTF-8"), shown, "write the file anew")
    records = [content.get(key) if isinstance(content, dict) else None for key in ("images", "annotations")]
    if not all(isinstance(found, list) and all(isinstance(one, dict) for one in found) for found in records):
        raise Refusal(f'{shown} needs lists of objects "images" and "annotations"', HINT)
    coco.check_ids(content["images"], shown)
    ids = sorted({_category(one, shown) for one in content["annotations"]})
    by_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for one in content["annotations"]:
        by_image[json.dumps(one.get("image_id"))].append(one)
    resolver, samples, cut = Resolver(file, folder), [], 0
    for record in content["images"]:
        where = f"{shown}, image {shortened(repr(record.get('id')))}"
        if record.get("id") is None or not isinstance(record.get("file_name"), str):
            raise Refusal(f"an image without id or file_name ({where})", "add both")
        image = resolver.find(record["file_name"], where)
        size = images.image_size(image, folder.show(image))
        corners.check_size(record, size, where, f"image {folder.show(image)}")
        instances = []
        for one in by_image.pop(json.dumps(record["id"]), []):
            box, bbox = _where(one, shown), one.get("bbox")
            placed, clipped = corners.placed(bbox if isinstance(bbox, list) else [bbox], size, box, HINT)
            cut += clipped
            instances.append(Instance(ids.index(_category(one, shown)), placed, (size[1], size[0])))
        samples.append(Sample(image, folder.name(image), *size, tuple(instances), where))
    if by_image:
        stray = next(iter(by_image.values()))[0]
        raise Refusal(
            f"annotation of image {stray.get('image_id')}, which is not among images ({_where(stray, shown)})",
            "remove the annotation or add the image",
        )
    notes = [f"{cut} boxes clipped to their image"] if cut else []
    return build([str(one) for one in ids], samples, notes, folder.label, shown)


def _category(one: dict[str, Any], shown: str) -> int:
    found = one.get("category_id")
    if not isinstance(found, int) or isinstance(found, bool):
        raise Refusal(f"category_id is {shortened(repr(found))} ({_where(one, shown)})", "write a whole number")
    return found


def _where(one: dict[str, Any], shown: str) -> str:
    return f"{shown}, annotation {one.get('id', '?')}"
