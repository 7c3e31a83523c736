"""Manifests whose lines give an image one label: Lookout for Vision, Ground Truth, AWS's image classification.

    {"source-ref": "a.jpg", "anomaly-label": 1, "anomaly-label-metadata": {"class-name": "anomaly", "type":
     "groundtruth/image-classification", …}}
    {"source-ref": "a.jpg", "class": "0"}

The class is the metadata's class-name, else the label itself. The label is the attribute whose metadata is of type
image-classification, else the only one with metadata, else the only one (beside attributes of other types, as boxes,
it then has to be called `class`). The others are left aside, with a note.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optml.errors import Refusal
from vision import images
from vision.folder import Folder, shortened
from vision.formats import manifest
from vision.formats.resolve import Resolver
from vision.record import Dataset, Sample, build

KIND = manifest.CLASSIFICATION


@dataclass(frozen=True)
class _Line:
    where: str  # "file:line"
    image: str  # reference
    value: str  # the label
    name: str  # the class
    aside: tuple[str, ...]  # what the line holds beside them, for a note


def load(file: Path, folder: Folder) -> Dataset:
    """The data set of a manifest whose references lie in `folder`; Refusal that names the line for a fault in it."""
    shown = folder.show(file)
    entries = list(manifest.entries(file, shown))
    if not entries:
        raise Refusal(f"manifest {shown} is empty", "write one JSON object a line")
    lines = [_line(entry, where) for entry, where in entries if not manifest.failed(entry, KIND)]
    failed = manifest.failure_notes(len(entries) - len(lines), len(entries), shown)
    classes, resolver = _classes(lines), Resolver(file, folder)
    samples = []
    for line in lines:
        image = resolver.find(line.image, line.where)
        width, height = images.image_size(image, folder.show(image))
        samples.append(Sample(image, folder.name(image), width, height, (), line.where, label=classes.index(line.name)))
    masks = sum(any(key.endswith("-ref") and key != "source-ref" for key in entry) for entry, _ in entries)
    notes = _conflicts(lines) + failed
    notes += [f"{masks} masks left aside: an image has one label here"] if masks else []
    aside = Counter(what for line in lines for what in line.aside)
    notes += [f"{what} left aside in {count} lines: an image has one label here" for what, count in aside.items()]
    if resolver.by_suffix:
        notes.append(f"{len(resolver.by_suffix)} references found by the end of their path only")
    return build(classes, samples, notes, folder.label, shown)


def _line(entry: dict[str, Any], where: str) -> _Line:
    attribute = _attribute(entry, where)
    if attribute not in entry:
        raise Refusal(f'"{attribute}-metadata" without "{attribute}" ({where})', f'add "{attribute}": the label')
    value, metadata = entry[attribute], entry.get(f"{attribute}-metadata", {})
    if not isinstance(metadata, dict):
        raise Refusal(
            f'"{attribute}-metadata" is {shortened(repr(metadata))}, not an object ({where})',
            'leave it out, or write {"class-name": "anomaly", "type": "groundtruth/image-classification"}',
        )
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
        what = "several labels" if isinstance(value, list) else shortened(repr(value))
        raise Refusal(f'"{attribute}" is {what} ({where})', "give each image one label, a number or a name")
    name = metadata.get("class-name", str(value))
    if not isinstance(name, str) or not name.strip():
        raise Refusal(f'"class-name" is {shortened(repr(name))}, not a text ({where})', "write the name of the class")
    aside = [f'"{shortened(bare)}"' for bare in _bare(entry) if bare != attribute]
    others = {name: kind for name, kind in manifest.types(entry).items() if kind != manifest.SEGMENTATION}
    aside += [f'"{shortened(name)}", of type {shortened(kind)},' for name, kind in others.items() if name != attribute]
    return _Line(where, entry["source-ref"], str(value).strip(), name.strip(), tuple(aside))


def _attribute(entry: dict[str, Any], where: str) -> str:
    """The attribute that labels the image: of type image-classification, else alone with metadata, else alone."""
    bare = _bare(entry)
    described = [name for name in bare if isinstance(entry.get(f"{name}-metadata"), dict)]
    typed = [name for name, kind in manifest.types(entry).items() if kind == KIND]
    labels = manifest.adjusted(entry, typed) or described
    foreign = _foreign(entry)
    if not labels and foreign and bare != ["class"]:
        name, kind = next(iter(foreign.items()))
        raise Refusal(
            f'the image has no label of type groundtruth/{KIND}: "{name}" is of type {shortened(repr(kind))} ({where})',
            f'add a label with its metadata, of type groundtruth/{KIND}, or {{"class": "0"}}',
        )
    labels = labels or bare
    if len(labels) == 1:
        return labels[0]
    if labels:
        more = f', or add "{labels[0]}-metadata": {{"type": "groundtruth/{KIND}"}} to the one that counts'
        raise Refusal(
            f"more than one label: {', '.join(map(repr, labels))} ({where})",
            "keep one of them" + ("" if typed else more),
        )
    raise Refusal(f"the image has no label ({where})", 'add {"class": "0"}, or an anomaly-label with its metadata')


def _foreign(entry: dict[str, Any]) -> dict[str, str]:
    """The attributes of a line that another type than a label or a mask has, and the type: boxes, verifications, …"""
    return {name: kind for name, kind in manifest.types(entry).items() if kind not in (KIND, manifest.SEGMENTATION)}


def _bare(entry: dict[str, Any]) -> list[str]:
    """The attributes of a line that no metadata gives a type, but for references."""
    types = manifest.types(entry)
    return [key for key in entry if not key.endswith(("-metadata", "-ref")) and key not in types]


def _classes(lines: Sequence[_Line]) -> list[str]:
    """The classes in the order of their labels where these are numbers (normal 0, anomaly 1), else of their names."""
    values = defaultdict(list)
    for line in lines:
        values[line.name].append(line.value)
    if all(line.value.isdecimal() for line in lines):
        usual = {name: int(Counter(found).most_common(1)[0][0]) for name, found in values.items()}
        return sorted(usual, key=lambda name: (usual[name], name))
    return sorted(values)


def _conflicts(lines: Sequence[_Line]) -> list[str]:
    """Lines whose label usually stands for another class than the one they name: the name counts."""
    names = defaultdict(Counter)  # type: defaultdict[str, Counter[str]]
    for line in lines:
        names[line.value][line.name] += 1
    return [
        f'{line.where}: label {line.value} but class-name "{line.name}": the class-name counts'
        for line in lines
        if line.name != names[line.value].most_common(1)[0][0]
    ]
