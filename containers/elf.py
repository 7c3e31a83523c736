"""Reads of an ELF file what decides where it runs: its machine and the versions of the symbols it needs. Standard
library only; layout of the structures as in elf(5) and the Linux Standard Base's chapter on symbol versions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"\x7fELF"
MACHINES = {3: "i386", 40: "arm", 62: "amd64", 183: "arm64"}
_VERNEED = 0x6FFFFFFE
"""Type of the section that lists the symbol versions which other libraries must have."""


class NotWholeError(ValueError):
    """The file begins as ELF and is cut off, or not laid out as one."""


@dataclass(frozen=True)
class Elf:
    machine: str
    """`amd64`, `arm64`, …, or `machine 243` for one that is not known here."""
    needs: tuple[str, ...]
    """Versions of symbols that must be there: `GLIBC_2.17`, `GLIBCXX_3.4.21`, …, sorted."""


@dataclass(frozen=True)
class _Section:
    kind: int
    offset: int
    size: int
    link: int
    """Index of the section that holds its strings."""
    count: int


def read(content: bytes) -> Elf | None:
    """What an ELF file says; None for any other file. Raises NotWholeError."""
    if not content.startswith(MAGIC):
        return None
    try:
        wide, order = content[4] == 2, "<" if content[5] == 1 else ">"
        (machine,) = struct.unpack_from(f"{order}H", content, 18)
        sections = list(_sections(content, wide, order))
        needs = {name for section in sections if section.kind == _VERNEED
                 for name in _needed(content, section, sections[section.link], order)}  # fmt: skip
    except (struct.error, IndexError) as error:
        raise NotWholeError(f"not a whole ELF file: {error}") from error
    return Elf(MACHINES.get(machine, f"machine {machine}"), tuple(sorted(needs)))


def _sections(content: bytes, wide: bool, order: str) -> Iterator[_Section]:
    table = (
        struct.unpack_from(f"{order}Q", content, 0x28)[0] if wide else struct.unpack_from(f"{order}I", content, 0x20)[0]
    )
    size, count = struct.unpack_from(f"{order}HH", content, 0x3A if wide else 0x2E)
    layout = f"{order}IIQQQQIIQQ" if wide else f"{order}IIIIIIIIII"
    for index in range(count if table else 0):
        _, kind, _, _, offset, length, link, info, _, _ = struct.unpack_from(layout, content, table + index * size)
        yield _Section(kind, offset, length, link, info)


def _needed(content: bytes, section: _Section, strings: _Section, order: str) -> Iterator[str]:
    """The versions of a `.gnu.version_r` section: for each library a list of versions."""
    library = section.offset
    for _ in range(section.count):
        _, count, _, first, step = struct.unpack_from(f"{order}HHIII", content, library)
        version = library + first
        for _ in range(count):
            _, _, _, name, following = struct.unpack_from(f"{order}IHHII", content, version)
            start = strings.offset + name
            yield content[start : content.index(b"\0", start)].decode("ascii", "replace")
            version += following
        library += step
