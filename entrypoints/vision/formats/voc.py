"""Pascal VOC: an XML file an image, with the objects' names and boxes, counted from 1 with both ends in the box.

So 1 is taken off the minima only: `xmin 1, xmax 200` is all of 200 pixels. A class is what its object says, never the
file's name. An XML belongs to the image of its own name, of several to its `<filename>`, which also counts where there
is none; what lies in VOC's folders SegmentationClass and SegmentationObject is no photograph. An XML without objects is
a negative. The split is that of `ImageSets/Main/*.txt`, or of folders called train, validation and test.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from optml.errors import Refusal
from vision import documents, images
from vision.documents import Element
from vision.folder import Folder, shortened, visible
from vision.formats import corners, parts, voc_lists
from vision.formats.resolve import Resolver
from vision.record import Dataset, Instance, Sample, build

HINT = "write <xmin>, <ymin>, <xmax>, <ymax> in pixels from 1 to the image's width and height"
SEGMENTATION = frozenset({"SegmentationClass", "SegmentationObject"})
CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass
class _Reading:
    """One reading of a data set: what it is read with, and what was decided on the way, for the notes."""

    folder: Folder
    by_stem: dict[str, list[Path]]
    lists: voc_lists.Lists
    notes: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def files(folder: Path) -> list[Path]:
    """The XML files below a folder that annotate an image, and those cut off before they say what they are; sorted."""
    return [path for path in visible(folder) if path.suffix.lower() == ".xml" and _is_annotation(path)]


def load(folder: Folder) -> Dataset:
    """The data set of a folder of XML files and images; Refusal that names the file and line of a fault."""
    found, everything = files(folder.root), images.find(folder.root)
    pictures = [path for path in everything if path.parent.name not in SEGMENTATION]
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in pictures:
        by_stem[path.stem].append(path)
    reading = _Reading(folder, by_stem, voc_lists.read(folder, by_stem))
    read = [(path, documents.from_xml(path, folder.show(path), "write the file anew")) for path in found]
    names = sorted({_name(thing, folder.show(path)) for path, root in read for thing in root.all("object")})
    samples = _parted([_sample(path, root, names, reading) for path, root in read], reading)
    if masks := len(everything) - len(pictures):
        reading.notes["masks in Segmentation folders left aside"] = masks
    if left := len(pictures) - len({sample.image for sample in samples}):
        reading.notes["images without an XML file left out"] = left
    notes = [f"{count} {text}" for text, count in reading.notes.items()]
    return build(names, samples, notes, folder.label, f"the XML files of {folder}")


def _is_annotation(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(2048)
    except OSError:
        return False  # a link that leads nowhere
    return b"<annotation" in start or not re.search(rb"<\0?[A-Za-z]", start)


def _sample(path: Path, root: Element, names: list[str], reading: _Reading) -> Sample:
    shown = reading.folder.show(path)
    image = _image(path, root, reading)
    width, height = size = images.image_size(image, reading.folder.show(image))
    _check_size(root, size, shown)
    instances: dict[tuple[int, corners.Box], Instance] = {}
    for thing in root.all("object"):
        instance = _instance(thing, names, size, shown, reading)
        repeated = instances.setdefault((instance.class_id, instance.box), instance) is not instance
        reading.notes["repeated objects dropped"] += repeated
        reading.notes["objects marked difficult"] += instance.difficult and not repeated
    for text in [text for text, count in reading.notes.items() if not count]:
        del reading.notes[text]
    name = reading.folder.name(image)
    return Sample(image, name, width, height, tuple(instances.values()), shown)


def _parted(samples: list[Sample], reading: _Reading) -> list[Sample]:
    """The samples with the part that a list, or else a folder, puts each into."""
    lists, folders = reading.lists, parts.of([sample.name for sample in samples])
    parted = [
        replace(sample, split=lists.parts.get(sample.image.stem, part))
        for sample, part in zip(samples, folders, strict=True)
    ]
    if lists.unknown:
        reading.notes["names in lists of ImageSets/Main that no image has"] = len(lists.unknown)
    if lists.parts and (left := sum(not sample.split for sample in parted)):
        reading.notes["images that no list of ImageSets/Main names"] = left
    return parted


def _image(path: Path, root: Element, reading: _Reading) -> Path:
    """The image of an XML file: that of its own name, in its own folder or the one beside it before any other."""
    named = reading.by_stem.get(path.stem, [])
    near = [one for one in named if one.parent == path.parent]
    near = near or [one for one in named if one.parent.parent == path.parent.parent]
    near = near or named
    shown, written = reading.folder.show(path), root.first("filename")
    if len(near) > 1 and written is not None:
        near = [one for one in near if one.name == PurePosixPath(written.text).name]
    if len(near) == 1:
        return near[0]
    if named:
        listed = ", ".join(reading.folder.show(one) for one in named)
        raise Refusal(f"{shown} could annotate any of {listed}", "keep one of that name, or name it in <filename>")
    if written is None or not written.text:
        raise Refusal(f"no image {path.stem} ({shown}; looked in {reading.folder})", f"add it to {reading.folder}")
    return Resolver(path, reading.folder).find(written.text, f"{shown}:{written.line}")


def _check_size(root: Element, size: tuple[int, int], shown: str) -> None:
    """Refuse a declared width and height that are not the image's; the depth is often wrong and decides nothing."""
    declared = root.first("size")
    sides = [declared.first(name) if declared else None for name in ("width", "height")]
    values = [side.text for side in sides if side is not None]
    if declared and len(values) == 2 and values not in (["0", "0"], [str(side) for side in size]):
        raise Refusal(
            f"the image is {size[0]}x{size[1]} as displayed, but declared {shortened('x'.join(values))} "
            f"({shown}:{declared.line})",
            "annotate the image as it is, EXIF orientation applied",
        )


def _name(thing: Element, shown: str) -> str:
    name = thing.first("name")
    if name is None or not name.text:
        raise Refusal(f"an object without a name ({shown}:{thing.line})", "add <name>: its class")
    return name.text


def _instance(thing: Element, names: list[str], size: tuple[int, int], shown: str, reading: _Reading) -> Instance:
    box = thing.first("bndbox")
    where = f"{shown}:{(box or thing).line}"
    texts = [(found.text if (found := box.first(name)) else "nothing") if box else "nothing" for name in CORNERS]
    try:
        values = [float(text) for text in texts]
    except ValueError:
        raise Refusal(f"a box from {', '.join(map(shortened, texts))} ({where})", HINT) from None
    x1, y1, x2, y2 = values
    placed, cut = corners.placed((x1 - 1, y1 - 1, x2, y2), size, where, HINT)
    if cut:
        reading.notes["boxes clipped to their image"] += 1
    if min(x1, y1) < 1:
        reading.notes["boxes that begin before pixel 1, where VOC begins to count"] += 1
    difficult = thing.first("difficult")
    marked = difficult is not None and difficult.text == "1"
    return Instance(names.index(_name(thing, shown)), placed, (size[1], size[0]), difficult=marked)
