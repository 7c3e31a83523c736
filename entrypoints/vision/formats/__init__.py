"""Data formats: which one a channel holds, and its reader. Every reader is `load(file, channel) -> Dataset`.

| annotation file | format | module |
|---|---|---|
| `*.manifest`, `*.jsonl` | Lookout for Vision and Ground Truth, masks as images | `lookout` |
| `data.yaml` | YOLO folder, boxes or polygons in text files | `yolo_folder` |
| `*.json` with `images` and `annotations` | COCO, boxes, polygons, run lengths | `coco` |

`references` and `common_root` need the standard library only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from optml.errors import Refusal
from vision.formats.manifest import common_root, references
from vision.formats.resolve import visible

if TYPE_CHECKING:
    from vision.record import Dataset

__all__ = ["annotation_files", "common_root", "load", "references"]


def load(channel: Path, prefer: str = "") -> Dataset:
    """The data set of a channel folder. `prefer` names the annotation file where a channel holds several.

    Refusal where there are no images, no known annotation file, or several and `prefer` does not choose.
    """
    from vision import images
    from vision.formats import coco, lookout, yolo_folder

    if not channel.is_dir():
        raise Refusal(f"no such folder: {channel}", "give the folder that holds the images and their annotations")
    if not images.find(channel):
        raise Refusal(
            f"no images in {channel} (looked for {', '.join(sorted(images.SUFFIXES))})",
            "check the channel's S3 prefix: it must hold the images as well as the annotations",
        )
    file = _choose(channel, annotation_files(channel), prefer)
    if file.suffix in {".manifest", ".jsonl"}:
        return lookout.load(file, channel)
    if file.suffix in {".yaml", ".yml"}:
        return yolo_folder.load(file, channel)
    return coco.load(file, channel)


def annotation_files(channel: Path) -> list[Path]:
    """Every file below a channel that one of the readers would take, sorted."""
    return [path for path in visible(channel) if _is_annotation(path)]


def _is_annotation(path: Path) -> bool:
    if path.suffix in {".manifest", ".jsonl"} or path.name in {"data.yaml", "data.yml"}:
        return True
    if path.suffix != ".json":
        return False
    content = path.read_bytes()
    return b'"images"' in content and b'"annotations"' in content


def _choose(channel: Path, found: list[Path], prefer: str) -> Path:
    names = [path.relative_to(channel).as_posix() for path in found]
    if prefer:
        wanted = "/" + prefer.strip("/")
        chosen = [path for path, name in zip(found, names, strict=True) if f"/{name}".endswith(wanted)]
        if len(chosen) == 1:
            return chosen[0]
        reason = "is not there" if not chosen else f"fits {len(chosen)} files"
        raise Refusal(
            f"manifest={prefer}: {reason} among the annotation files of {channel} ({', '.join(names) or 'none'})",
            "name one of them by its path in the channel",
        )
    if len(found) == 1:
        return found[0]
    if not found:
        raise Refusal(
            f"no annotations in {channel} (looked for *.manifest, *.jsonl, data.yaml, and *.json with images and "
            "annotations)",
            "add a Lookout for Vision manifest, a YOLO data.yaml or a COCO JSON file",
        )
    raise Refusal(
        f"{len(found)} annotation files in {channel}: {', '.join(names)}",
        f"choose one with the hyperparameter manifest={names[-1]}, or leave one only in the channel",
    )
