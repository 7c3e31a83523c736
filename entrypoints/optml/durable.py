"""Files that are either whole or not there: synced writes, and staging folders that vanish when a write fails."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

STAGING_PREFIX = ".tmp-"
"""Hidden, so that checkpoint sync and readers pass over it."""

_FULL_BYTES = 64 * 1024


@contextlib.contextmanager
def staging(directory: Path) -> Iterator[Path]:
    """Yield a hidden folder inside `directory` (made if needed) that is gone when the block ends, however it ends.

    Being inside, it is on the same file system even where `directory` is a mount point, so renames out of it are
    atomic. Some frameworks report a full disk as a bare RuntimeError; here it becomes the OSError that it is.
    """
    directory.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=directory))
    folder.chmod(0o755)
    try:
        yield folder
    except Exception as error:
        if not isinstance(error, OSError) and shutil.disk_usage(directory).free < _FULL_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(directory)) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_files(folder: Path, files: Mapping[str, Callable[[Path], None]]) -> None:
    """Let each writer make its file in `folder` and sync it; ValueError for a name or a writer that cannot be right."""
    for name, writer in files.items():
        if not name or name.startswith(".") or "/" in name:
            raise ValueError(f"{name!r} is not a plain, visible file name")
        path = folder / name
        writer(path)
        if not path.is_file():
            raise ValueError(f"the writer of {name} made no file (expected at {path})")
        sync(path)


def write_text(path: Path, text: str) -> None:
    """Write and sync one small file in place; callers do so inside a staging folder."""
    path.write_text(text, encoding="utf-8")
    sync(path)


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not path.is_dir() or error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise  # some network file systems cannot sync a folder and need not
    finally:
        os.close(descriptor)


def clean_leftovers(directory: Path) -> None:
    """Remove the staging folders that a killed process left in `directory`."""
    for folder in directory.glob(f"{STAGING_PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)
