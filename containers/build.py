"""Builds the images with what this machine has: a base from a registry or from Debian's archive, the host's CA bundle.

    python3 -m containers.build [TARGET…]        targets of docker-bake.hcl; none: all images

Looks before anything long starts: engine, bake file's needs, targets, disk. Says what it chose. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from containers import rootfs, torch_cpu
from local.installer import system_ca_bundle

CHECKOUT = Path(__file__).resolve().parent.parent
SOURCES = ("LICENSE", "containers", "docker-bake.hcl", "drydock", "entrypoints", "local")
"""What images are built of: the bake file and what .dockerignore lets through."""
DIRTY = "-dirty"
"""Behind the revision of an image of uncommitted changes, as git writes it."""
ENGINE_AT_LEAST = (23, 0)
BUILDX_AT_LEAST = (0, 13)
"""The oldest that was tried; `matrix` came with 0.11."""
NEEDED_GB = {"pytorch": 14, "pytorch-cpu": 4, "tensorflow-cpu": 5, "tensorflow-gpu": 13, "local": 2}
"""Free space that a stack takes when it is built for the first time: layers and the installer's cache; 1 for others."""
CHANGED_GB = 10
"""The same when a lock has changed since and the installer's cache is there."""
UNITS = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
"""Bytes; as `docker buildx du` writes them."""
INSTALL = "on Debian 12: sudo .ci/engine; elsewhere: install Docker Engine with buildx, and start it"
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


class CannotBuildError(Exception):
    """The images cannot be built here. `hint` says what to type next."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def main(arguments: Sequence[str]) -> int:
    try:
        return build(list(arguments))
    except CannotBuildError as error:
        say(f"error: {error.message}\n\nhint: {error.hint}")
        return 1


def build(wanted: list[str]) -> int:
    """Build the wanted targets, all if none is given; returns bake's exit code."""
    check_targets(wanted)
    check_engine()
    environ = {**os.environ, **choices()}
    plan = read_plan(wanted, environ)
    for_cpu = any(stack(name, target) == "pytorch" for name, target in plan.items() if name.startswith("train-cpu"))
    if for_cpu and (chosen := torch_cpu.variables(environ, say)):
        environ |= chosen
        plan = read_plan(wanted, environ)
    check_disk(plan)
    environ |= choose_base(plan) | runtime_roots(plan)
    started = time.monotonic()
    proxies = [f"--set=*.args.{name}={os.environ[name]}" for name in PROXIES if os.environ.get(name)]
    code = subprocess.run(["docker", "buildx", "bake", *proxies, *wanted], cwd=CHECKOUT, env=environ, check=False)
    if code.returncode == 0:
        show(plan, time.monotonic() - started)
    return code.returncode


def choices() -> dict[str, str]:
    """The bake file's variables, as this machine and this checkout have them."""
    committed = git(CHECKOUT, "log", "-1", "--format=%ct")
    bundle = os.environ.get("SSL_CERT_FILE") or system_ca_bundle() or ""
    return {
        "CA_BUNDLE": bundle,
        "PROGRAMS": " ".join(program_tags()),
        "REVISION": revision(CHECKOUT),
        "SOURCE_DATE_EPOCH": committed or "0",
        "BUILDX_BUILDER": os.environ.get("BUILDX_BUILDER", "default"),
        "BUILDX_BAKE_ENTITLEMENTS_FS": "0",  # from 0.20 on it would refuse the bundle, which is outside the checkout
    }


def revision(checkout: Path) -> str:
    """The commit that images are built of, with `-dirty` behind it if what they hold has uncommitted changes; empty
    without a repository.
    """
    commit = git(checkout, "rev-parse", "HEAD")
    changed = commit and git(checkout, "status", "--porcelain", "--", *SOURCES)
    return f"{commit}{DIRTY}" if changed else commit


def program_tags(table: Path = CHECKOUT / "entrypoints/programs.json") -> list[str]:
    """`train-cpu:yolo` and the like: each program in each image that it names."""
    programs = json.loads(table.read_text(encoding="utf-8"))["programs"]
    tags = (f"{image}:{name}" for name, program in programs.items() for image in program["images"])
    return sorted(tag for tag in tags if tag.startswith("train-"))


def check_targets(wanted: Sequence[str], table: Path = CHECKOUT / "containers/targets.json") -> None:
    """None of them is one that is refused by name."""
    for name, reason in json.loads(table.read_text(encoding="utf-8"))["refused"].items():
        if any(target.endswith(name) for target in wanted):
            raise CannotBuildError(f"there is no image for {name}: {reason}", "update the device to JetPack 5 or 6")


def check_engine() -> None:
    """An engine and a buildx that can read the bake file."""
    if not shutil.which("docker"):
        raise CannotBuildError("there is no container engine on this machine", INSTALL)
    engine = reply("docker", "version", "--format", "{{.Server.Version}}")
    if engine is None:
        raise CannotBuildError("the container engine does not answer (docker version)", INSTALL)
    if version_of(engine) < ENGINE_AT_LEAST:
        raise CannotBuildError(f"the container engine is {engine}; the bake file needs 23 or newer", INSTALL)
    check_buildx()


def check_buildx() -> None:
    """A buildx that can read the bake file; it needs no engine for that."""
    buildx = reply("docker", "buildx", "version")
    found = next((word for word in (buildx or "").split() if word.lstrip("v")[:1].isdigit()), "")
    if version_of(found) < BUILDX_AT_LEAST:
        raise CannotBuildError(f"buildx is {found or 'not there'}; the bake file needs 0.13 or newer", INSTALL)


def read_plan(wanted: Sequence[str], environ: Mapping[str, str]) -> dict[str, Any]:
    """Bake's own reading of what is wanted: target name to what it makes."""
    command = ["docker", "buildx", "bake", "--print", *wanted]
    result = subprocess.run(command, cwd=CHECKOUT, env=environ, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["bake cannot read it"])[-1].removeprefix("ERROR: ")
        built = [name for name, target in read_plan([], environ).items() if target.get("tags")] if wanted else []
        known = ", ".join(["train", "runtime", *built])
        raise CannotBuildError(f"docker-bake.hcl: {reason}", f"targets are {known}")
    targets: dict[str, Any] = json.loads(result.stdout)["target"]
    return targets


def check_disk(plan: Mapping[str, Any]) -> None:
    """Room for what the build cache lacks, where the engine keeps its layers; always for one changed lock.

    That an image is there does not mean that its layers need not be built again, and of one that is not there most may
    be: those of a program differ from its stack's others in a variable.
    """
    stacks = {stack(name, target) for name, target in plan.items() if target.get("tags")}
    all_gb = sum(NEEDED_GB.get(name, 1) for name in stacks)
    needed_gb = max(all_gb - cached_gb(), min(CHANGED_GB, all_gb))
    root = Path(reply("docker", "info", "--format", "{{.DockerRootDir}}") or "/")
    if not root.exists():
        return  # the engine is on another machine
    free_gb = shutil.disk_usage(root).free / 1e9
    if free_gb < needed_gb:
        raise CannotBuildError(
            f"{free_gb:.0f} GB free, {needed_gb:.0f} GB needed ({root})",
            "free some space: docker system df shows what images and caches take, docker builder prune drops caches",
        )


def cached_gb() -> float:
    """What the builder's cache holds; 0 for a builder that does not say."""
    total = re.search(r"^Total:\s*([\d.]+)([kMGT]?B)$", reply("docker", "buildx", "du") or "", re.MULTILINE)
    return float(total[1]) * UNITS[total[2]] / 1e9 if total else 0


def choose_base(plan: Mapping[str, Any]) -> dict[str, str]:
    """Folder with a base of our own; nothing where a registry has the public one."""
    name = rootfs.public_name(CHECKOUT / "containers/base/Dockerfile")
    if "base" not in plan:
        return {}
    if rootfs.registry_has(name):
        say(f"base: {name} from its registry")
        return {}
    folder = bootstrapped(rootfs.BASE, "no registry answers, and {}")
    say(f"base: no registry has {name} for us; Debian 12 from its archive instead ({folder})")
    return {"ROOTFS": folder}


def runtime_roots(plan: Mapping[str, Any]) -> dict[str, str]:
    """Folders with the roots of the runtime images that are wanted."""
    wanted = [name for name in rootfs.RUNTIMES if f"runtime-rootfs-{name}" in plan]
    return {f"ROOTFS_{name.upper().replace('-', '_')}": bootstrapped(rootfs.RUNTIMES[name], "{}") for name in wanted}


def bootstrapped(recipe: rootfs.Recipe, fault: str) -> str:
    try:
        return str(rootfs.bootstrap(recipe, CHECKOUT / ".drydock/images", say))
    except rootfs.NoBaseError as error:
        hint = "apt install mmdebstrap, or let the engine reach a registry"
        raise CannotBuildError(fault.format(error), hint) from error


def show(plan: Mapping[str, Any], seconds: float) -> None:
    for tag in sorted(tag for target in plan.values() for tag in target.get("tags", [])):
        size = reply("docker", "image", "inspect", "--format", "{{.Size}}", tag)
        print(f"{tag:<28} {int(size or 0) / 1e9:6.2f} GB")
    say(f"built in {seconds:.0f} s")


def stack(name: str, target: Mapping[str, Any]) -> str:
    """The target whose packages an image is filled with; itself if it fills itself."""
    packages: str = target.get("contexts", {}).get("packages", name)
    return packages.removeprefix("target:")


def version_of(text: str) -> tuple[int, ...]:
    """(26, 1) of `26.1.5+dfsg1`; empty where there is none."""
    parts = text.lstrip("v").split(".")[:2]
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()


def git(checkout: Path, *arguments: str) -> str:
    return reply("git", "-C", str(checkout), *arguments) or ""


def reply(*command: str) -> str | None:
    """What a command prints; None if it is not there, fails or hangs."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
