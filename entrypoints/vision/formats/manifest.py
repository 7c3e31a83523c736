"""Lines of Lookout for Vision and Ground Truth manifests, and what has to travel along (standard library only)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optml.errors import Refusal
from vision import documents
from vision.folder import Folder, shortened
from vision.formats.resolve import Resolver

LEVELS = 3  # how many folders above a manifest its references are looked for
CLASSIFICATION, SEGMENTATION = "image-classification", "semantic-segmentation"
VERIFICATION = "label-verification"  # what a worker thought of a label, beside it


@dataclass(frozen=True)
class Line:
    """One line of a manifest."""

    where: str  # "file:line"
    image: str  # reference
    anomalous: bool | None  # by the class name, else by the label; None where the line has neither
    conflict: str  # how the class name and the label disagree, "" where they do not
    mask: str | None  # reference
    colors: dict[tuple[int, int, int], str]  # colour in the mask -> class name; the background's class is ""
    verified: bool = False  # a label-verification stands beside them, and is left aside
    failed: bool = False  # Ground Truth could not make its label or its mask, and there is no mask


def read(manifest: Path, shown: str = "") -> Iterator[Line]:
    """The lines of a manifest in their order; Refusal that names file and line for one that does not parse.

    `shown` is what errors call the file: by default its path.
    """
    return (_line(entry, where) for entry, where in entries(manifest, shown or str(manifest)))


def entries(manifest: Path, shown: str) -> Iterator[tuple[dict[str, Any], str]]:
    """The objects of a manifest, each with a `source-ref`, and where they stand ("file:line")."""
    text = documents.read_text(manifest, f"manifest {shown}", "save it as UTF-8, one JSON object a line")
    for number, content in enumerate(text.split("\n"), 1):
        if content.strip():
            entry, where = (
                documents.from_json(content, shown, "write one JSON object a line", number),
                f"{shown}:{number}",
            )
            if not isinstance(entry, dict) or not isinstance(entry.get("source-ref"), str):
                raise Refusal(
                    f'no "source-ref" ({where})', 'every line needs {"source-ref": "path or s3:// of an image", ...}'
                )
            yield entry, where


def types(entry: dict[str, Any]) -> dict[str, str]:
    """What each attribute of a line that has a type holds, `{"bounding-box": "object-detection"}`, by its metadata.

    Those that Ground Truth could not label are left out.
    """
    missing = failures(entry)
    return {
        name: _type(metadata)
        for name, metadata in _described(entry).items()
        if "type" in metadata and name not in missing
    }


def adjusted(entry: dict[str, Any], names: Sequence[str]) -> list[str]:
    """Of several attributes of one type the one that an adjustment job of Ground Truth wrote, else all of them.

    Its metadata alone says "adjustment-status", of an image whose label was left as it is too.
    """
    described = _described(entry)
    last = [name for name in names if described[name].get("adjustment-status") in ("adjusted", "unadjusted")]
    return last if len(last) == 1 else list(names)


def failures(entry: dict[str, Any]) -> dict[str, str]:
    """The attributes of a line that Ground Truth could not label, as their metadata says: their types, "" for none."""
    return {
        name: _type(metadata)
        for name, metadata in _described(entry).items()
        if "failure-reason" in metadata and entry.get(name) is None
    }


def failed(entry: dict[str, Any], kind: str) -> bool:
    """Whether Ground Truth could not make what a line should hold of a type."""
    return not {"", kind}.isdisjoint(failures(entry).values()) and kind not in types(entry).values()


def failure_notes(count: int, lines: int, shown: str) -> list[str]:
    """What is said of the lines that Ground Truth could not label; Refusal where these are all."""
    if count and count == lines:
        raise Refusal(
            f"Ground Truth could label none of the {lines} images of {shown}",
            'look at the "failure-reason" of its lines, and label the images again',
        )
    return [f"{count} images that Ground Truth could not label (failure-reason) left aside"] if count else []


def bare_boxes(entry: dict[str, Any]) -> str:
    """The attribute of a line that holds boxes without metadata; "" where there is none."""
    bare = (key for key, value in entry.items() if f"{key}-metadata" not in entry and _are_boxes(value))
    return next(bare, "")


def refuse_bare_boxes(entry: dict[str, Any], where: str) -> None:
    if name := bare_boxes(entry):
        raise Refusal(
            f'"{name}" holds boxes, but there is no "{name}-metadata" ({where})',
            'add it: {"class-map": {"0": "dog"}, "type": "groundtruth/object-detection"}',
        )


def references(manifest: Path) -> list[Path]:
    """The files a manifest refers to (each once, images first), found near it; Refusal for one that is missing."""
    return _gather(manifest)[1]


def common_root(manifest: Path) -> Path:
    """The nearest folder above a manifest that holds it and all its references: what DATA=<manifest> takes along."""
    return _gather(manifest)[0]


def _gather(manifest: Path) -> tuple[Path, list[Path]]:
    lines = [line for line in read(manifest) if not line.failed]
    manifest = manifest.absolute()
    wanted = [(line.image, line.where, "image") for line in lines]
    wanted += [(line.mask, line.where, "mask") for line in lines if line.mask]
    missing: Refusal | None = None
    for root in list(manifest.parents)[: LEVELS + 1]:
        if root in (Path.home(), Path(root.anchor)) and root != manifest.parent:
            break
        resolver = Resolver(manifest, Folder(root))
        try:
            found = [resolver.find(*reference) for reference in wanted]
        except Refusal as refusal:
            missing = refusal
            continue
        return root, list(dict.fromkeys(found))
    raise missing or Refusal(f"manifest {manifest} has no folder above it", "move it into a folder with its images")


def _line(entry: dict[str, Any], where: str) -> Line:
    kinds = _attributes(entry, where)
    label, mask = kinds.get(CLASSIFICATION), kinds.get(SEGMENTATION)
    anomalous, conflict = _anomalous(entry, label, where) if label else (None, "")
    verified = VERIFICATION in types(entry).values()
    if not mask:
        return Line(where, entry["source-ref"], anomalous, conflict, None, {}, verified, bool(failures(entry)))
    if not isinstance(entry.get(mask), str):
        raise Refusal(f'"{mask}-metadata" describes a mask, but there is no "{mask}" ({where})', "add the mask's path")
    colors = _colors(entry[f"{mask}-metadata"], where)
    return Line(where, entry["source-ref"], anomalous, conflict, entry[mask], colors, verified)


def _attributes(entry: dict[str, Any], where: str) -> dict[str, str]:
    """Attribute name by kind, from the `type` of each `<name>-metadata`."""
    refuse_bare_boxes(entry, where)
    missing, found = failures(entry), types(entry)
    for name, kind in {**found, **missing}.items():
        if kind not in (CLASSIFICATION, SEGMENTATION, VERIFICATION) and (kind or name not in missing):
            raise Refusal(
                f'"{name}-metadata" is of type {shortened(repr(entry[f"{name}-metadata"]["type"]))} ({where})',
                f"types that are read: groundtruth/{CLASSIFICATION}, groundtruth/{SEGMENTATION}",
            )
    kinds: dict[str, str] = {}
    for kind in (CLASSIFICATION, SEGMENTATION):
        names = adjusted(entry, [name for name in found if found[name] == kind])
        if len(names) > 1:
            raise Refusal(f'both "{names[0]}" and "{names[1]}" are of type {kind} ({where})', "keep one of them")
        kinds.update((kind, name) for name in names)
    if (orphan := "anomaly-mask-ref") in entry and SEGMENTATION not in kinds:
        raise Refusal(f'"{orphan}" lacks its "{orphan}-metadata" ({where})', "add it, with type and internal-color-map")
    return kinds


def _anomalous(entry: dict[str, Any], label: str, where: str) -> tuple[bool | None, str]:
    """Whether the class name says anomaly, and how the label contradicts it: the class name is trusted."""
    name, value = entry[f"{label}-metadata"].get("class-name"), entry.get(label)
    by_label = {"0": False, "1": True}.get(str(value).strip())
    if name is None:
        return by_label, ""
    if not isinstance(name, str):
        raise Refusal(f'"class-name" is {name!r}, not a text ({where})', 'write "normal" or "anomaly"')
    by_name = name.strip().lower() != "normal"
    if by_label in (None, by_name):
        return by_name, ""
    return by_name, f'{where}: label {value} but class-name "{name}": the class-name counts'


def _colors(metadata: dict[str, Any], where: str) -> dict[tuple[int, int, int], str]:
    entries = metadata.get("internal-color-map")
    if not isinstance(entries, dict) or not entries:
        raise Refusal(f'the mask has no "internal-color-map" ({where})', "add one: the classes and their hex colours")
    colors: dict[tuple[int, int, int], str] = {}
    for key, entry in entries.items():
        name, code = (entry.get("class-name"), entry.get("hex-color")) if isinstance(entry, dict) else (None, None)
        digits = str(code).removeprefix("#")
        if not isinstance(name, str) or not name.strip() or len(digits) != 6 or not _is_hex(digits):
            raise Refusal(
                f'entry "{key}" of the internal-color-map is {shortened(json.dumps(entry))} ({where})',
                'write {"class-name": "cracked", "hex-color": "#23A436"}',
            )
        color = (int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16))
        name = "" if name.strip().lower() == "background" else name.strip()
        if colors.setdefault(color, name) != name:
            raise Refusal(
                f"colour #{digits.upper()} stands for two classes ({where})", "give each class its own colour"
            )
    return colors


def _described(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The metadata of a line by the attribute that they describe."""
    return {
        key.removesuffix("-metadata"): metadata
        for key, metadata in entry.items()
        if key.endswith("-metadata") and isinstance(metadata, dict)
    }


def _type(metadata: dict[str, Any]) -> str:
    """The type that metadata give without its prefix, `object-detection`; "" where they give none."""
    return str(metadata.get("type", "")).rpartition("/")[2]


def _are_boxes(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("annotations"), list)


def _is_hex(digits: str) -> bool:
    return all(digit in "0123456789abcdefABCDEF" for digit in digits)
