"""Puts stored objects into a job's folder, each a copy that the job may change, and reads what a program left there."""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from local.jobs.job import JobError
from local.s3.store import ObjectStore, StoredObject

_NO_FAST_COPY = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)


@dataclass(frozen=True)
class Placement:
    """An object and the path, relative to a folder, that it goes to."""

    stored: StoredObject
    path: PurePosixPath

    @property
    def is_folder(self) -> bool:
        """Whether the key only marks a folder, as consoles write them."""
        return self.stored.key.endswith("/") and self.stored.size == 0


def plan(objects: Iterable[tuple[StoredObject, str]]) -> list[Placement]:
    """Where each object goes, given its key relative to the folder.

    JobError for keys that would leave the folder, and for two that cannot both have their path.
    """
    files: dict[PurePosixPath, str] = {}
    folders: dict[PurePosixPath, str] = {}
    placements = []
    for stored, relative in objects:
        placement = Placement(stored, _path(stored, relative))
        placements.append(placement)
        marked = folders if placement.is_folder else files
        if placement.path in files and marked is files:
            raise JobError(_clash(files[placement.path], placement.stored.uri))
        marked[placement.path] = placement.stored.uri
        folders |= dict.fromkeys(placement.path.parents, placement.stored.uri)
    for path, uri in files.items():
        if path in folders:
            raise JobError(_clash(uri, folders[path]))
    return placements


def fetch(placements: Iterable[Placement], folder: Path, objects: ObjectStore, check: Callable[[], None]) -> None:
    """Copy every object to its path, whole or not at all. ``check`` runs before each and may raise to stop."""
    made: set[Path] = set()
    for placement in placements:
        check()
        target = folder / placement.path
        parent = target if placement.is_folder else target.parent
        try:
            if parent not in made:
                parent.mkdir(parents=True, exist_ok=True)
                made.add(parent)
            if not placement.is_folder:
                _fetch(placement, target, objects)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise JobError(
                f"ClientError: Data download failed: the key of {placement.stored.uri} is too long for a path, or a "
                "part of it for a file name; rename it"
            ) from None


def open_own(folder: Path, name: str) -> BinaryIO:
    """A file that a program left below ``folder``, to be read; links count that stay below it.

    FileNotFoundError for one that leads out, and for what is no regular file: a pipe would keep us waiting.
    """
    top, real = os.path.realpath(folder), os.path.realpath(folder / name)
    if os.path.commonpath([top, real]) != top:
        raise FileNotFoundError(errno.ENOENT, "it leads out of its folder", str(folder / name))
    descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "it is no regular file", str(folder / name))
    return os.fdopen(descriptor, "rb")


def read_own(folder: Path, name: str, limit: int) -> bytes:
    """The first ``limit`` bytes of a file that a program left below ``folder``; empty if it has none to read."""
    try:
        with open_own(folder, name) as file:
            return file.read(limit)
    except OSError:
        return b""


def copy(source: Path, target: Path) -> None:
    """Copy a file's bytes: shared with the source where the file system can, else inside the kernel."""
    with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
        try:
            while os.copy_file_range(reader.fileno(), writer.fileno(), 1 << 30):
                pass
        except OSError as error:
            if error.errno not in _NO_FAST_COPY:
                raise
            shutil.copyfileobj(reader, writer, 1 << 20)


def _fetch(placement: Placement, target: Path, objects: ObjectStore) -> None:
    unfinished = target.parent / f".{os.urandom(6).hex()}.tmp"
    try:
        copy(placement.stored.path, unfinished)
    except FileNotFoundError:
        newer = objects.head(placement.stored.bucket, placement.stored.key)
        if newer is None:
            raise JobError(f"ClientError: Data download failed: {placement.stored.uri} was deleted meanwhile") from None
        copy(newer.path, unfinished)
    unfinished.rename(target)


def _path(stored: StoredObject, relative: str) -> PurePosixPath:
    path = PurePosixPath(relative.lstrip("/"))
    if ".." in path.parts or "\0" in relative:
        raise JobError(f"ClientError: Data download failed: the key of {stored.uri} would leave its folder; rename it")
    if stored.key.endswith("/") and stored.size:
        raise JobError(
            f"ClientError: Data download failed: the key of {stored.uri} ends in a slash but has content; rename it"
        )
    return path


def _clash(one: str, other: str) -> str:
    return f"ClientError: Data download failed: {one} and {other} need the same path, once as a file; rename one"
