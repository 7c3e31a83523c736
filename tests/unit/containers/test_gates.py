"""The gates of images for other machines: what an ELF file is made for, and which libraries it needs."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from containers import gates
from tests.support import layouts
from tests.support.emulator import ROOT
from tests.support.layouts import AMD64, ARM64


def library(machine: int = ARM64, needs: tuple[str, ...] = ("GLIBC_2.17",)) -> bytes:
    """A shared object that needs symbols of such versions."""
    return layouts.elf(machine, {"libx.so.1": needs})


@pytest.mark.parametrize(
    ("name", "content", "finding"),
    [
        ("lib/x.so", library(AMD64), "machine: lib/x.so: made for amd64, not for arm64"),
        ("lib/x.so", library(needs=("GLIBC_2.17", "GLIBC_2.32")),
         "symbol: lib/x.so: needs GLIBC_2.32, the target has up to GLIBC_2.31"),
        ("lib/x.so", library(needs=("GLIBCXX_3.4.29",)),
         "symbol: lib/x.so: needs GLIBCXX_3.4.29, the target has up to GLIBCXX_3.4.28"),
        ("lib/x.so", library(needs=("GLIBC_ABI_DT_RELR",)),
         "symbol: lib/x.so: needs GLIBC_2.36, the target has up to GLIBC_2.31"),
        ("lib/x.so", library(needs=("CXXABI_1.3.13",)),
         "symbol: lib/x.so: needs CXXABI_1.3.13, the target has up to CXXABI_1.3.12"),
        ("lib/x.so", library()[:40], "damaged: lib/x.so: not a whole ELF file, 40 bytes"),
        ("p/_c.cpython-310-aarch64-linux-gnu.so", library(), "a module of Python 3.10, not of 3.8"),
        ("lib/libnvinfer.so.8", library(), "vendor: lib/libnvinfer.so.8: CUDA and TensorRT are the device's own"),
        ("bin/x.exe", b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", 0x8664) + bytes(20),
         "machine: bin/x.exe: made for amd64"),
        ("p-1.dist-info/WHEEL", b"Wheel-Version: 1.0\nTag: cp38-cp38-manylinux_2_17_x86_64\n",
         "p-1.dist-info/WHEEL: made for amd64"),
    ],
)  # fmt: skip
def test_a_planted_file_is_found(tmp_path: Path, name: str, content: bytes, finding: str) -> None:
    good = {"lib/good.so": library(), "lib/text.py": b"import this\n", "g-1.dist-info/WHEEL": b"Tag: py3-none-any\n"}
    assert run(tmp_path / "good", good) == (0, "")
    code, said = run(tmp_path / "planted", good | {name: content})
    assert code == 1
    assert finding in said
    assert len(said.splitlines()) == 1


def test_a_file_that_is_cut_anywhere_is_found() -> None:
    whole, target = library(), gates.targets()["jetpack-5"]
    for length in range(4, len(whole)):
        assert [finding.code for finding in gates.check(("x.so", whole[:length]), target)] == ["damaged"], length


def test_a_symbol_at_the_floor_passes(tmp_path: Path) -> None:
    files = {"a.so": library(needs=("GLIBC_2.31", "GLIBC_2.4", "GLIBCXX_3.4.28", "GLIBC_PRIVATE"))}
    assert run(tmp_path, files) == (0, "")


def test_reads_archives_and_standard_input(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("./lib/x.so")
        member.size = len(library(AMD64))
        tar.addfile(member, io.BytesIO(library(AMD64)))
    (tmp_path / "a.tar").write_bytes(archive.getvalue())
    for path, given in ((str(tmp_path / "a.tar"), b""), ("-", archive.getvalue())):
        command = [sys.executable, "-m", "containers.gates", "jetpack-5", path]
        done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, check=False)
        assert done.returncode == 1
        assert done.stdout.decode() == "machine: lib/x.so: made for amd64, not for arm64\n"


def test_every_target_has_its_floors() -> None:
    for name, target in gates.targets().items():
        assert set(target.floors) == {"GLIBC", "GLIBCXX", "CXXABI"}, name


def run(folder: Path, files: dict[str, bytes]) -> tuple[int, str]:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    command = [sys.executable, "-m", "containers.gates", "jetpack-5", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout
