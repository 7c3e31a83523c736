import io
import os
import tarfile
from pathlib import Path

import pytest

from local.cli.archives import unpack
from local.cli.refusal import Refusal
from local.jobs.artefacts import pack


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


def test_links_that_stay_inside_are_unpacked(tmp_path: Path) -> None:
    made = archive(
        tmp_path / "a.tar.gz",
        ("best.pt", tarfile.SYMTYPE, b"weights/last.pt"),
        ("newest", tarfile.SYMTYPE, b"weights"),
        ("weights/copy.pt", tarfile.LNKTYPE, b"weights/last.pt"),
        ("weights/last.pt", tarfile.REGTYPE, b"1"),
        ("weights/up", tarfile.SYMTYPE, b"../best.pt"),
    )

    unpack(made, tmp_path / "out")

    out = tmp_path / "out"
    assert all((out / name).read_bytes() == b"1" for name in ("best.pt", "newest/last.pt", "weights/copy.pt"))
    assert (out / "weights/up").resolve() == (out / "weights/last.pt").resolve()
    assert (out / "best.pt").is_symlink()


def test_what_a_job_packs_is_unpacked_links_included(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "a.bin").write_bytes(b"1")
    (model / "b.bin").hardlink_to(model / "a.bin")
    (model / "c.bin").symlink_to("a.bin")
    pack([model], tmp_path / "model.tar.gz")

    unpack(tmp_path / "model.tar.gz", tmp_path / "out")

    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == dict.fromkeys(
        ("a.bin", "b.bin", "c.bin"), b"1"
    )


@pytest.mark.parametrize(
    "members",
    [
        [("here", tarfile.SYMTYPE, b"."), ("out", tarfile.SYMTYPE, b"here/..")],
        [("out", tarfile.SYMTYPE, b"here/.."), ("here", tarfile.SYMTYPE, b".")],
        [("out", tarfile.SYMTYPE, b".."), ("out/escaped", tarfile.SYMTYPE, b"anything")],
        [("out", tarfile.SYMTYPE, b".."), ("out/escaped", tarfile.REGTYPE, b"x")],
        [("loop", tarfile.SYMTYPE, b"loop"), ("out", tarfile.LNKTYPE, b"../secret")],
    ],
)
def test_links_that_lead_out_together_are_refused_by_name(
    tmp_path: Path, members: list[tuple[str, bytes, bytes]]
) -> None:
    (tmp_path / "secret").touch()

    with pytest.raises(Refusal, match="out"):
        unpack(archive(tmp_path / "a.tar.gz", *members), tmp_path / "out")

    assert not os.path.lexists(tmp_path / "escaped")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_symlink()]


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
    with pytest.raises(Refusal) as refused:
        unpack(archive(tmp_path / "a.tar.gz", member), tmp_path / "out")

    assert member[0] in refused.value.message

    assert not (tmp_path / "escaped").exists()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"no")

    with pytest.raises(Refusal, match=r"a\.tar\.gz"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")
