"""A change in one program, until it runs in a new image: `make images`, then a container of it."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from tests.support import checkout as checkouts
from tests.support.checkout import Checkout

IMAGE = "train-cpu:yolo"
ROUNDS = 3


def main() -> None:
    """Print the median and the worst of some changes, built and run under a name of its own, which is removed."""
    if (
        not shutil.which("docker")
        or subprocess.run(
            ["docker", "image", "inspect", f"drydock/{IMAGE}"], capture_output=True, check=False
        ).returncode
    ):
        print(f"a change in one program: not measured, there is no drydock/{IMAGE} here (make images)")
        return
    registry = f"bench-{os.getpid()}.invalid"
    with tempfile.TemporaryDirectory(prefix="rebuild-") as folder:
        checkout = checkouts.copy(Path(folder) / "drydock")
        try:
            _build_and_run(checkout, registry, "first")
            seconds = [_build_and_run(checkout, registry, f"change {number}") for number in range(ROUNDS)]
        finally:
            subprocess.run(["docker", "image", "rm", f"{registry}/{IMAGE}"], capture_output=True, check=False)
    what = "a change in yolo.py, until it runs in train-cpu:yolo (aim: 5)"
    print(f"{what:58} {statistics.median(seconds):7.3f} s {max(seconds):7.3f} s", flush=True)


def _build_and_run(checkout: Checkout, registry: str, mark: str) -> float:
    """Seconds from a change of what the program says of itself to the end of a container that says so."""
    program = checkout.folder / "entrypoints/yolo.py"
    program.write_text(re.sub(r'(?<=    summary=").*', f'{mark}",', program.read_text()))
    started = time.perf_counter()
    checkout.shell(f"make images IMAGES={IMAGE.replace(':', '-')}", REGISTRY=registry)
    printed = checkout.shell(f"docker run --rm --network none {registry}/{IMAGE} python /opt/program/yolo.py --help")
    seconds = time.perf_counter() - started
    assert mark in printed, printed
    return seconds


if __name__ == "__main__":
    main()
