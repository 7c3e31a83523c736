"""Unpacks a model or output archive without trusting it."""

import os
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

from local.cli.refusal import FAILED, Refusal


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a tar.gz into ``folder``, which is made if need be.

    Files, folders and links are accepted that stay below ``folder``; raises Refusal that names anything else, or a
    file that is no archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    links = []
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if member.islnk() or member.issym():
                    links.append(member)
                else:
                    _unpack_plain(tar, member, root)
        _hard_links([link for link in links if link.islnk()], root)
        _symbolic_links([link for link in links if link.issym()], root)
    except _Unwelcome as error:
        hint = "let the program put a copy of the file there, not a link out of its folder"
        raise Refusal(f"{archive.name} holds {error}, so it is not unpacked", hint) from None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Refusal(f"{archive} cannot be unpacked: {error}", "", FAILED) from error


class _Unwelcome(Exception):  # noqa: N818  (a finding, not a fault)
    """A member that is not unpacked, in words that follow ``holds``."""


def _unpack_plain(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    place = _inside(root, member.name, f"{member.name}, which leads out of it")
    if member.isdir():
        place.mkdir(parents=True, exist_ok=True)
        return
    content = tar.extractfile(member) if member.isfile() else None
    if content is None:
        raise _Unwelcome(f"{member.name}, which is neither a file, a folder nor a link")
    place.parent.mkdir(parents=True, exist_ok=True)
    with content, place.open("wb") as file:
        shutil.copyfileobj(content, file)


def _hard_links(links: Sequence[tarfile.TarInfo], root: Path) -> None:
    """The name of a hard link's file counts from the root of the archive."""
    for link in links:
        place = _inside(root, link.name, f"{link.name}, which leads out of it")
        target = _inside(root, link.linkname, _leads_out(link))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.hardlink_to(target)


def _symbolic_links(links: Sequence[tarfile.TarInfo], root: Path) -> None:
    """Made last, so that nothing is written through one, and followed when all are there: they may be chained."""
    made: list[tuple[tarfile.TarInfo, Path]] = []
    try:
        for link in links:
            name = Path(link.name)
            place = _inside(root, str(name.parent), f"{link.name}, which leads out of it") / name.name
            if Path(link.linkname).is_absolute():
                raise _Unwelcome(_leads_out(link))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(link.linkname)
            made.append((link, place))
        for link, place in made:
            _inside(root, str(place), _leads_out(link))
    except (OSError, _Unwelcome):
        for _, place in made:
            place.unlink()
        raise


def _inside(root: Path, name: str, otherwise: str) -> Path:
    """The real path that a name below ``root`` means; raises _Unwelcome with the words given if it is not below it."""
    place = Path(os.path.realpath(root / name))
    if not place.is_relative_to(root):
        raise _Unwelcome(otherwise)
    return place


def _leads_out(link: tarfile.TarInfo) -> str:
    return f"{link.name}, a link to {link.linkname}, which leads out of it"
