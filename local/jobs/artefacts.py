"""Packs what a job leaves behind and stores it in S3: model.tar.gz and output.tar.gz."""

import gzip
import os
import tarfile
from pathlib import Path

from local.jobs.job import JobError
from local.jobs.s3uri import join, parse
from local.s3.store import ObjectStore

_FOLDERS = {"model": "model.tar.gz", "output/data": "output.tar.gz"}
_LEVEL = 1  # weights and pictures hardly get smaller, so speed counts


def upload(base: Path, staging: Path, uri: str, objects: ObjectStore) -> list[str]:
    """Store an archive of each folder that is not empty below ``uri``; the addresses.

    ``staging`` is a folder for the unfinished archives. JobError for a folder that the program put something else in
    the place of; one that it removed counts as empty.
    """
    staging.mkdir(exist_ok=True)
    stored = []
    for folder, name in _FOLDERS.items():
        if not os.path.lexists(base / folder):
            continue
        if not (base / folder).is_dir() or (base / folder).resolve() != base.resolve() / folder:
            raise JobError(f"ClientError: /opt/ml/{folder} is no folder any more, so it cannot be uploaded")
        if not any((base / folder).iterdir()):
            continue
        archive = staging / name
        pack(base / folder, archive)
        stored.append(objects.put(*parse(join(uri, name)), archive, content_type="application/gzip").uri)
        archive.unlink()
    return stored


def pack(folder: Path, archive: Path) -> None:
    """Write a gzipped tar of a folder's content; the same files give the same bytes."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            _add(tar, path, str(path.relative_to(folder)))


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    entry = tar.gettarinfo(path, name)
    if entry is None or not (entry.isfile() or entry.isdir() or entry.issym() or entry.islnk()):
        return  # a socket, a pipe or a device has no content to keep
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = int(entry.mtime)
    if entry.isreg():
        with path.open("rb") as file:
            tar.addfile(entry, file)
    else:
        tar.addfile(entry)
