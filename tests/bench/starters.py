"""What the starter of SSDLite is worth on real photographs: a few epochs from it beside the same from random weights.

    python -m tests.bench.starters FOLDER

FOLDER holds NEU-DET's IMAGES/ and ANNOTATIONS/. The first images of each kind of defect, by number, are trained on and
the next ones scored. The scores are those of the weights of the last epoch: nothing is chosen by looking at the images
held out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from local import environments
from tests.support.job import Job

TIMEOUT_S = 1800
SETTINGS = {"model": "ssdlite320_mobilenet_v3_large", "img-size": "160", "epochs": "6", "batch-size": "16"}
TRAINED, SCORED = 50, 20
"""Images of each kind."""


def main() -> int:
    options = _parse()
    for pretrained in options.pretrained:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="starters-") as folder:
            job = Job(Path(folder), environments.ensure("pytorch"), "ssd.py")
            trained, scored = _channels(options.data.resolve(), job)
            job.configure(**{**SETTINGS, **dict(options.hp)}, pretrained=pretrained, patience="0")
            score = _score(job)
        took_s = time.monotonic() - started
        print(f"{pretrained}, {trained} + {scored} images: mAP50 {score:.3f} ({took_s:.0f} s)", flush=True)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train SSDLite from its starter and from random weights.")
    parser.add_argument("data", type=Path, help="holds IMAGES/ and ANNOTATIONS/")
    parser.add_argument("--pretrained", nargs="+", default=["starter", "none"])
    parser.add_argument("--hp", action="append", default=[], type=lambda word: word.split("=", 1), metavar="NAME=VALUE")
    return parser.parse_args()


def _channels(source: Path, job: Job) -> tuple[int, int]:
    """Link the images and their annotations; how many there are to train on, and to score."""
    kinds: dict[str, list[Path]] = {}
    for path in source.glob("IMAGES/*.jpg"):
        kinds.setdefault(path.stem.rpartition("_")[0], []).append(path)
    if not kinds:
        sys.exit(f"no IMAGES/*.jpg in {source}")
    counts = {"train": 0, "validation": 0}
    for paths in kinds.values():
        paths.sort(key=lambda path: int(path.stem.rpartition("_")[2]))
        for role, part in (("train", paths[:TRAINED]), ("validation", paths[TRAINED : TRAINED + SCORED])):
            counts[role] += len(part)
            for path in part:
                for file in (path, source / "ANNOTATIONS" / f"{path.stem}.xml"):
                    folder = job.base / "input" / "data" / role / file.parent.name
                    folder.mkdir(parents=True, exist_ok=True)
                    (folder / file.name).symlink_to(file)
    return counts["train"], counts["validation"]


def _score(job: Job) -> float:
    """That of the last epoch."""
    done = job.run(timeout_s=TIMEOUT_S)
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-4000:])
    return float(json.loads(job.output("metrics.json").read_text())["last"]["validation:mAP50"])


if __name__ == "__main__":
    sys.exit(main())
