"""Virtual environments of this checkout: each is made from one hashed lock when first needed, and again when its lock
changes. Standard library only, since the ``drydock`` launcher uses it before anything is installed.

    python3 -m local.environments NAME      makes it if need be and prints the path of its Python

``.venvs/<name>`` (or ``$DRYDOCK_VENVS/<name>``) is a link to ``.venvs/.made/<name>-<digest of its lock>``. The folder
is filled first, stamped second and linked last, so an interrupted installation is never taken for a finished one, and
a process that still runs in the environment of an older lock keeps its files.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from local import uv
from local.installer import Say, SetUpError, check_compiler

CHECKOUT = Path(__file__).resolve().parent.parent
PYTHONS = ((3, 11), (3, 12), (3, 13))  # the versions that every lock has wheels for
BARE = "python"

Fill = Callable[[Path, Path, Path, Path, Say], None]
"""Fills a folder: (folder, its Python, lock, log, say)."""

_DIGITS = 12  # of a lock's digest, in the name of a folder made from it


@dataclass(frozen=True)
class Environment:
    lock: Path
    """Hashed requirements, relative to the checkout."""
    size_mb: int
    """About how much disk it takes."""
    wheels_only: bool = True
    """Nothing is built: a source distribution is refused."""
    compiles: bool = False
    """A source distribution among them needs a C compiler and Python's headers."""


ENVIRONMENTS: Mapping[str, Environment] = {
    "emulator": Environment(Path("containers/local/requirements.lock"), size_mb=120),
    "pytorch": Environment(Path("containers/pytorch/requirements.lock"), size_mb=5600),
    "pytorch-script": Environment(
        Path("containers/pytorch-script/requirements.lock"), size_mb=5900, wheels_only=False, compiles=True
    ),
    "tensorflow": Environment(Path("containers/tensorflow/programs.lock"), size_mb=1500),
    "compile": Environment(Path("containers/compile/requirements.lock"), size_mb=5700),
    "runtime": Environment(Path("containers/runtime/requirements.lock"), size_mb=190),
    "dev": Environment(Path("tests/environments/dev.lock"), size_mb=330),
    "sdk-v2": Environment(Path("tests/environments/sdk-v2.lock"), size_mb=400, wheels_only=False),
    "sdk-v3": Environment(Path("tests/environments/sdk-v3.lock"), size_mb=700, wheels_only=False),
}

_UV = Environment(Path("containers/uv/requirements.lock"), size_mb=60)


def print_to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def ensure(name: str, say: Say = print_to_stderr) -> Path:
    """Path of the environment's Python, made first if it is missing or its lock has changed.

    Returns in milliseconds when there is nothing to do. Two callers at once: the second waits.
    Raises SetUpError with the reason in one line.
    """
    if name == BARE or is_ready(name):
        return python_path(name)
    environment = _find(name)
    check(name)
    with _locked(name, say):
        if not is_ready(name):
            program = find_uv(say)
            if not _adopt(name, environment, program):
                _make(name, environment, partial(uv.fill, program, wheels_only=environment.wheels_only), say)
    return python_path(name)


def is_ready(name: str) -> bool:
    """Whether the environment is complete, matches its lock and still has its interpreter."""
    if name == BARE:
        return True
    return _matches(_folder() / name, _digest(_find(name)))


def check(name: str) -> None:
    """SetUpError if the environment is not there and this machine lacks what making it takes."""
    if is_ready(name):
        return
    _check_python()
    if _find(name).compiles:
        check_compiler()


def python_path(name: str) -> Path:
    """Where the environment's Python is, or will be; ``python`` is the interpreter without any environment."""
    if name == BARE:
        return Path(getattr(sys, "_base_executable", sys.executable))
    _find(name)
    return (_folder() / name).resolve() / "bin" / "python"


def _find(name: str) -> Environment:
    if name not in ENVIRONMENTS:
        known = ", ".join([BARE, *ENVIRONMENTS])
        raise SetUpError(f"there is no environment {name!r}", f"the environments are {known}")
    return ENVIRONMENTS[name]


def _folder() -> Path:
    chosen = os.environ.get("DRYDOCK_VENVS")
    return Path(chosen).expanduser().absolute() if chosen else CHECKOUT / ".venvs"


def _digest(environment: Environment) -> str:
    return hashlib.sha256((CHECKOUT / environment.lock).read_bytes()).hexdigest()


def _matches(folder: Path, digest: str) -> bool:
    try:
        stamp = json.loads((folder / "drydock.json").read_text())
        interpreter = str((folder / "bin" / "python").resolve(strict=True))
    except (OSError, ValueError):
        return False
    return bool(stamp.get("lock_sha256") == digest and stamp.get("interpreter") == interpreter)


def _stamp(folder: Path, environment: Environment) -> None:
    stamp = {
        "lock": str(environment.lock),
        "lock_sha256": _digest(environment),
        "python": ".".join(map(str, sys.version_info[:3])),
        "interpreter": str((folder / "bin" / "python").resolve()),
    }
    unfinished = folder / "drydock.json.part"
    unfinished.write_text(json.dumps(stamp, indent=1) + "\n")
    unfinished.replace(folder / "drydock.json")


def _check_python() -> None:
    if sys.version_info[:2] not in PYTHONS:
        wanted = ", ".join(f"{major}.{minor}" for major, minor in PYTHONS)
        raise SetUpError(
            f"this is Python {sys.version_info[0]}.{sys.version_info[1]}; the locked packages need one of {wanted}",
            "put a python3.11 on your PATH and run the command again",
        )


@contextmanager
def _locked(name: str, say: Say) -> Iterator[None]:
    made = _folder() / ".made"
    try:
        made.mkdir(parents=True, exist_ok=True)
        handle = (made / f"{name}.lock").open("w")
    except OSError as error:
        raise SetUpError(
            f"cannot write to {made}: {error.strerror}", "free the folder, or set DRYDOCK_VENVS to another one"
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"waiting for another process that is making the {name} environment")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def find_uv(say: Say) -> Path:
    """The uv on PATH if it is recent enough, else one of our own from ``containers/uv/requirements.lock``."""
    found = uv.on_path()
    if found:
        return found
    place = _folder() / "uv"
    if not _matches(place, _digest(_UV)):
        with _locked("uv", say):
            if not _matches(place, _digest(_UV)):
                _make("uv", _UV, uv.fetch, say)
    return place / "bin" / "uv"


def _make(name: str, environment: Environment, fill: Fill, say: Say) -> None:
    """Has ``fill`` put into a folder what the environment's lock lists, and makes the folder the environment."""
    folder = _folder() / ".made" / f"{name}-{_digest(environment)[:_DIGITS]}"
    if _matches(folder, _digest(environment)):
        _link(name, folder, say)  # back to an earlier lock
        return
    if folder.exists():
        shutil.rmtree(folder)  # an installation that was interrupted: it has no stamp, so nobody was given it
    say(f"making the {name} environment (about {environment.size_mb} MB, once) from {environment.lock}")
    log = folder.with_suffix(".log")
    log.unlink(missing_ok=True)
    fill(folder, python_path(BARE), CHECKOUT / environment.lock, log, say)
    _stamp(folder, environment)
    _link(name, folder, say)
    _remove_unused(name, keep=folder)


def _adopt(name: str, environment: Environment, program: Path) -> bool:
    """Stamps an environment that was made by hand, if it holds exactly what the lock says."""
    folder = _folder() / name
    made_by_hand = (folder / "bin" / "python").exists() and not folder.is_symlink()
    if not made_by_hand or not uv.holds(program, folder, CHECKOUT / environment.lock):
        return False
    _stamp(folder, environment)
    return True


def _link(name: str, folder: Path, say: Say) -> None:
    place = _folder() / name
    if place.exists() and not place.is_symlink():
        kept = place.rename(folder.parent / f"{name}-by-hand-{os.getpid()}")
        say(f"the {name} environment that was made by hand does not match its lock; it is now {kept}")
    new = folder.parent / f"{name}.link"
    new.unlink(missing_ok=True)
    new.symlink_to(os.path.relpath(folder, place.parent))
    new.replace(place)


def _remove_unused(name: str, keep: Path) -> None:
    """Deletes the environments of older locks, except those that a process still has files open in."""
    made = re.compile(rf"{re.escape(name)}-[0-9a-f]{{{_DIGITS}}}")
    for old in keep.parent.iterdir():
        if made.fullmatch(old.name) and old != keep and not _in_use(old):
            shutil.rmtree(old, ignore_errors=True)


def _in_use(folder: Path) -> bool:
    for process in Path("/proc").glob("[0-9]*"):
        for source in ("maps", "cmdline"):
            with suppress(OSError):
                if f"{folder}/".encode() in (process / source).read_bytes():
                    return True
    return False


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print_to_stderr(f"usage: python3 -m local.environments {'|'.join([BARE, *ENVIRONMENTS])}")
        return 2
    try:
        print(ensure(arguments[0]))
    except SetUpError as error:
        print_to_stderr(f"error: {error.message}\n\nhint: {error.hint}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
