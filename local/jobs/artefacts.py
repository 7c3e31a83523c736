"""Packs what a job leaves behind and stores it in S3: model.tar.gz and output.tar.gz."""

import gzip
import os
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from local.jobs.backend import Host
from local.jobs.job import JobError
from local.jobs.s3uri import join, parse
from local.s3.store import ObjectStore

_FOLDERS = {"model": "model.tar.gz", "output/data": "output.tar.gz"}
_LEVEL = 1  # weights and pictures hardly get smaller, so speed counts


def upload(hosts: Sequence[Host], staging: Path, uri: str, objects: ObjectStore, say: Callable[[str], None]) -> None:
    """Store an archive of each folder that is not empty below ``uri``, of all hosts in one; ``say`` gets its address.

    Where several hosts have a file of one name, that of the first host is kept, and ``say`` names the others.
    ``staging`` is a folder for the unfinished archives. JobError for a folder that the program put something else in
    the place of; one that it removed counts as empty.
    """
    staging.mkdir(exist_ok=True)
    for folder, name in _FOLDERS.items():
        filled = [host for host in hosts if _is_filled(host.base, folder)]
        if not filled:
            continue
        archive = staging / name
        for left_out in pack([host.base / folder for host in filled], archive):
            host = next(host for host in filled if left_out.is_relative_to(host.base))
            path = left_out.relative_to(host.base / folder)
            say(f"{name}: {path} of {host.name} is left out, since an earlier host has a file of that name")
        say(f"stored {objects.put(*parse(join(uri, name)), archive, content_type='application/gzip').uri}")
        archive.unlink()


def _is_filled(base: Path, folder: str) -> bool:
    if not os.path.lexists(base / folder):
        return False
    if not (base / folder).is_dir() or (base / folder).resolve() != base.resolve() / folder:
        raise JobError(f"ClientError: /opt/ml/{folder} is no folder any more, so it cannot be uploaded")
    return any((base / folder).iterdir())


def pack(folders: Sequence[Path], archive: Path) -> list[Path]:
    """Write a gzipped tar of the content of folders; the same files give the same bytes. What there was no place for.

    A name belongs to the first folder that has it; only folders of one name are joined.
    """
    chosen: dict[Path, Path] = {}
    joined = {Path()}
    left_out = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            name, is_folder = path.relative_to(folder), path.is_dir() and not path.is_symlink()
            if name not in chosen and name.parent in joined:
                chosen[name] = path
                joined |= {name} if is_folder else set()
            elif not (is_folder and name in joined):
                left_out.append(path)
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, path in sorted(chosen.items()):
            _add(tar, path, str(name))
    return left_out


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
