"""What an ELF file needs and gives, read through its program headers (ELF specification, LSB symbol versioning).

Only a few ranges of the file are read, by offset: a shared object of 2 GB that streams past cannot be sought in, and
one without section headers loads as well as any. Standard library only: the gates of containers/ read with it too.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

MAGIC = b"\x7fELF"
EXECUTABLE, SHARED = 2, 3
"""e_type: other files (objects to link, cores) are loaded by nobody."""
MACHINES = {3: "386", 40: "arm", 62: "amd64", 183: "arm64", 21: "ppc64le", 22: "s390x", 243: "riscv64"}
"""e_machine, in the words of Docker."""

Version = tuple[int, ...]
ReadAt = Callable[[int, int], bytes]
"""Bytes of the file at an offset; fewer at its end. LookupError where they are not at hand."""

_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRINGS, _SONAME = 1, 5, 14
_NEEDS_AT, _NEEDS_COUNT, _GIVES_AT, _GIVES_COUNT = 0x6FFFFFFE, 0x6FFFFFFF, 0x6FFFFFFC, 0x6FFFFFFD
_FAMILIES = ("GLIBC", "GLIBCXX", "CXXABI")
_MEANT = {"GLIBC_ABI_DT_RELR": "GLIBC_2.36"}
"""A version without a number: that of the first library which has it."""
_LONGEST_NAME = 512


@dataclass(frozen=True, slots=True)
class Elf:
    """The facts of one executable or shared object."""

    machine: str
    kind: int
    """EXECUTABLE, SHARED, or another e_type."""
    size_bytes: int
    """Where the last of what its head tells of ends; a smaller file is cut off."""
    interpreter: str = ""
    """The dynamic loader that an executable asks for."""
    soname: str = ""
    needed: tuple[str, ...] = ()
    """Names of the libraries it is linked with."""
    needs: dict[str, Version] = field(default_factory=dict)
    """The newest version of GLIBC, GLIBCXX and CXXABI that a symbol of it needs."""
    gives: dict[str, Version] = field(default_factory=dict)
    """The newest versions that it defines itself, as libc and libstdc++ do."""


def read(read_at: ReadAt) -> Elf | None:
    """The facts of a file, or None if it is no ELF file that could be read; LookupError as ``read_at``."""
    try:
        return _File(read_at).facts()
    except (struct.error, ValueError):
        return None


def dotted(version: Version) -> str:
    return ".".join(map(str, version))


def dynamic_range(read_at: ReadAt) -> range:
    """Where the dynamic section lies in the file, by its head; empty if it has none."""
    try:
        segments = _File(read_at).segments
    except (struct.error, ValueError):
        return range(0)
    return next((range(offset, offset + size) for kind, offset, _, size in segments if kind == _DYNAMIC), range(0))


class _File:
    def __init__(self, read_at: ReadAt) -> None:
        head = read_at(0, 64)
        if len(head) < 52 or head[:4] != MAGIC or head[4] not in (1, 2) or head[5] not in (1, 2):
            raise ValueError("no ELF file")
        self._read_at = read_at
        self._wide = head[4] == 2
        self._order = "<" if head[5] == 1 else ">"
        self._kind, self._machine = self._unpack("HH", head, 16)
        at, sections = self._unpack("QQ", head, 32) if self._wide else self._unpack("II", head, 28)
        size, count, each, many = self._unpack("HHHH", head, 54 if self._wide else 42)
        self.segments = [self._segment(at + index * size) for index in range(count)]
        ends = [offset + length for _, offset, _, length in self.segments]
        self._size_bytes = max([at + size * count, sections + each * many if sections else 0, *ends])

    def facts(self) -> Elf:
        machine = MACHINES.get(self._machine, f"machine {self._machine}")
        tags: dict[int, list[int]] = {}
        interpreter = ""
        for kind, offset, _, size in self.segments:
            if kind == _DYNAMIC and not tags:
                tags = self._dynamic(offset, size)
            elif kind == _INTERPRETER:
                interpreter = self._read_at(offset, size).rstrip(b"\0").decode(errors="replace")
        if not tags.get(_STRINGS):
            return Elf(machine, self._kind, self._size_bytes, interpreter)
        strings = self._offset(tags[_STRINGS][0])
        names = [self._string(strings + at) for at in tags.get(_NEEDED, ())]
        sonames = [self._string(strings + at) for at in tags.get(_SONAME, ())]
        return Elf(
            machine,
            self._kind,
            self._size_bytes,
            interpreter,
            "".join(sonames[:1]),
            tuple(names),
            _newest(self._needs(tags, strings)),
            _newest(self._gives(tags, strings)),
        )

    def _needs(self, tags: dict[int, list[int]], strings: int) -> Iterator[str]:
        """Names of the versions in the verneed table."""
        at = self._offset(tags[_NEEDS_AT][0]) if _NEEDS_AT in tags else 0
        for _ in range(tags.get(_NEEDS_COUNT, [0])[0] if at else 0):
            count, _, first, following = self._unpack("HIII", self._read_at(at + 2, 14), 0)
            entry = at + first
            for _ in range(count):
                name, step = self._unpack("II", self._read_at(entry + 8, 8), 0)
                yield self._string(strings + name)
                entry += step
            if not following:
                return  # the last, whatever the count says
            at += following

    def _gives(self, tags: dict[int, list[int]], strings: int) -> Iterator[str]:
        """Names of the versions in the verdef table."""
        at = self._offset(tags[_GIVES_AT][0]) if _GIVES_AT in tags else 0
        for _ in range(tags.get(_GIVES_COUNT, [0])[0] if at else 0):
            first, following = self._unpack("II", self._read_at(at + 12, 8), 0)
            yield self._string(strings + self._unpack("I", self._read_at(at + first, 4), 0)[0])
            if not following:
                return  # the last, whatever the count says
            at += following

    def _segment(self, at: int) -> tuple[int, int, int, int]:
        """(type, offset in the file, address, size in the file)."""
        if self._wide:
            kind, _, offset, address, _, size = self._unpack("IIQQQQ", self._read_at(at, 40), 0)
        else:
            kind, offset, address, _, size = self._unpack("IIIII", self._read_at(at, 20), 0)
        return kind, offset, address, size

    def _dynamic(self, offset: int, size: int) -> dict[int, list[int]]:
        layout = struct.Struct(self._order + ("QQ" if self._wide else "II"))
        table = self._read_at(offset, size)
        tags: dict[int, list[int]] = {}
        for tag, value in layout.iter_unpack(table[: len(table) // layout.size * layout.size]):
            if tag == 0:
                break
            tags.setdefault(tag & 0xFFFFFFFF, []).append(value)
        return tags

    def _offset(self, address: int) -> int:
        for kind, offset, start, size in self.segments:
            if kind == _LOAD and start <= address < start + size:
                return offset + address - start
        raise ValueError("an address outside every segment")

    def _string(self, at: int) -> str:
        return self._read_at(at, _LONGEST_NAME).split(b"\0", 1)[0].decode(errors="replace")

    def _unpack(self, layout: str, data: bytes, at: int) -> tuple[int, ...]:
        return struct.unpack_from(self._order + layout, data, at)


def _newest(names: Iterator[str]) -> dict[str, Version]:
    newest: dict[str, Version] = {}
    for name in names:
        family, _, number = _MEANT.get(name, name).rpartition("_")
        if family in _FAMILIES and number.replace(".", "").isdigit():
            version = tuple(map(int, number.split(".")))
            newest[family] = max(newest.get(family, ()), version)
    return newest
