"""runtime-arm64 built on amd64 while the kernel starts no arm64 program, and equal to what was built before."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
from docker.errors import DockerException

from tests.support import anew

HANDLER = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
IMAGE = "drydock/runtime-arm64"


def main() -> None:
    """Print the seconds of the build; end with an error if an arm64 program starts or a layer differs."""
    try:
        engine = docker.from_env()
        built = anew.layers(engine, IMAGE)
    except DockerException:
        print(f"{IMAGE} without an emulator: not measured, there is none here (make images)")
        return
    if not os.access(HANDLER, os.W_OK):
        print(f"{IMAGE} without an emulator: not measured, {HANDLER} is not there or not root's to switch off")
        return
    tag = f"bench-{os.getpid()}.invalid/runtime-arm64"
    try:
        with _no_emulator():
            seconds = anew.runtime("arm64", tag)
        again = anew.layers(engine, tag)
    finally:
        subprocess.run(["docker", "image", "rm", tag], capture_output=True, check=False)
    if again != built:
        sys.exit(f"error: layers differ: {built} and {again}")
    print(f"{f'{IMAGE} built with no emulator (aim: 120), equal layers':58} {seconds:7.3f} s", flush=True)


@contextmanager
def _no_emulator() -> Iterator[None]:
    """The kernel's handler of arm64 programs switched off, which is seen by one that does not start."""
    HANDLER.write_text("0")
    try:
        command = ["docker", "run", "--rm", "--platform=linux/arm64", "--network=none", IMAGE, "python3", "-c", "pass"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if "exec format error" not in done.stderr:
            sys.exit(f"error: an arm64 program starts: {' '.join(command)} said {done.stderr!r}")
        yield
    finally:
        HANDLER.write_text("1")


if __name__ == "__main__":
    main()
