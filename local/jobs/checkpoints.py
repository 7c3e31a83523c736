"""Keeps a job's checkpoint folder and its place in S3 the same: restored before the run, synced during it.

A file counts once it stayed the same from one look to the next, so a file that is being written is not
uploaded half done; hidden and temporary files never count. Files go up in the order they were written,
deletions last, so that S3 always holds whatever was complete before. The hosts of a job have a folder and a sync
each, and one place in S3.
"""

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from local.errors import ServiceError
from local.jobs import files, workdir
from local.jobs.channels import write_manifest
from local.jobs.job import TrainingJob
from local.jobs.s3uri import parse
from local.s3.store import ObjectStore

EVERY_S = 1.0

STORAGE_ERRORS = (OSError, ServiceError, sqlite3.Error)
"""What the object store raises when it does not take a file."""

_TEMPORARY = (".tmp", ".temp", ".part", ".sagemaker-uploaded", ".sagemaker-uploading", "~")


class _Stamp(NamedTuple):
    """What tells one content of a file from another without reading it."""

    mtime_ns: int
    size: int


class CheckpointSync:
    """The sync of one job: ``restore``, then ``start``, then ``finish``."""

    def __init__(self, folder: Path, uri: str, objects: ObjectStore, complain: Callable[[str], None]) -> None:
        """``complain`` gets a line when S3 does not take the files; the next look tries again."""
        self._folder = folder
        bucket, key = parse(uri)
        self._bucket = bucket
        self._prefix = f"{key.rstrip('/')}/" if key else ""
        self._objects = objects
        self._complain = complain
        self._stored: dict[str, _Stamp] = {}
        self._last_look: dict[str, _Stamp] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="checkpoints", daemon=True)

    def restore(self, manifest: Path, check_stop: Callable[[], None]) -> int:
        """Copy what S3 holds into the folder and list it in ``manifest``; the number of files."""
        found = self._objects.list(self._bucket, self._prefix)
        placements = files.plan([(stored, stored.key[len(self._prefix) :]) for stored in found])
        files.fetch(placements, self._folder, self._objects, check_stop)
        write_manifest(manifest, self._prefix, placements)
        self._stored = self._look()
        return len(placements)

    def start(self) -> None:
        self._thread.start()

    def finish(self, changed_since: float = 0.0) -> None:
        """Upload what is there, finished or not; raises what S3 raises.

        ``changed_since`` (epoch seconds) leaves out what is older, for a sync that did not see what was restored.
        """
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._sync(self._look(changed_since))

    def _watch(self) -> None:
        complained = False
        while not self._over.wait(EVERY_S):
            seen = self._look()
            settled = {name: stamp for name, stamp in seen.items() if self._last_look.get(name) == stamp}
            self._last_look = seen
            try:
                self._sync(settled, delete=settled == seen)
                complained = False
            except STORAGE_ERRORS as error:
                with suppress(OSError):  # a full disk has no room for the complaint either
                    if not complained:
                        self._complain(f"checkpoints cannot be uploaded to s3://{self._bucket}/{self._prefix}: {error}")
                    complained = True

    def _sync(self, seen: dict[str, _Stamp], delete: bool = True) -> None:
        """Upload what is new in `seen`, then delete what is not in it: an old checkpoint goes after a whole new one."""
        for name, stamp in sorted(seen.items(), key=lambda item: item[1]):
            if self._stored.get(name) == stamp:
                continue
            try:
                with files.open_own(self._folder, name) as file:
                    self._objects.put(self._bucket, self._prefix + name, file)
            except FileNotFoundError:
                continue  # deleted meanwhile, or nothing of the job's own
            self._stored[name] = stamp
        for name in self._stored.keys() - seen.keys() if delete else ():
            self._objects.delete(self._bucket, self._prefix + name)
            del self._stored[name]

    def _look(self, changed_since: float = 0.0) -> dict[str, _Stamp]:
        """Every file that counts, by its path below the folder."""
        seen = {}
        for folder, subfolders, names in os.walk(self._folder):  # passes over folders that vanish meanwhile
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
            for name in names:
                if name.startswith(".") or name.endswith(_TEMPORARY):
                    continue
                path = Path(folder, name)
                with suppress(FileNotFoundError):
                    status = path.stat()
                    if stat.S_ISREG(status.st_mode) and status.st_ctime >= changed_since:
                        seen[path.relative_to(self._folder).as_posix()] = _Stamp(status.st_mtime_ns, status.st_size)
        return seen


def sync_of(
    job: TrainingJob, base: Path, objects: ObjectStore, complain: Callable[[str], None]
) -> CheckpointSync | None:
    """The sync that a job's CheckpointConfig asks for; ``base`` is its /opt/ml."""
    config = job.request.get("CheckpointConfig")
    if config is None:
        return None
    folder = workdir.resolve(base, config.get("LocalPath") or workdir.CHECKPOINT_PATH)
    return CheckpointSync(folder, config["S3Uri"], objects, complain)
