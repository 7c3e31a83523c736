"""The gates of images for other machines: what an ELF file is made for, and which libraries it needs."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from containers import elf, gates
from tests.support.emulator import ROOT

ARM64, AMD64 = 183, 62


def library(machine: int = ARM64, needs: tuple[str, ...] = ("GLIBC_2.17",), wide: bool = True) -> bytes:
    """A shared object that needs symbols of such versions from one library."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needs)
    offsets = [strings.index(name.encode() + b"\0") for name in needs]
    head = 64 if wide else 52
    verneed = struct.pack("<HHIII", 1, len(needs), 0, 16, 0)
    for index, offset in enumerate(offsets):
        verneed += struct.pack("<IHHII", 0, 0, 2, offset, 16 if index + 1 < len(offsets) else 0)
    table = head + len(strings) + len(verneed)
    layout = "<IIQQQQIIQQ" if wide else "<IIIIIIIIII"
    sections = struct.pack(layout, *[0] * 10)
    sections += struct.pack(layout, 0, 3, 0, 0, head, len(strings), 0, 0, 1, 0)
    sections += struct.pack(layout, 0, 0x6FFFFFFE, 0, 0, head + len(strings), len(verneed), 1, 1, 4, 0)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    if wide:
        header = struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 0)
    else:
        header = struct.pack("<HHIIIIIHHHHHH", 3, machine, 1, 0, 0, table, 0, 52, 0, 0, 40, 3, 0)
    return ident + header + strings + verneed + sections


@pytest.mark.parametrize("wide", [True, False])
def test_reads_machine_and_needed_versions(wide: bool) -> None:
    content = library(ARM64, ("GLIBC_2.17", "GLIBCXX_3.4.21"), wide)
    assert elf.read(content) == elf.Elf("arm64", ("GLIBCXX_3.4.21", "GLIBC_2.17"))


def test_reads_this_interpreter_as_binutils_would() -> None:
    found = elf.read(Path(sys.executable).resolve().read_bytes())
    assert found is not None
    assert found.machine in elf.MACHINES.values()


def test_other_files_are_none_and_cut_ones_are_refused() -> None:
    assert elf.read(b"#!/bin/sh\n") is None
    for length in range(5, len(library()) - 1, 7):
        with pytest.raises(elf.NotWholeError):
            elf.read(library()[:length])


@pytest.mark.parametrize(
    ("name", "content", "finding"),
    [
        ("lib/x.so", library(AMD64), "machine: lib/x.so: made for amd64, not for arm64"),
        ("lib/x.so", library(needs=("GLIBC_2.17", "GLIBC_2.32")),
         "symbol: lib/x.so: needs GLIBC_2.32, the target has up to GLIBC_2.31"),
        ("lib/x.so", library(needs=("GLIBCXX_3.4.29",)),
         "symbol: lib/x.so: needs GLIBCXX_3.4.29, the target has up to GLIBCXX_3.4.28"),
        ("lib/x.so", library()[:40], "damaged: lib/x.so: not a whole ELF file"),
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
