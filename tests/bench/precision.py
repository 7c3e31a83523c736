"""An epoch of the YOLO program in float32 beside one in bfloat16, on this machine, in one run."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from local import environments
from tests.support.job import ENTRYPOINTS, Job

SETTINGS = {"img_size": "320", "batch_size": "8", "epochs": "4", "mosaic": "0"}
EPOCH_SECONDS = re.compile(r"name=train:epoch_seconds value=(\S+);")
UNSUPPORTED = re.compile(r"this processor does not compute in bfloat16")


class UnsupportedError(Exception):
    """This machine has no bfloat16."""


def main() -> None:
    """Print the median epoch of each precision and their ratio; the first epoch, which warms up, is left out."""
    python = environments.ensure("pytorch")
    with tempfile.TemporaryDirectory(prefix="precision-") as folder:
        samples = Path(folder) / "samples"
        command = [python, "-m", "vision.samples", samples, "--images", "64"]
        subprocess.run(command, cwd=ENTRYPOINTS, check=True, stdout=subprocess.DEVNULL)
        try:
            seconds = {name: _epoch(python, Path(folder) / name, samples, name) for name in ("bf16", "fp32")}
        except UnsupportedError as error:
            print(f"YOLO in bf16 beside fp32: not measured, {error}")
            return
    for name, median in seconds.items():
        print(f"{f'YOLO, an epoch of 52 images at 320 px in {name}':58} {median:7.3f} s", flush=True)
    print(f"{'  bf16 is faster by':58} {seconds['fp32'] / seconds['bf16']:7.2f} ×", flush=True)


def _epoch(python: Path, base: Path, samples: Path, precision: str) -> float:
    job = Job(base, python)
    job.channel("train", samples)
    job.configure(**SETTINGS, precision=precision)
    done = job.run()
    refusal = UNSUPPORTED.search(done.stderr)
    if refusal:
        raise UnsupportedError(refusal[0])
    if done.returncode:
        sys.exit(done.stderr)
    return statistics.median([float(text) for text in EPOCH_SECONDS.findall(done.stdout)][1:])


if __name__ == "__main__":
    main()
