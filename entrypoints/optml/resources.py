"""How many CPUs and GPUs this process may use, as the kernel and the container runtime tell it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path


def count_cpus(root: Path = Path("/")) -> int:
    """CPUs that this process may keep busy: the tightest of its cgroup quotas (rounded up), cpuset and affinity."""
    bounds = [*_quotas_v2(root), *_quotas_v1(root), *_cpusets(root), len(os.sched_getaffinity(0))]
    return max(1, min(bounds))


def count_gpus(environ: Mapping[str, str] = os.environ, root: Path = Path("/")) -> int:
    """NVIDIA GPUs that this process may use.

    The device files decide. `NVIDIA_VISIBLE_DEVICES` can only narrow them: CUDA base images set `all` on machines
    without a GPU, and CDI sets `void` in containers that have one.
    """
    present = sum(1 for path in (root / "dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name))
    wanted = environ.get("NVIDIA_VISIBLE_DEVICES", "all").strip()
    if wanted == "none":
        return 0
    if wanted in ("", "all", "void"):
        return present
    return min(present, len([device for device in wanted.split(",") if device.strip()]))


def _quotas_v2(root: Path) -> Iterator[int]:
    for folder in _own_cgroups(root, "", root / "sys/fs/cgroup"):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            yield math.ceil(int(quota) / int(period))


def _quotas_v1(root: Path) -> Iterator[int]:
    for folder in _own_cgroups(root, "cpu", root / "sys/fs/cgroup/cpu"):
        quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            yield math.ceil(int(quota) / int(period))


def _cpusets(root: Path) -> Iterator[int]:
    unified = [folder / "cpuset.cpus.effective" for folder in _own_cgroups(root, "", root / "sys/fs/cgroup")]
    legacy = [folder / "cpuset.cpus" for folder in _own_cgroups(root, "cpuset", root / "sys/fs/cgroup/cpuset")]
    for path in (*unified, *legacy):
        spans = re.findall(r"(\d+)(?:-(\d+))?", _read(path))
        if spans:
            yield sum(int(last or first) - int(first) + 1 for first, last in spans)


def _own_cgroups(root: Path, controller: str, mount: Path) -> list[Path]:
    """This process's cgroup folder and its ancestors up to `mount`; in a container that is usually `mount` alone."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            own = mount / path.lstrip("/")
            return [own, *(parent for parent in own.parents if parent == mount or mount in parent.parents)]
    return [mount]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
