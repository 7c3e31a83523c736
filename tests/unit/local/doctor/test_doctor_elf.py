"""What is read of a real shared object is what binutils read of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from local.doctor import elf, window

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
        for family in ("GLIBC", "GLIBCXX"):
            assert facts.needs.get(family, ()) == newest(needs, family), path


@pytest.mark.parametrize("data", [b"\x7fELF", b"\x7fELF" + bytes(200), b"\x7fELF\x02\x01" + b"\xff" * 300])
def test_a_broken_file_has_no_facts(data: bytes) -> None:
    assert elf.read(lambda at, size: data[at : at + size]) is None
