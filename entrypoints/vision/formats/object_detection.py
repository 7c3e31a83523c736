"""AWS's built-in Object Detection: a JSON file an image, with boxes as left, top, width and height in pixels.

    {"file": "a.jpg", "image_size": [{"width": 500, "height": 400, "depth": 3}],
     "annotations": [{"class_id": 0, "left": 111, "top": 134, "width": 61, "height": 128}],
     "categories": [{"class_id": 0, "name": "dog"}]}

The files may lie in a channel of their own, `train_annotation`. An image without annotations is a negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from optml.errors import Refusal
from vision import documents, images
from vision.folder import Folder, shortened, visible
from vision.formats import corners
from vision.formats.resolve import Resolver
from vision.record import Dataset, Instance, Sample, build

SIDES = ("left", "top", "width", "height")
HINT = "write class_id, and left, top, width, height in pixels"
_MARKS = (b'"file"', b'"image_size"', b'"annotations"')


def files(folder: Path) -> list[Path]:
    """The JSON files below a folder that annotate one image each, sorted."""
    return [path for path in visible(folder) if path.suffix == ".json" and _is_annotation(path)]


def load(folder: Folder, annotations: Folder) -> Dataset:
    """The data set of the JSON files in `annotations` and the images in `folder`, which may be one."""
    read = []
    for path in files(annotations.root):
        shown = annotations.show(path)
        content = documents.from_json(documents.read_text(path, shown, "save it as UTF-8"), shown, "write it anew")
        if not isinstance(content, dict) or not isinstance(content.get("file"), str):
            raise Refusal(f'{shown} names no "file"', "write one JSON object an image, as AWS's algorithm has it")
        read.append((path, shown, content))
    names: dict[int, str] = {}
    for _, shown, content in read:
        categories = content.get("categories", [])
        if not isinstance(categories, list) or not all(isinstance(one, dict) for one in categories):
            raise Refusal(f'"categories" is no list of classes ({shown})', 'write [{"class_id": 0, "name": "dog"}]')
        learn_names(names, [(one.get("class_id"), one.get("name")) for one in categories], shown)
    samples, cut = [], 0
    for path, shown, content in read:
        image = Resolver(path if annotations.root == folder.root else folder.root / "list", folder).find(
            content["file"], shown
        )
        size = images.image_size(image, folder.show(image))
        found_here, cut_here = instances(content, names, size, shown)
        cut += cut_here
        samples.append(Sample(image, folder.name(image), *size, found_here, shown))
    notes = [f"{cut} boxes clipped to their image"] if cut else []
    if left := len(images.find(folder.root)) - len({sample.image for sample in samples}):
        notes.append(f"{left} images without an annotation file left out")
    return build(
        [names[key] for key in sorted(names)], samples, notes, folder.label, f"the JSON files of {annotations}"
    )


def learn_names(names: dict[int, str], found: Iterable[tuple[Any, Any]], where: str) -> None:
    """Add the ids and names of a file's or line's classes to `names`; Refusal where they contradict what it holds."""
    for key, name in found:
        number = int(key) if isinstance(key, int) or (isinstance(key, str) and key.isdecimal()) else -1
        if number < 0 or not isinstance(name, str) or not name.strip():
            raise Refusal(
                f"class {shortened(repr(key))} is called {shortened(repr(name))} ({where})",
                "number the classes from 0, and give each a name",
            )
        other = names.setdefault(number, name)
        same = next((one for one, known in names.items() if known == name and one != number), None)
        if other != name or same is not None:
            said = f"class_id {number} is {name}, but {other} before" if other != name else f"{name} has two ids"
            raise Refusal(f"{said} ({where})", "give each class one id in all of the data")


def instances(
    content: Mapping[str, Any], names: Mapping[int, str], size: tuple[int, int], where: str
) -> tuple[tuple[Instance, ...], int]:
    """The instances of one image's `image_size` and `annotations`, and how many boxes were cut at its edges."""
    declared, annotations = content.get("image_size"), content.get("annotations")
    sides = declared[0] if isinstance(declared, list) and declared else declared
    if isinstance(sides, dict):
        corners.check_size(sides, size, where)
    if not isinstance(annotations, list):
        raise Refusal(f'"annotations" is no list ({where})', HINT)
    order, found, cut = sorted(names), [], 0
    for number, annotation in enumerate(annotations):
        at = f"{where}, annotations[{number}]"
        key = annotation.get("class_id") if isinstance(annotation, dict) else None
        key = int(key) if isinstance(key, str) and key.isdecimal() else key
        if not isinstance(key, int) or key not in names:
            known = ", ".join(map(str, order)) or "none"
            raise Refusal(f"class_id {shortened(repr(key))} is not among the classes {known} ({at})", HINT)
        left, top, width, height = (annotation.get(side) for side in SIDES)
        try:
            box = [left, top, left + width, top + height]
        except TypeError:
            raise Refusal(f"left, top, width, height are {left}, {top}, {width}, {height} ({at})", HINT) from None
        placed, clipped = corners.placed(box, size, at, HINT)
        cut += clipped
        found.append(Instance(order.index(key), placed, (size[1], size[0])))
    return tuple(found), cut


def _is_annotation(path: Path) -> bool:
    try:
        content = path.read_bytes()
    except OSError:
        return False  # a link that leads nowhere
    return all(mark in content for mark in _MARKS)
