"""What is read of a real shared object is what binutils read of it."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sysconfig
from pathlib import Path

import pytest

from local.doctor import elf, window
from tests.support import layouts

LIBRARIES = sorted(Path(sysconfig.get_path("platlib")).rglob("*.so"))[:40]


def newest(output: str, family: str) -> tuple[int, ...]:
    return max(
        (tuple(map(int, found.split("."))) for found in re.findall(rf"\b{family}_([\d.]+)\b", output)), default=()
    )


@pytest.mark.skipif(not shutil.which("readelf"), reason="readelf (binutils) is not on this machine")
def test_real_libraries_are_read_as_readelf_reads_them() -> None:
    assert LIBRARIES
    for path in LIBRARIES:
        versions = subprocess.run(["readelf", "-VW", path], capture_output=True, text=True, check=True).stdout
        needs = versions.partition("Version needs section")[2]
        dynamic = subprocess.run(["readelf", "-dW", path], capture_output=True, text=True, check=True).stdout
        with path.open("rb") as file:
            facts = elf.read(window.of_file(file))

        assert facts is not None, path
        assert list(facts.needed) == re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
        assert 0 < facts.size_bytes <= path.stat().st_size
        for family in ("GLIBC", "GLIBCXX", "CXXABI"):
            assert facts.needs.get(family, ()) == newest(needs, family), path


@pytest.mark.parametrize("wide", [True, False], ids=["64 bits", "32 bits"])
def test_machine_and_versions_are_read(wide: bool) -> None:
    needs = {"libc.so.6": ["GLIBC_2.4", "GLIBC_2.17"], "libstdc++.so.6": ["GLIBCXX_3.4.21", "CXXABI_ARM_1.3.3"]}
    data = layouts.elf(layouts.ARM64, needs, ["GLIBC_2.36", "GLIBC_ABI_DT_RELR"], "libx.so.1", wide=wide)

    facts = elf.read(lambda at, size: data[at : at + size])

    assert facts is not None
    assert (facts.machine, facts.soname, facts.needed) == ("arm64", "libx.so.1", tuple(needs))
    assert facts.needs == {"GLIBC": (2, 17), "GLIBCXX": (3, 4, 21)}
    assert facts.gives == {"GLIBC": (2, 36)}
    assert facts.size_bytes == len(data)


@pytest.mark.parametrize("data", [b"\x7fELF", b"\x7fELF" + bytes(200), b"\x7fELF\x02\x01" + b"\xff" * 300])
def test_a_broken_file_has_no_facts(data: bytes) -> None:
    assert elf.read(lambda at, size: data[at : at + size]) is None


def test_a_table_that_says_it_never_ends_is_read_once() -> None:
    data = bytearray(layouts.elf(needs={"libc.so.6": ["GLIBC_2.17"]}, gives=["GLIBC_2.36"]))
    for tag in (0x6FFFFFFF, 0x6FFFFFFD):  # DT_VERNEEDNUM, DT_VERDEFNUM
        at = data.index(struct.pack("<QQ", tag, 1)) + 8
        data[at : at + 8] = b"\xff" * 8

    facts = elf.read(lambda at, size: bytes(data[at : at + size]))

    assert facts is not None
    assert (facts.needs, facts.gives) == ({"GLIBC": (2, 17)}, {"GLIBC": (2, 36)})
