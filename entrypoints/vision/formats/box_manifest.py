"""Augmented manifests with boxes, as Ground Truth writes them and AWS's built-in Object Detection reads them.

{"source-ref": "a.jpg", "bounding-box": {"image_size": [{…}], "annotations": [{"class_id": 0, "left": …}]},
"bounding-box-metadata": {"class-map": {"0": "dog"}, "type": "groundtruth/object-detection"}}
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from optml.errors import Refusal
from vision import images
from vision.folder import Folder
from vision.formats import manifest, object_detection
from vision.formats.resolve import Resolver
from vision.record import Dataset, Sample, build

KIND = "object-detection"


def holds_boxes(file: Path) -> bool:
    """Whether a manifest has boxes, by the first line that says what it has: unlabelled ones may stand before it."""
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue  # its reader names the line
            types, bare = (manifest.types(entry), manifest.bare_boxes(entry)) if isinstance(entry, dict) else ({}, "")
            if types or bare:
                return KIND in types.values() or bool(bare)
    return False


def load(file: Path, folder: Folder) -> Dataset:
    """The data set of a manifest whose references lie in `folder`; Refusal that names the line for a fault in it."""
    shown, resolver, names = folder.show(file), Resolver(file, folder), dict[int, str]()
    every = list(manifest.entries(file, shown))
    lines = [(entry, _attribute(entry, where), where) for entry, where in every if not manifest.failed(entry, KIND)]
    failed = manifest.failure_notes(len(every) - len(lines), len(every), shown)
    for entry, name, where in lines:
        found = entry[f"{name}-metadata"].get("class-map")
        if not isinstance(found, dict):
            raise Refusal(f'"{name}-metadata" has no "class-map" ({where})', 'add it: {"0": "dog"}')
        object_detection.learn_names(names, found.items(), where)
    samples, cut = [], 0
    for entry, name, where in lines:
        image = resolver.find(entry["source-ref"], where)
        size = images.image_size(image, folder.show(image))
        found_here, cut_here = object_detection.instances(entry[name], names, size, where)
        cut += cut_here
        samples.append(Sample(image, folder.name(image), *size, found_here, where))
    said = {
        "boxes clipped to their image": cut,
        "references found by the end of their path only": len(resolver.by_suffix),
    }
    notes = [f"{count} {text}" for text, count in said.items() if count]
    return build([names[key] for key in sorted(names)], samples, [*notes, *failed], folder.label, shown)


def _attribute(entry: dict[str, Any], where: str) -> str:
    """The name of the attribute that holds the boxes of a line."""
    manifest.refuse_bare_boxes(entry, where)
    found = manifest.adjusted(entry, [name for name, kind in manifest.types(entry).items() if kind == KIND])
    if len(found) != 1:
        many = f"both {' and '.join(map(repr, found))} are" if found else "no attribute is"
        raise Refusal(f"{many} of type groundtruth/{KIND} ({where})", "give each line one attribute with boxes")
    if not isinstance(entry.get(found[0]), dict):
        raise Refusal(f'"{found[0]}-metadata" without "{found[0]}" ({where})', "add it: image_size and annotations")
    return found[0]
