"""Data formats: which one a channel holds, and its reader. Every reader is `load(file, folder) -> Dataset`.

| annotation file | format | module |
|---|---|---|
| `*.manifest`, `*.jsonl` | Lookout for Vision and Ground Truth, masks as images | `lookout` |
| the same, of type object-detection | AWS's augmented manifests, boxes | `box_manifest` |
| `data.yaml` | YOLO folder, boxes or polygons in text files | `yolo_folder` |
| `*.json` with `images` and `annotations` | COCO, boxes, polygons, run lengths | `coco` |
| `annotations.json` without `categories` | SageMaker JumpStart, boxes | `jumpstart` |
| `*.lst`, `*.rec` | MXNet's im2rec, boxes, for AWS's built-in algorithms | `box_lst`, `recordio` |
| none, but a `*.json` an image | AWS's built-in Object Detection, boxes | `object_detection` |
| none, but a `*.xml` an image | Pascal VOC, boxes | `voc` |

`load_labels` reads data sets whose images have one label each:

| annotation file | format | module |
|---|---|---|
| `*.manifest`, `*.jsonl` | Lookout for Vision, Ground Truth, AWS's augmented manifests | `label_manifest` |
| `*.lst`, `*.rec` | lists and RecordIO of AWS's built-in image classification | `lst`, `recordio` |
| none | a folder for each class | `image_folder` |

`load_masks` reads data sets whose images have a mask each: the first table's, or without an annotation file
`mask_folder`: `images/` and `masks/`, KolektorSDD, KolektorSDD2, pairs of a JPEG and a PNG.

`vision.counting` adds the lists and metadata of the Amazon Bin Image Dataset (`abid`).

`references` and `common_root` need the standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from optml.errors import Refusal
from vision.folder import Folder, is_folder, visible
from vision.formats.manifest import common_root, references

if TYPE_CHECKING:
    from vision.record import Dataset

PACKED = (".lst", ".rec")

__all__ = [
    "annotation_files",
    "choose",
    "common_root",
    "label_files",
    "load",
    "load_labels",
    "load_masks",
    "matching",
    "references",
    "with_images",
]


def load(path: Path, prefer: str = "", channel: str = "", annotations: Folder | None = None) -> Dataset:
    """The data set of a folder. `prefer` names the annotation file where it holds several.

    Refusal where there are no images, no known annotation file, or several and `prefer` does not choose. `channel` is
    the name of the job's channel that the folder is, for errors to speak of. `annotations` is a folder of its own that
    holds a JSON file an image, as AWS's built-in algorithm has it.
    """
    from vision.formats import object_detection, voc

    folder = with_images(path, channel)
    if annotations:
        if not object_detection.files(annotations.root):
            raise Refusal(
                f'no JSON files with "file", "image_size" and "annotations" in {annotations}', "add one an image"
            )
        return object_detection.load(folder, annotations)
    found = annotation_files(folder.root)
    if not found and not prefer:
        if voc.files(folder.root):
            return voc.load(folder)
        if object_detection.files(folder.root):
            return object_detection.load(folder, folder)
    return _read(choose(folder, found, prefer), folder)


def _read(file: Path, folder: Folder) -> Dataset:
    """The data set of an annotation file."""
    from vision.formats import box_lst, box_manifest, coco, jumpstart, lookout, recordio, yolo_folder

    if file.suffix == ".rec":
        return recordio.load_boxes(file, folder)
    if not images_in(folder.root):
        raise Refusal(f"no images in {folder}, and {folder.show(file)} names some", "add them, or name a .rec file")
    if file.suffix in {".manifest", ".jsonl"}:
        return box_manifest.load(file, folder) if box_manifest.holds_boxes(file) else lookout.load(file, folder)
    if file.suffix in {".yaml", ".yml"}:
        return yolo_folder.load(file, folder)
    if file.suffix == ".lst":
        return box_lst.load(file, folder)
    return jumpstart.load(file, folder) if jumpstart.is_annotation(file) else coco.load(file, folder)


def load_labels(path: Path, prefer: str = "", channel: str = "", lists: Folder | None = None) -> Dataset:
    """The data set of a folder whose images have one label each; arguments and refusals as those of `load`.

    `lists` is a folder of its own that holds the `.lst` file, as AWS's built-in algorithm has it.
    """
    from vision.formats import image_folder, label_manifest, lst, recordio

    folder = with_images(path, channel)
    if lists:
        file = choose(lists, [found for found in label_files(lists.root) if found.suffix == ".lst"], prefer)
        return lst.load(file, folder, lists.show(file))
    found = label_files(folder.root)
    if not found and not prefer:
        return image_folder.load(folder)
    file = choose(folder, found, prefer)
    if file.suffix == ".rec":
        return recordio.load_labels(file, folder)
    return lst.load(file, folder) if file.suffix == ".lst" else label_manifest.load(file, folder)


def load_masks(path: Path, prefer: str = "", channel: str = "") -> Dataset:
    """The data set of a folder whose images have a mask each; arguments and refusals as those of `load`."""
    from vision.formats import mask_folder

    folder = with_images(path, channel)
    if prefer or annotation_files(folder.root):
        return load(path, prefer, channel)
    return mask_folder.load(folder)


def label_files(folder: Path) -> list[Path]:
    """Every file below a folder that labels images, sorted."""
    return _of_records(folder, [path for path in visible(folder) if path.suffix in {".manifest", ".jsonl", *PACKED}])


def annotation_files(folder: Path) -> list[Path]:
    """Every file below a folder that one of the readers would take, sorted."""
    return _of_records(folder, [path for path in visible(folder) if _is_annotation(path)])


def matching(files: Sequence[Path], folder: Path, prefer: str) -> list[Path]:
    """Those of the annotation files of `folder` whose path in it ends in `prefer`, by whole parts."""
    wanted = "/" + prefer.strip("/")
    return [path for path in files if f"/{path.relative_to(folder).as_posix()}".endswith(wanted)]


def with_images(path: Path, channel: str) -> Folder:
    """A folder that holds images, or RecordIO; Refusal where it does not."""
    from vision import images

    folder = Folder(path, channel)
    if not is_folder(path):
        raise Refusal(f"no such folder: {folder}", "give the folder that holds the images and their annotations")
    if not images_in(path) and not any(file.suffix == ".rec" for file in visible(folder.root)):
        raise Refusal(
            f"no images in {folder} (looked for {', '.join(sorted(images.SUFFIXES))})",
            "check the channel's S3 prefix: it must hold the images as well as the annotations",
        )
    return folder


def images_in(folder: Path) -> bool:
    """Whether there is an image below a folder."""
    from vision import images

    return bool(images.find(folder))


def _of_records(folder: Path, found: list[Path]) -> list[Path]:
    """Without the list that im2rec leaves beside each .rec file, where there are no images but those packed there."""
    records = [path for path in found if path.suffix == ".rec"]
    return records if records and not images_in(folder) else found


def _is_annotation(path: Path) -> bool:
    if path.suffix in {".manifest", ".jsonl", *PACKED} or path.name in {"data.yaml", "data.yml"}:
        return True
    if path.suffix != ".json" or not path.is_file():  # a link may lead nowhere
        return False
    content = path.read_bytes()
    return b'"images"' in content and b'"annotations"' in content


def choose(folder: Folder, found: list[Path], prefer: str) -> Path:
    """The annotation file among those `found` in a folder; Refusal that lists them where `prefer` does not choose."""
    names = [folder.name(path) for path in found]
    option = "the hyperparameter manifest=" if folder.channel else "--manifest "
    if prefer:
        chosen = matching(found, folder.root, prefer)
        if len(chosen) == 1:
            return chosen[0]
        reason = "is not there" if not chosen else f"fits {len(chosen)} files"
        raise Refusal(
            f"manifest={prefer}: {reason} among the annotation files of {folder} ({', '.join(names) or 'none'})",
            f"name one of them by its path in {folder}",
        )
    if len(found) == 1:
        return found[0]
    if not found:
        raise Refusal(
            f"no annotations in {folder} (looked for *.manifest, *.jsonl, data.yaml, *.lst, *.rec, *.json with images "
            "and annotations, and a .xml or .json an image)",
            "add a Lookout for Vision manifest, a YOLO data.yaml, a COCO JSON file or Pascal VOC's XML files",
        )
    raise Refusal(
        f"{len(found)} annotation files in {folder}: {', '.join(names)}",
        f"choose one with {option}{names[-1]}, or leave one only in {folder}",
    )
