"""Folders named by class, `normal/a.jpg`, `anomalous/b.jpg`, also below `train/`, `validation/` and `test/`.

Where every image of a folder has a partner of the same name with another suffix, the PNGs and BMPs are masks, which
are left aside (`MT_Crack/Imgs/a.jpg` and `a.png`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from optml.errors import Refusal
from vision import images
from vision.folder import Folder
from vision.formats.resolve import visible
from vision.record import Dataset, Sample, build

PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
HINT = "put the images into one folder for each class, normal/ and anomalous/ say"


def load(folder: Folder) -> Dataset:
    """The data set of a folder tree; folders around the class folders are passed over."""
    found, masks = _without_masks(images.find(folder.root), folder)
    root, placed = _root(folder, found), []
    parted = all(path.relative_to(root).parts[0].lower() in PARTS for path in found)
    for path in found:
        parts = path.relative_to(root).parts
        split, parts = (PARTS[parts[0].lower()], parts[1:]) if parted else ("", parts)
        if len(parts) < 2:
            raise Refusal(f"image {folder.show(path)} lies in no class folder", HINT)
        placed.append((path, split, parts[0]))
    classes = sorted({name for _, _, name in placed})
    samples = []
    for path, split, name in placed:
        width, height = images.image_size(path, folder.show(path))
        source = folder.show(path.parent)
        samples.append(Sample(path, folder.name(path), width, height, (), source, split, classes.index(name)))
    return build(classes, samples, _notes(folder, masks), folder.label, str(folder))


def _root(folder: Folder, found: Sequence[Path]) -> Path:
    """The folder that holds the class folders, or the parts: the first one with more than one entry on the way down."""
    root = folder.root
    while True:
        entries = {path.relative_to(root).parts[0] for path in found}
        only = root / next(iter(entries))
        if len(entries) > 1 or only.is_file() or only.name.lower() in PARTS:
            return root
        if all(path.parent == only for path in found):
            raise Refusal(f"all images of {folder} are in one folder, {folder.show(only)}", HINT)
        root = only


def _without_masks(found: Iterable[Path], folder: Folder) -> tuple[list[Path], int]:
    """The images that are no masks, and how many are."""
    by_folder: dict[Path, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path in found:
        by_folder[path.parent][path.stem].append(path)
    kept: list[Path] = []
    masks = 0
    for stems in by_folder.values():
        pairs = [paths for paths in stems.values() if len(paths) > 1]
        marked = [_photograph(paths) for paths in pairs]
        if pairs and (len(pairs) < len(stems) or None in marked):
            odd = next(paths for paths in pairs if len(pairs) < len(stems) or _photograph(paths) is None)
            raise Refusal(
                f"{' and '.join(folder.show(path) for path in odd)} differ in the suffix only",
                "remove one of the two; masks are passed over where every image of a folder has one",
            )
        kept += [path for path in marked if path] or [paths[0] for paths in stems.values()]
        masks += len(pairs)
    return sorted(kept), masks


def _photograph(paths: Sequence[Path]) -> Path | None:
    """The JPEG of a JPEG and its mask; None for anything else."""
    photographs = [path for path in paths if path.suffix.lower() in {".jpg", ".jpeg"}]
    return photographs[0] if len(paths) == 2 and len(photographs) == 1 else None


def _notes(folder: Folder, masks: int) -> list[str]:
    others = Counter(path.suffix.lower() or path.name for path in visible(folder.root))
    passed = {suffix: count for suffix, count in others.items() if suffix not in images.SUFFIXES}
    listed = ", ".join(f"{count} {suffix}" for suffix, count in sorted(passed.items()))
    return [f"{masks} masks left aside"] * bool(masks) + [f"files that are no images passed over: {listed}"] * bool(
        passed
    )
