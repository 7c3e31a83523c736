"""Folders named by class, `normal/a.jpg`, `anomalous/b.jpg`, also below `train/`, `validation/` and `test/`.

Masks are left aside: those that names and folders tell (`mask_names`; `a_label.bmp`, `a_GT.png`, `masks/a.png` of an
image `a`), and where every image of a folder has a partner of the same name with another suffix, the PNGs and BMPs
(`MT_Crack/Imgs/a.jpg` and `a.png`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from optml.errors import Refusal
from vision import images
from vision.folder import Folder, visible
from vision.formats import mask_names
from vision.formats.parts import PARTS
from vision.record import Dataset, Sample, build

HINT = "put the images into one folder for each class, normal/ and anomalous/ say"


def load(folder: Folder) -> Dataset:
    """The data set of a folder tree; folders around the class folders are passed over."""
    everything = images.find(folder.root)
    found = _without_partners(_without_masks(everything, folder), folder)
    root, placed = _root(folder, found), []
    parted = all(path.relative_to(root).parts[0].lower() in PARTS for path in found)
    for path in found:
        parts = path.relative_to(root).parts
        split, parts = (PARTS[parts[0].lower()], parts[1:]) if parted else ("", parts)
        if len(parts) < 2:
            raise Refusal(f"image {folder.show(path)} lies in no class folder", HINT)
        placed.append((path, split, parts[0]))
    classes = sorted({name for _, _, name in placed})
    keys = {path: mask_names.key(folder.name(path)) for path in found}
    groups, told = mask_names.groups(keys.values())
    samples = []
    for path, split, name in placed:
        width, height = images.image_size(path, folder.show(path))
        source = folder.show(path.parent)
        group = groups.get(keys[path], "")
        samples.append(Sample(path, folder.name(path), width, height, (), source, split, classes.index(name), group))
    notes = _notes(folder, len(everything) - len(found)) + told
    return build(classes, samples, notes, folder.label, str(folder))


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


def _without_masks(found: Sequence[Path], folder: Folder) -> list[Path]:
    """The images that are not masks of others by their names or folders; Refusal for a mask without its image.

    A folder or an image that is only called so is none: no image of it, and of no other of the kind, is there.
    """
    suspects = {path for path in found if mask_names.is_mask(folder.name(path))}
    keys = {_key(path, folder) for path in found if path not in suspects}
    masks = {path for path in suspects if keys & {_key(path, folder), _key(path, folder, suffixed=False)}}
    kinds = {_kind(path, folder) for path in masks}
    for path in sorted(suspects - masks):
        if _kind(path, folder) in kinds:
            raise Refusal(
                f"{folder.show(path)} is a mask as those beside it are, but its image is not there",
                "add the image, or remove the mask",
            )
    return [path for path in found if path not in masks]


def _key(path: Path, folder: Folder, *, suffixed: bool = True) -> str:
    """That of `mask_names`, also without the parts: `test/crack/1.png` has `ground_truth/crack/1_mask.png`."""
    key = mask_names.key(folder.name(path), suffixed=suffixed)
    return "/".join(part for part in key.split("/") if part.lower() not in PARTS)


def _kind(path: Path, folder: Folder) -> str:
    """What makes it look like a mask: the folder called so, else the suffix of its name."""
    parents = folder.name(path.parent).lower().split("/") if path.parent != folder.root else []
    within = [part for part in parents if part in mask_names.MASK_FOLDERS]
    return within[-1] if within else path.stem.lower().rpartition("_")[2]


def _without_partners(found: Iterable[Path], folder: Folder) -> list[Path]:
    """The images without those that are masks for having the name of another, with another suffix."""
    by_folder: dict[Path, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path in found:
        by_folder[path.parent][path.stem].append(path)
    kept: list[Path] = []
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
    return sorted(kept)


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
