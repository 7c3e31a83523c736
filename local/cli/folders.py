"""Walks a folder of data as a person sees it: links are followed, hidden files left out."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def walk(folder: Path, leave_out: Callable[[str], None] = lambda _: None) -> Iterator[Path]:
    """Every file below a folder that is not hidden, in the order of the names.

    ``leave_out`` is told of a link that leads nowhere or back, and of a folder that may not be read.
    """
    yield from _walk(folder, leave_out, [])


def _walk(folder: Path, leave_out: Callable[[str], None], above: list[tuple[int, int]]) -> Iterator[Path]:
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        leave_out(f"{folder} is left out: it leads back to a folder that it lies in")
        return
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except PermissionError:
        leave_out(f"{folder} is left out: you may not read it")
        return
    for entry in found:
        if entry.name.startswith("."):
            continue
        path = folder / entry.name
        if entry.is_dir():
            yield from _walk(path, leave_out, [*above, identity])
        elif entry.is_file():
            yield path
        elif entry.is_symlink():
            leave_out(f"{path} is left out: it is a link to {path.readlink()}, which is no file")
