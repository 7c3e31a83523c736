"""Images written by a test, without an engine: a few files in layers, as an OCI layout or as engines save them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

AMD64, ARM64 = 62, 183
LABELS = {f"org.opencontainers.image.{name}": "a" for name in ("title", "version", "revision", "licenses")}
SERVING_LABEL = {"com.amazonaws.sagemaker.capabilities.accept-bind-to-port": "true"}


@dataclass(frozen=True)
class File:
    content: bytes = b""
    mode: int = 0o644
    kind: bytes = tarfile.REGTYPE
    target: str = ""


def script(text: str, mode: int = 0o755) -> File:
    return File(text.encode(), mode)


def link(target: str) -> File:
    return File(mode=0o777, kind=tarfile.SYMTYPE, target=target)


def hard_link(target: str) -> File:
    return File(kind=tarfile.LNKTYPE, target=target)


def folder(mode: int = 0o755) -> File:
    return File(mode=mode, kind=tarfile.DIRTYPE)


Layer = Mapping[str, File]


@dataclass(frozen=True)
class Made:
    """An image as it is about to be written."""

    layers: Sequence[Layer]
    config: Mapping[str, Any] = field(default_factory=dict)
    architecture: str = "amd64"
    history: Sequence[str] = ()

    def with_layer(self, layer: Layer) -> Made:
        return replace(self, layers=[*self.layers, layer])

    def with_config(self, **config: Any) -> Made:
        return replace(self, config={**self.config, **config})

    def document(self, digests: Iterable[str]) -> bytes:
        steps = [{"created_by": step, "empty_layer": True} for step in self.history]
        return _json(
            {
                "architecture": self.architecture,
                "os": "linux",
                "config": dict(self.config),
                "history": [*steps, *({"created_by": f"COPY {n}"} for n, _ in enumerate(self.layers))],
                "rootfs": {"type": "layers", "diff_ids": list(digests)},
            }
        )


def oci(folder: Path, *images: Made, compress: bool = True) -> Path:
    """An OCI layout with an index of these images, one for each platform."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    manifests = []
    for image in images:
        tars = [tar(layer) for layer in image.layers]
        config = image.document(hashlib.sha256(data).hexdigest() for data in tars)
        layers = [blob(gzip.compress(data) if compress else data) for data in tars]
        manifest = {"schemaVersion": 2, "config": blob(config), "layers": layers}
        platform = {"os": "linux", "architecture": image.architecture}
        manifests.append({**blob(_json(manifest)), "platform": platform})
    (folder / "index.json").write_bytes(_json({"schemaVersion": 2, "manifests": manifests}))
    (folder / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    return folder


def docker_archive(path: Path, image: Made) -> Path:
    """A tar as engines before 25 save it: a folder for each layer, a repeated layer as a link to the first."""
    files: dict[str, File] = {}
    seen: dict[bytes, str] = {}
    names = []
    for number, layer in enumerate(image.layers):
        data, name = tar(layer), f"{number:064d}/layer.tar"
        files[name] = link(f"../{seen[data]}") if data in seen else File(data)
        seen.setdefault(data, name)
        names.append(name)
    files["config.json"] = File(image.document("" for _ in image.layers))
    files["manifest.json"] = File(_json([{"Config": "config.json", "RepoTags": None, "Layers": names}]))
    path.write_bytes(tar(files))
    return path


def tar(files: Layer) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, file in files.items():
            info = tarfile.TarInfo(name)
            info.mode, info.type, info.linkname = file.mode, file.kind, file.target
            info.size = len(file.content)
            archive.addfile(info, io.BytesIO(file.content))
    return buffer.getvalue()


def elf(
    machine: int = AMD64,
    needs: Mapping[str, Sequence[str]] | None = None,
    gives: Sequence[str] = (),
    soname: str = "",
    lead: int = 0,
    padding: int = 0,
    wide: bool = True,
) -> bytes:
    """A shared object of headers and tables only: ``needs`` names libraries with the versions wanted of each.

    ``lead`` bytes lie before its tables, ``padding`` between them and its dynamic section. Not ``wide`` is 32 bits.
    """
    word, head_bytes, segment_bytes, tag_bytes = ("Q", 64, 56, 16) if wide else ("I", 52, 32, 8)
    strings = bytearray(b"\0")

    def string(text: str) -> int:
        strings.extend(text.encode() + b"\0")
        return len(strings) - len(text) - 1

    wanted = {string(library): [string(name) for name in names] for library, names in (needs or {}).items()}
    tags = [(1, library) for library in wanted] + ([(14, string(soname))] if soname else [])
    verneed, verdef = bytearray(), bytearray()
    for number, (library, names) in enumerate(wanted.items(), 1):
        last = number == len(wanted)
        verneed += struct.pack("<HHIII", 1, len(names), library, 16, 0 if last else 16 + 16 * len(names))
        for index, name in enumerate(names, 1):
            verneed += struct.pack("<IHHII", 0, 0, index, name, 0 if index == len(names) else 16)
    for number, name in enumerate(gives, 1):
        following = 0 if number == len(gives) else 28
        verdef += struct.pack("<HHHHIII", 1, 0, number, 1, 0, 20, following) + struct.pack("<II", string(name), 0)
    tables_at = head_bytes + 2 * segment_bytes + lead
    need_at = tables_at + len(strings)
    def_at = need_at + len(verneed)
    dynamic_at = def_at + len(verdef) + padding
    tags += [(5, tables_at), (10, len(strings))]
    tags += [(0x6FFFFFFE, need_at), (0x6FFFFFFF, len(wanted))] if wanted else []
    tags += [(0x6FFFFFFC, def_at), (0x6FFFFFFD, len(gives))] if gives else []
    dynamic = b"".join(struct.pack(f"<{word}{word}", *tag) for tag in [*tags, (0, 0)])
    end = dynamic_at + len(dynamic)
    sizes = (0, head_bytes, segment_bytes, 2, 0, 0, 0)
    head = b"\x7fELF" + bytes((2 if wide else 1, 1, 1)) + bytes(9)
    head += struct.pack(f"<HHI{word * 3}IHHHHHH", 3, machine, 1, 0, head_bytes, 0, *sizes)
    segments = _segment(wide, 1, 5, 0, end, 4096) + _segment(wide, 2, 6, dynamic_at, len(dynamic), tag_bytes // 2)
    return head + segments + bytes(lead) + bytes(strings + verneed + verdef) + bytes(padding) + dynamic


def _segment(wide: bool, kind: int, flags: int, at: int, size: int, align: int) -> bytes:
    """A program header of what lies at one place in file and memory."""
    if wide:
        return struct.pack("<IIQQQQQQ", kind, flags, at, at, at, size, size, align)
    return struct.pack("<IIIIIIII", kind, at, at, at, size, size, flags, align)


def base(machine: int = AMD64, glibc: str = "2.36") -> Layer:
    """A system of a shell, Python, libc and libstdc++ (none of which runs), its /bin merged into /usr/bin."""
    program = File(elf(machine, {"libc.so.6": [f"GLIBC_{glibc}"]}), 0o755)
    return {
        "bin": link("usr/bin"),
        "usr/bin/dash": program,
        "usr/bin/sh": link("dash"),
        "usr/bin/env": program,
        "usr/bin/python3.11": program,
        "usr/bin/python3": link("python3.11"),
        "usr/bin/su": replace(program, mode=0o4755),
        "usr/lib/libc.so.6": File(elf(machine, gives=["GLIBC_2.17", f"GLIBC_{glibc}"], soname="libc.so.6")),
        "usr/lib/libstdc++.so.6": File(
            elf(
                machine, {"libc.so.6": ["GLIBC_2.17"]}, gives=["GLIBCXX_3.4", "GLIBCXX_3.4.28"], soname="libstdc++.so.6"
            )
        ),
        "etc/passwd": File(b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"),
        "tmp": folder(0o1777),
    }


def healthy(machine: int = AMD64, architecture: str = "amd64") -> Made:
    """An image in which there is nothing to find: `train` and `serve` on PATH, labels, no secrets."""
    verb = script("#!/usr/bin/env python3\nprint('hello')\n")
    programs = {"usr/local/bin/train": verb, "usr/local/bin/serve": hard_link("usr/local/bin/train")}
    config = {"Env": ["PATH=/usr/local/bin:/bin"], "Labels": LABELS | SERVING_LABEL, "Cmd": ["train"]}
    return Made([base(machine), programs], config, architecture)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
