import io
import tarfile
from pathlib import Path

import pytest

from local.cli.archives import unpack
from local.cli.refusal import Refusal


def archive(path: Path, *members: tuple[str, bytes, bytes]) -> Path:
    """A tar.gz of (name, type, content)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content) if kind == tarfile.REGTYPE else 0
            info.linkname = content.decode() if kind in {tarfile.SYMTYPE, tarfile.LNKTYPE} else ""
            tar.addfile(info, io.BytesIO(content) if kind == tarfile.REGTYPE else None)
    return path


def test_files_and_folders_are_unpacked(tmp_path: Path) -> None:
    made = archive(
        tmp_path / "a.tar.gz",
        ("d", tarfile.DIRTYPE, b""),
        ("d/f", tarfile.REGTYPE, b"1"),
        ("e/g", tarfile.REGTYPE, b"2"),
    )

    unpack(made, tmp_path / "out")

    assert (tmp_path / "out/d/f").read_bytes() == b"1"
    assert (tmp_path / "out/e/g").read_bytes() == b"2"


@pytest.mark.parametrize(
    "member",
    [
        ("../escaped", tarfile.REGTYPE, b"x"),
        ("/tmp/drydock-escaped", tarfile.REGTYPE, b"x"),
        ("link", tarfile.SYMTYPE, b"/etc/passwd"),
        ("hard", tarfile.LNKTYPE, b"/etc/passwd"),
        ("pipe", tarfile.FIFOTYPE, b""),
    ],
)
def test_whatever_leads_out_is_refused(tmp_path: Path, member: tuple[str, bytes, bytes]) -> None:
    with pytest.raises(Refusal):
        unpack(archive(tmp_path / "a.tar.gz", member), tmp_path / "out")

    assert not (tmp_path / "escaped").exists()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"no")

    with pytest.raises(Refusal, match=r"a\.tar\.gz"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")
