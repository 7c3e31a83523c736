"""What `make bench-train` trains on: real photographs where they are, else generated ones, and it says which."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.job import ENTRYPOINTS
from vision import formats, images, splits
from vision.formats import yolo_folder

GENERATED = {"classification": 600, "detection": 96}
HELD_OUT = 5
"""Every fifth photograph is validated on."""


@dataclass(frozen=True)
class Data:
    folder: Path
    said: str
    """What it is and how many."""


def folders(source: Path, folder: Path, python: Path, most: int | None) -> Data:
    """NEU-DET's photographs as train/CLASS/… and validation/CLASS/…, links; at most so many where `most` says so."""
    if source.is_dir():
        found = [(path, path.stem.rpartition("_")[0]) for path in images.find(source / "IMAGES")]
        name = "NEU-DET"
    else:
        made = _generated(source, folder.with_name("generated-folders"), "classification", python)
        found = [(path, path.parent.name) for path in images.find(made)]
        name = "generated photographs"
    found = found[:: max(1, len(found) // most)][:most] if most else found
    for number, (path, label) in enumerate(found):
        part = folder / ("train" if number % HELD_OUT else "validation") / label
        part.mkdir(parents=True, exist_ok=True)
        (part / path.name).symlink_to(path)
    held_out = -(-len(found) // HELD_OUT)
    return Data(folder, f"{len(found) - held_out} + {held_out} images of {name}")


def objects(source: Path, folder: Path, python: Path, most: int | None) -> Data:
    """The cookies as a YOLO folder, whose boxes Ultralytics makes of outlines; at most so many."""
    if source.is_dir():
        manifest, name = source / "cookie-dataset/dataset-files/manifests/template.manifest", "cookies"
    else:
        made = _generated(source, folder.with_name("generated-objects"), "detection", python)
        manifest, name = made / "manifests" / "template.manifest", "generated cookies"
    dataset = formats.load(formats.common_root(manifest), prefer=manifest.name)
    dataset = dataset.subset(dataset.samples[:: max(1, len(dataset.samples) // most)][:most]) if most else dataset
    train, validation = splits.k_folds(dataset, HELD_OUT, seed=0)[0]
    file = yolo_folder.save(folder, train, validation, polygons=True)
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("path:")))  # both look beside it then
    return Data(folder, f"{len(train.samples)} + {len(validation.samples)} images of {name}")


def _generated(missing: Path, folder: Path, kind: str, python: Path) -> Path:
    print(f"note: there is no {missing} (give DATA=…), so generated photographs stand in", flush=True)
    command = [python, "-m", "vision.samples", folder, "--kind", kind, "--images", str(GENERATED[kind])]
    environ = os.environ | {"PYTHONPATH": str(ENTRYPOINTS)}
    subprocess.run(command, check=True, env=environ, stdout=subprocess.DEVNULL)
    return folder
