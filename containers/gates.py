"""The gates of a runtime image's files: made for the target's machine, and asking for no newer library than it has.

    python3 -m containers.gates TARGET PATH…           targets are those of containers/targets.json
    docker export CONTAINER | python3 -m containers.gates runtime-arm64 -

A PATH is a folder, a file or a tar archive. One line a finding, exit code 1 if there is any. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import re
import struct
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from local.doctor import elf

TABLE = Path(__file__).resolve().parent / "targets.json"
_PE_MACHINES = {0x14C: "386", 0x8664: "amd64", 0xAA64: "arm64"}
_WHEEL_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "win32": "386", "i686": "386", "aarch64": "arm64"}
_MODULE = re.compile(r"\.cpython-(\d)(\d+)[-.][^/]*so$")

_VENDOR = re.compile(
    r"(^|/)(lib(cuda|cudart|cudnn|cublas|cufft|curand|cusolver|cusparse|nccl|nv)[^/]*\.so[^/]*|tensorrt)(/|$)"
)

File = tuple[str, bytes]
"""Path and content."""


@dataclass(frozen=True)
class Target:
    machine: str
    python: str
    floors: dict[str, elf.Version]
    """Newest version of a library's symbols there: `GLIBC` to 2.31."""


@dataclass(frozen=True)
class Finding:
    code: str
    """`machine`, `symbol`, `python`, `vendor` or `damaged`."""
    path: str
    fault: str

    def __str__(self) -> str:
        return f"{self.code}: {self.path}: {self.fault}"


def main(arguments: Sequence[str]) -> int:
    known = targets()
    parser = argparse.ArgumentParser(prog="python3 -m containers.gates", description="Find files of other machines.")
    parser.add_argument("--python", help="another Python than the target's, of what stands in for its base")
    parser.add_argument("target", choices=known)
    parser.add_argument("paths", nargs="+", metavar="PATH")
    options = parser.parse_args(arguments)
    target = known[options.target]
    target = replace(target, python=options.python or target.python)
    count = 0
    found: list[Finding] = []
    for path in options.paths:
        try:
            for file in files(path):
                count += 1
                found += check(file, target)
        except (OSError, tarfile.TarError) as error:
            print(
                f"error: {path} cannot be read: {error}\n\nhint: give a folder, a file or a tar archive",
                file=sys.stderr,
            )
            return 2
    for finding in found:
        print(finding)
    print(f"{count} files, {len(found)} findings for {options.target}", file=sys.stderr)
    return 1 if found else 0


def targets() -> dict[str, Target]:
    rows = json.loads(TABLE.read_text(encoding="utf-8"))["targets"]
    return {name: Target(row["machine"], row["python"], _floors(row["floors"])) for name, row in rows.items()}


def files(path: str) -> Iterator[File]:
    """Every regular file of a folder, a tar archive, standard input as one (`-`), or the one file."""
    place = Path(path)
    if path == "-":
        yield from _of_tar(sys.stdin.buffer)
    elif place.is_dir():
        for file in sorted(place.rglob("*")):
            if file.is_file() and not file.is_symlink():
                yield str(file.relative_to(place)), file.read_bytes()
    elif tarfile.is_tarfile(place):
        with place.open("rb") as stream:
            yield from _of_tar(stream)
    else:
        yield place.name, place.read_bytes()


def check(file: File, target: Target) -> Iterator[Finding]:
    """What is wrong with one file on the target."""
    path, content = file
    if _VENDOR.search(path):
        yield Finding("vendor", path, "CUDA and TensorRT are the device's own, our layers bring none")
    facts = elf.read(lambda at, size: content[at : at + size])
    if content.startswith(elf.MAGIC) and (facts is None or len(content) < facts.size_bytes):
        yield Finding("damaged", path, f"not a whole ELF file, {len(content)} bytes")
        return
    machines = [facts.machine] if facts else list(_other_machines(path, content))
    for machine in machines:
        if machine != target.machine:
            yield Finding("machine", path, f"made for {machine}, not for {target.machine}")
    module = _MODULE.search(path)
    if module and (version := f"{module[1]}.{module[2]}") != target.python:
        yield Finding("python", path, f"a module of Python {version}, not of {target.python}")
    yield from (Finding("symbol", path, fault) for fault in _too_new(facts.needs if facts else {}, target))


def _other_machines(path: str, content: bytes) -> Iterator[str]:
    """What a Windows program or a wheel's tags say that it is made for."""
    if content.startswith(b"MZ") and len(content) > 0x40:
        (start,) = struct.unpack_from("<I", content, 0x3C)
        if content[start : start + 4] == b"PE\0\0":
            (machine,) = struct.unpack_from("<H", content, start + 4)
            yield _PE_MACHINES.get(machine, f"machine {machine}")
    if path.endswith(".dist-info/WHEEL"):
        tags = re.findall(r"^Tag: \S+-(\S+)$", content.decode("utf-8", "replace"), re.MULTILINE)
        yield from {machine for tag in tags for name, machine in _WHEEL_MACHINES.items() if tag.endswith(name)}


def _too_new(needs: Mapping[str, elf.Version], target: Target) -> Iterator[str]:
    for library, version in needs.items():
        floor = target.floors[library]
        if version > floor:
            yield f"needs {library}_{elf.dotted(version)}, the target has up to {library}_{elf.dotted(floor)}"


def _floors(rows: Mapping[str, str]) -> dict[str, elf.Version]:
    return {library: tuple(map(int, version.split("."))) for library, version in rows.items()}


def _of_tar(stream: IO[bytes]) -> Iterator[File]:
    with tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            if member.isreg() and (content := archive.extractfile(member)):
                yield member.name.removeprefix("./"), content.read()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
