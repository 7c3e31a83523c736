"""Images with a mask image each, told apart by folders or names; no annotation file.

| data set | image | mask |
|---|---|---|
| folders | `images/a.jpg`, also below `train/`, `val/`, `test/` | `masks/a.png`, of any suffix that images have |
| KolektorSDD2 | `train/10301.png` | `train/10301_GT.png`; `10301 (copy).png` has `10301_GT (copy).png` |
| KolektorSDD | `kos01/Part5.jpg`, `kos01_Part5.jpg` | `…_label.bmp` |
| pairs | `a.jpg` | `a.png` |

A mask in a folder of masks is that of the image of its very name, else of its name without `_GT`, `_label` or `_mask`.
Every image needs its mask, an empty one if nothing is wrong. `classes.txt` names the values 1, 2, … of masks, one a
line; without it they tell defective from sound (`mask_values`). A background-only mask of another size is empty.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from optml.errors import Refusal
from vision import documents, frames, images, masks
from vision.folder import Folder
from vision.formats import mask_names, mask_values, parts
from vision.frames import Frame
from vision.record import Dataset, Instance, Sample, build

CLASSES = "classes.txt"
DEFECT = "defect"
HINT = "put images into images/ and masks of the same names into masks/, or call the mask of a.png a_GT.png"


@dataclass(frozen=True)
class _Pair:
    key: str
    """Path of the image without what makes it an image, and without its suffix."""
    image: Path
    mask: Path


@dataclass(frozen=True)
class _Read:
    labels: NDArray[np.uint8] | None  # (H, W), None for a mask of another size without anything on it
    frame: Frame
    uneven: bool
    turned: bool


def load(folder: Folder) -> Dataset:
    """The data set of a folder tree; Refusal that names a file without its partner, or a wrong value."""
    pairs, copies = _without_copies(_pairs(folder), folder)
    names = _class_names(folder)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        read = list(pool.map(lambda pair: _read(pair, folder, names), pairs))
    declared = parts.of([pair.key for pair in pairs])
    groups, told = mask_names.groups(pair.key for pair in pairs)
    samples = []
    for pair, one, part in zip(pairs, read, declared, strict=True):
        split = part if all(declared) else ""
        instances = () if one.labels is None else tuple(_instances(one.labels))
        name, source = folder.name(pair.image), folder.show(pair.mask)
        samples.append(
            Sample(pair.image, name, *one.frame.displayed, instances, source, split, group=groups.get(pair.key, ""))
        )
    notes = _notes(read, copies) + told
    return build(names or [DEFECT], samples, notes, folder.label, str(folder))


def _pairs(folder: Folder) -> list[_Pair]:
    found = images.find(folder.root)
    marked = {path for path in found if mask_names.is_mask(folder.name(path))}
    if not marked:
        marked = _second_of_pairs(found, folder)
    names = {path: folder.name(path) for path in found}
    pictures = _by_key({path: mask_names.key(names[path]) for path in found if path not in marked}, folder)
    exact = {path: mask_names.key(names[path], suffixed=False) for path in marked}
    keys = {path: key if key in pictures else mask_names.key(names[path]) for path, key in exact.items()}
    answers = _by_key(keys, folder)
    bare = sorted(pictures.keys() - answers.keys())
    if bare:
        more = f"; {len(bare) - 1} more have none" if len(bare) > 1 else ""
        raise Refusal(
            f"image {folder.show(pictures[bare[0]])} has no mask{more}",
            "add its mask, all black if nothing is wrong with it, or remove the image",
        )
    orphans = sorted(answers.keys() - pictures.keys())
    if orphans:
        raise Refusal(
            f"mask {folder.show(answers[orphans[0]])} has no image",
            "add its image, of the same name, or remove the mask",
        )
    return [_Pair(key, pictures[key], answers[key]) for key in sorted(pictures)]


def _second_of_pairs(found: Sequence[Path], folder: Folder) -> set[Path]:
    """The PNG or BMP of every JPEG, where each image has such a partner."""
    stems = Counter(path.with_suffix("") for path in found)
    second = {path for path in found if path.suffix.lower() in {".png", ".bmp"} and stems[path.with_suffix("")] == 2}
    if not second or len(second) * 2 != len(found):
        raise Refusal(f"no masks in {folder}: none of its {len(found)} images is one by its folder or name", HINT)
    return second


def _by_key(keys: Mapping[Path, str], folder: Folder) -> dict[str, Path]:
    keyed: dict[str, Path] = {}
    for path, key in sorted(keys.items()):
        other = keyed.setdefault(key, path)
        if other is not path:
            raise Refusal(
                f"{folder.show(other)} and {folder.show(path)} differ in the suffix only", "remove one of the two"
            )
    return keyed


def _without_copies(pairs: Sequence[_Pair], folder: Folder) -> tuple[list[_Pair], int]:
    """The pairs without those that repeat another image under the name of a copy, and how many those are."""
    by_key = {pair.key: pair for pair in pairs}
    kept = []
    for pair in pairs:
        copied = mask_names.COPY.fullmatch(pair.key)
        original = by_key.get(copied["stem"]) if copied else None
        if original is None or original.image.read_bytes() != pair.image.read_bytes():
            kept.append(pair)
    return kept, len(pairs) - len(kept)


def _class_names(folder: Folder) -> list[str]:
    path = folder.root / CLASSES
    if not path.is_file():
        return []
    shown = folder.show(path)
    names = [line.strip() for line in documents.read_text(path, shown, "one name a line").splitlines() if line.strip()]
    if not names or len(set(names)) < len(names) or len(names) > 254:
        raise Refusal(
            f"{shown} must name 1 to 254 classes, each once", "write the names of the values 1, 2, …, one a line"
        )
    return names


def _read(pair: _Pair, folder: Folder, classes: Sequence[str]) -> _Read:
    shown = folder.show(pair.mask)
    frame = frames.frame_of(pair.image, folder.show(pair.image))
    values = mask_values.read(pair.mask, shown, classes)
    height, width = values.labels.shape
    if frame.turns((width, height), values.orientation):
        return _Read(frames.turned(values.labels, frame.orientation), frame, values.uneven, turned=True)
    if (width, height) == frame.displayed:
        return _Read(values.labels, frame, values.uneven, turned=False)
    if not values.labels.any():
        return _Read(None, frame, values.uneven, turned=False)
    raise Refusal(
        f"mask {shown} is {width}x{height}, its image {frame.displayed[0]}x{frame.displayed[1]}",
        "save the mask in the size of its image",
    )


def _instances(labels: NDArray[np.uint8]) -> Iterable[Instance]:
    """One for each class in a mask, all its pixels."""
    for value in np.unique(labels[labels > 0]).tolist():
        mask = labels == value
        x1, y1, x2, y2 = masks.box_of(mask) or (0, 0, 0, 0)
        box = (float(x1), float(y1), float(x2), float(y2))
        yield Instance(value - 1, box, (labels.shape[0], labels.shape[1]), rle=masks.encode(mask))


def _notes(read: Sequence[_Read], copies: int) -> list[str]:
    said = {
        "masks of more than two values: 128 and more, in a palette all but 0, count as defective": sum(
            one.uneven for one in read
        ),
        "background-only masks of another size than their image taken as empty": sum(
            one.labels is None for one in read
        ),
        "masks turned by the EXIF orientation of their image": sum(one.turned for one in read),
        "images left aside that repeat another under the name of a copy": copies,
    }
    return [f"{count} {text}" for text, count in said.items() if count]
