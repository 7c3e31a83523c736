"""What the starters of torchvision's networks are worth on real photographs: a few epochs from them beside the same
from random weights.

    python -m tests.bench.starters FOLDER --only neu-boxes aliens

FOLDER holds neu-det/, l4v-aliens/, cookie/ and magnetic-tile/, as their makers publish them. The first images of each
class, by number, are trained on and the next ones scored, so that exposures of one thing stay on one side. The scores
are those of the weights of the last epoch: nothing is chosen by looking at the images held out.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local import environments
from tests.support.job import Job

TIMEOUT_S = 1800
CLASSIFIER = {"model": "efficientnet_b0", "img-size": "96", "epochs": "8"}
DETECTOR = {"model": "ssdlite320_mobilenet_v3_large", "img-size": "160", "epochs": "6", "batch-size": "16"}


@dataclass(frozen=True)
class Real:
    program: str
    images: str
    """Pattern, below FOLDER."""
    label: Callable[[Path], str]
    share: tuple[int, int]
    """Images of a class to train on, and to score."""
    settings: Mapping[str, str]
    score: str = "validation:auroc"


def _numbered(path: Path) -> str:
    return re.split(r"[-_]\d+$", path.stem)[0]


SETS = {
    "aliens": Real("classification", "l4v-aliens/**/*.png", lambda path: path.parent.name, (15, 15), CLASSIFIER),
    "cookie": Real("classification", "cookie/**/training-images/*.jpg", _numbered, (16, 15), CLASSIFIER),
    "tiles": Real(
        "classification", "magnetic-tile/MT_*/Imgs/*.jpg",
        lambda path: "sound" if "MT_Free" in path.parts else "defective", (50, 35), CLASSIFIER,
    ),
    "neu-classes": Real(
        "classification", "neu-det/IMAGES/*.jpg", _numbered, (30, 60), CLASSIFIER, "validation:balanced_accuracy"
    ),
    "neu-boxes": Real("ssd", "neu-det/IMAGES/*.jpg", _numbered, (50, 20), DETECTOR, "validation:mAP50"),
}  # fmt: skip


def main() -> int:
    options = _parse()
    for name in options.only:
        one = SETS[name]
        for pretrained in options.pretrained:
            started = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="starters-") as folder:
                job = Job(Path(folder), environments.ensure("pytorch"), f"{one.program}.py")
                counts = _channels(one, options.data, job)
                job.configure(**{**one.settings, **dict(options.hp)}, pretrained=pretrained, patience="0")
                score = _score(job, one.score)
            took_s = time.monotonic() - started
            said = " + ".join(str(count) for count in counts)
            print(f"{name}, {said} images, {pretrained}: {one.score} {score:.3f} ({took_s:.0f} s)", flush=True)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train from starter weights and from random ones.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", default=list(SETS), choices=tuple(SETS))
    parser.add_argument("--pretrained", nargs="+", default=["starter", "none"])
    parser.add_argument("--hp", action="append", default=[], type=lambda word: word.split("=", 1), metavar="NAME=VALUE")
    return parser.parse_args()


def _channels(one: Real, source: Path, job: Job) -> tuple[int, int]:
    """Link the images of both channels, with their annotations where there are some; how many there are of each."""
    classes: dict[str, list[Path]] = {}
    for path in source.resolve().glob(one.images):
        classes.setdefault(one.label(path), []).append(path)
    if not classes:
        sys.exit(f"nothing in {source} is {one.images}")
    counts = {"train": 0, "validation": 0}
    for label, paths in classes.items():
        paths.sort(key=lambda path: [int(number) for number in re.findall(r"\d+", path.stem)][-1])
        trained, scored = one.share
        for role, part in (("train", paths[:trained]), ("validation", paths[trained : trained + scored])):
            counts[role] += len(part)
            for path in part:
                _link(job.base / "input" / "data" / role, label if one.program == "classification" else "", path)
    return counts["train"], counts["validation"]


def _link(channel: Path, label: str, path: Path) -> None:
    """In the folder of its class; without one as NEU's set has it, in IMAGES/ beside ANNOTATIONS/."""
    notes = path.parents[1] / "ANNOTATIONS" / f"{path.stem}.xml"
    for folder, file in [(label, path)] if label else [("IMAGES", path), ("ANNOTATIONS", notes)]:
        (channel / folder).mkdir(parents=True, exist_ok=True)
        (channel / folder / file.name).symlink_to(file)


def _score(job: Job, name: str) -> float:
    """That of the last epoch."""
    done = job.run(timeout_s=TIMEOUT_S)
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-4000:])
    return float(json.loads(job.output("metrics.json").read_text())["last"][name])


if __name__ == "__main__":
    sys.exit(main())
