"""Unpacks a model or output archive without trusting it."""

import shutil
import tarfile
from pathlib import Path

from local.cli.refusal import FAILED, Refusal


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a tar.gz into ``folder``, which is made if need be.

    Only plain files and folders below ``folder`` are accepted; raises Refusal for anything else, or for a file that
    is no archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                target = (root / member.name).resolve()
                if not target.is_relative_to(root) or not (member.isfile() or member.isdir()):
                    raise Refusal(
                        f"{archive.name} holds {member.name}, which is not unpacked: it is a link or leads out", ""
                    )
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                assert source is not None
                with source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Refusal(f"{archive} cannot be unpacked: {error}", "", FAILED) from error
