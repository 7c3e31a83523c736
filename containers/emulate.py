"""Runs an image that is made for arm64 here, under QEMU, to its end or to a time limit; leaves no container behind.

    python3 -m containers.emulate [--cpu cortex-a53] [--limit 300] [--mount FOLDER:PATH] IMAGE COMMAND…

The container has no network, one processor (threads that spin are slow under QEMU) and a root that cannot be written;
mounts are read-only. Its exit code is ours; 124 when time ran out. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

CPUS = ("cortex-a53", "cortex-a57", "cortex-a72", "cortex-a76", "neoverse-n1")
"""The oldest board to a server. QEMU's own default has every extension and hides what is missing."""
HANDLERS = Path("/proc/sys/fs/binfmt_misc")
_MAGIC = "7f454c460201010000000000000000000200b700"
"""How a handler of arm64 programs is known: the head of their ELF files."""
TIMED_OUT = 124


class CannotEmulateError(Exception):
    """The image cannot be run here. `hint` says what to type next."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m containers.emulate", description="Run an arm64 image under QEMU.")
    parser.add_argument("--cpu", choices=CPUS, default=CPUS[0], help="processor to stand for; default: the oldest")
    parser.add_argument("--limit", type=float, default=300, metavar="S", help="seconds until it is killed")
    parser.add_argument("--mount", action="append", default=[], metavar="FOLDER:PATH", help="what it may read")
    parser.add_argument("image")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))  # so that run() gets to clean up
    try:
        check(options.image)
        return run(options.image, options.command, options.cpu, options.limit, options.mount)
    except CannotEmulateError as error:
        print(f"error: {error.message}\n\nhint: {error.hint}", file=sys.stderr)
        return 2


def check(image: str, handlers: Path = HANDLERS) -> None:
    """That the image is there, is made for arm64, and that this machine can run it; raises CannotEmulateError."""
    result = subprocess.run(["docker", "image", "inspect", image], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["docker says nothing"])[-1]
        raise CannotEmulateError(
            f"{image}: {reason}",
            "docker images lists what there is; make images IMAGES=runtime-arm64 builds drydock/runtime-arm64",
        )
    machine = json.loads(result.stdout)[0]["Architecture"]
    if machine != "arm64":
        raise CannotEmulateError(f"{image} is made for {machine}, not for arm64", "give drydock/runtime-arm64")
    if platform.machine() not in ("aarch64", "arm64") and not has_handler(handlers):
        raise CannotEmulateError(
            f"this machine has no handler for arm64 programs (looked in {handlers})",
            "on Debian 12: sudo .ci/engine; elsewhere: install qemu-user-static and its binfmt registration",
        )


def has_handler(handlers: Path = HANDLERS) -> bool:
    """Whether the kernel starts arm64 programs, also in containers."""
    return any(is_handler(path) for path in handlers.glob("*"))


def is_handler(path: Path) -> bool:
    """Whether a file of binfmt_misc is an enabled handler of arm64 programs with flag F: it holds the emulator open."""
    try:
        text = path.read_text() if path.name != "register" else ""
    except OSError:
        return False
    flags = next((line[7:] for line in text.splitlines() if line.startswith("flags: ")), "")
    return text.startswith("enabled") and _MAGIC in text and "F" in flags


def run(image: str, command: Sequence[str], cpu: str, limit_s: float, mounts: Sequence[str] = ()) -> int:
    """The exit code of the command. Output is passed on. Raises CannotEmulateError for a wrong limit or mount."""
    name = f"drydock-emulated-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    words = ["docker", "run", "--rm", "--name", name, "--platform", "linux/arm64", "--env", f"QEMU_CPU={cpu}"]
    words += ["--network", "none", "--read-only", "--cpuset-cpus", str(min(os.sched_getaffinity(0)))]
    words += [_volume(mount) for mount in mounts]
    if not 0 < limit_s < math.inf:
        raise CannotEmulateError(f"--limit is {limit_s:g} s", "give a number of seconds above 0")
    try:
        return subprocess.run([*words, image, *command], timeout=limit_s, check=False).returncode
    except subprocess.TimeoutExpired:
        print(
            f"error: {image} did not end within {limit_s:g} s on {cpu}\n\nhint: give a larger --limit", file=sys.stderr
        )
        return TIMED_OUT
    finally:  # a crash under QEMU leaves its container hanging, which outlives the client
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False)


def _volume(mount: str) -> str:
    """The engine would make a folder that is not there, and take a relative one for a volume's name."""
    folder, _, path = mount.rpartition(":")
    if not (folder and path.startswith("/")):
        raise CannotEmulateError(f"--mount is {mount!r}", "give FOLDER:PATH, as in --mount model:/model")
    if not Path(folder).exists():
        raise CannotEmulateError(f"there is no {folder} to mount at {path}", "check --mount FOLDER:PATH")
    return f"--volume={Path(folder).resolve()}:{path}:ro"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
