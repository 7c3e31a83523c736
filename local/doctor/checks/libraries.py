"""DD6xx: whether what is compiled in the image fits the processor, the image's own system, and a named device."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator

from local.doctor import elf
from local.doctor.case import Case, some
from local.doctor.elf import Elf, Version, dotted
from local.doctor.finding import DEVICE, SAGEMAKER, Finding, Rule, Severity
from local.doctor.image import Image

WRONG_ARCHITECTURE = Rule(
    "DD601",
    Severity.error,
    "image of another architecture",
    "It does not start there: exec format error.",
    "docker buildx build --platform linux/arm64 (or linux/amd64), or name the image that was built for it",
)
NO_INSTANCE = Rule(
    "DD602",
    Severity.warning,
    "not for x86-64",
    "Almost all of SageMaker's instances are x86-64; only Graviton and Grace ones start it.",
    "docker buildx build --platform linux/amd64",
    SAGEMAKER,
)
FOREIGN = Rule(
    "DD603",
    Severity.error,
    "compiled files of another architecture",
    "They cannot be loaded: wheels of the build machine were installed for another one.",
    "uv pip install --only-binary :all: --python-platform aarch64-manylinux_2_28, or x86_64-…: the image's",
)
TOO_NEW = Rule(
    "DD604",
    Severity.error,
    "compiled for a newer system than the image's own",
    "They cannot be loaded: version `GLIBC_…` (or `GLIBCXX_…`) not found.",
    "install wheels of an older manylinux, or use a base with a newer glibc",
)
ABOVE_FLOOR = Rule(
    "DD605",
    Severity.error,
    "compiled for a newer system than the device's",
    "They load in the image's own system at most, neither on the device's nor on an image of it.",
    "install wheels of an older manylinux (--python-platform aarch64-manylinux_2_31 for JetPack 5)",
    DEVICE,
)
NOT_THERE = Rule(
    "DD606",
    Severity.note,
    "libraries that are not in the image",
    "What is linked with them cannot be loaded, unless something brings them when the container starts.",
    "install their packages (libgl1 for libGL.so.1; better: the headless package), or leave those files out",
)
UNREAD = Rule(
    "DD607",
    Severity.note,
    "compiled files that were not looked into",
    "Their tables were not at hand while the layer streamed past.",
    "docker save IMAGE > image.tar, and look at that file",
)
RULES = (WRONG_ARCHITECTURE, NO_INSTANCE, FOREIGN, TOO_NEW, ABOVE_FLOOR, NOT_THERE, UNREAD)

_SIBLINGS = {"amd64": {"386"}, "arm64": {"arm"}}
"""What a processor runs beside its own."""
_SYSTEM = ("lib/", "lib64/", "usr/lib/", "usr/lib64/", "bin/", "sbin/", "usr/bin/", "usr/sbin/")
_PACKAGES = ("dist-packages/", "site-packages/")
_PROVIDERS = {"GLIBC": "libc.so.6", "GLIBCXX": "libstdc++.so.6"}
_VERSIONED = re.compile(r"\.so\.\d[\d.]*$")
_DRIVER = ("libcuda.so", "libnvidia", "libnvcuvid", "libnvoptix", "linux-vdso", "libEGL_nvidia", "libnvdla", "libnvrm")
"""Brought by the NVIDIA container runtime."""


def check(case: Case) -> Iterator[Finding]:
    yield from _architecture(case)
    objects = {path: entry.elf for path, entry in case.image.files if entry.elf and _is_loaded(entry.elf)}
    yield from _foreign(case.image, objects)
    native = {path: facts for path, facts in objects.items() if facts.machine == case.image.architecture}
    yield from _versions(case, native)
    yield from _not_there(case.image, native)
    unread = [f"/{path}" for path, entry in case.image.files if entry.unread]
    if unread:
        yield UNREAD.found(f"{len(unread)} files", some(unread))


def _is_loaded(facts: Elf) -> bool:
    return facts.kind in (elf.EXECUTABLE, elf.SHARED) and facts.machine in elf.MACHINES.values()


def _architecture(case: Case) -> Iterator[Finding]:
    image = case.image
    if case.device and image.architecture != case.device.architecture:
        yield WRONG_ARCHITECTURE.found(
            f"the image is for {image.platform}, and {case.device.name} is {case.device.architecture}", "architecture"
        )
    elif case.platform and image.platform != case.platform:
        yield WRONG_ARCHITECTURE.found(f"the image is for {image.platform}, not for {case.platform}", "architecture")
    elif image.architecture != "amd64" and not (case.device or case.platform):
        yield NO_INSTANCE.found(f"the image is for {image.platform}", "architecture")


def _foreign(image: Image, objects: dict[str, Elf]) -> Iterator[Finding]:
    fitting = {image.architecture} | _SIBLINGS.get(image.architecture, set())
    by_machine: defaultdict[str, list[str]] = defaultdict(list)
    for path, facts in objects.items():
        if facts.machine not in fitting:
            by_machine[facts.machine].append(f"/{path}")
    for machine, paths in by_machine.items():
        yield FOREIGN.found(f"{len(paths)} files are for {machine}, the image is for {image.architecture}", some(paths))


def _versions(case: Case, objects: dict[str, Elf]) -> Iterator[Finding]:
    device = case.device
    floors = {"GLIBC": device.glibc, "GLIBCXX": device.glibcxx} if device else {}
    for family, provider in _PROVIDERS.items():
        own = max((facts.gives.get(family, ()) for facts in objects.values()), default=())
        broken = {path: facts.needs[family] for path, facts in objects.items() if facts.needs.get(family, ()) > own}
        if broken:
            newest = f"{family}_{dotted(max(broken.values()))}"
            has = f"{provider} gives up to {family}_{dotted(own)}" if own else f"there is no {provider}"
            yield TOO_NEW.found(f"{len(broken)} files need up to {newest}, and {has}", some(_worst(broken)))
        floor = floors.get(family)
        above = {
            path: facts.needs[family]
            for path, facts in objects.items()
            if floor and facts.needs.get(family, ()) > floor and path not in broken and not _is_system(path)
        }
        if above and device and floor:
            newest = f"{family}_{dotted(max(above.values()))}"
            yield ABOVE_FLOOR.found(
                f"{len(above)} files need up to {newest}, and {device.name} ({device.system}) has "
                f"{family}_{dotted(floor)}",
                some(_worst(above)),
            )


def _worst(needs: dict[str, Version]) -> list[str]:
    return [f"/{path} ({dotted(needs[path])})" for path in sorted(needs, key=lambda path: needs[path], reverse=True)]


def _is_system(path: str) -> bool:
    """Whether the image's own distribution brings it, which goes where its libc goes."""
    return path.startswith(_SYSTEM) and not any(folder in path for folder in _PACKAGES)


def _not_there(image: Image, objects: dict[str, Elf]) -> Iterator[Finding]:
    there = {posixpath.basename(path) for path, _ in image.files} | {facts.soname for facts in objects.values()}
    linked = {name for facts in objects.values() for name in facts.needed}
    wanted: defaultdict[str, list[str]] = defaultdict(list)
    for path, facts in objects.items():
        for name in facts.needed if not _is_spare(path, facts, linked) else ():
            if name not in there and not name.startswith(_DRIVER):
                wanted[name].append(f"/{path}")
    if wanted:
        listed = [f"{name} (for {some(paths[:1])})" for name, paths in sorted(wanted.items())]
        yield NOT_THERE.found(f"{len(wanted)} libraries that compiled files are linked with are absent", some(listed))


def _is_spare(path: str, facts: Elf, linked: set[str]) -> bool:
    """Whether a package's library is none that its modules are linked with: its name has a version, as for linking,
    and nothing is. Vendors' plug-ins are so (NVIDIA's for InfiniBand, MPI, EFA), tried by name and done without.
    """
    named = {posixpath.basename(path), facts.soname}
    return bool(_VERSIONED.search(path)) and any(folder in path for folder in _PACKAGES) and not named & linked
