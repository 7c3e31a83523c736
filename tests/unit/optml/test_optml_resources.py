"""CPUs and GPUs counted from the files of a made-up root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from optml.resources import count_cpus, count_gpus

AFFINITY = len(os.sched_getaffinity(0))


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.mark.parametrize(
    "files",
    [
        {"sys/fs/cgroup/cpu.max": "50000 100000\n"},
        {"sys/fs/cgroup/cpu.max": "100000 100000\n"},
        {
            "proc/self/cgroup": "0::/a/b\n",
            "sys/fs/cgroup/a/cpu.max": "90000 100000",
            "sys/fs/cgroup/a/b/cpu.max": "max 100000",
        },
        {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"},
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/job\n3:cpuset:/\n",
            "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "20000",
            "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000",
        },
        {"sys/fs/cgroup/cpuset.cpus.effective": "3\n"},
        {"sys/fs/cgroup/cpuset/cpuset.cpus": "1-1"},
    ],
)
def test_the_tightest_bound_holds_and_is_rounded_up(tmp_path: Path, files: dict[str, str]) -> None:
    assert count_cpus(write(tmp_path, files)) == 1


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"sys/fs/cgroup/cpu.max": "max 100000"},
        {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"},
        {"sys/fs/cgroup/cpu.max": "nonsense"},
        {"sys/fs/cgroup/cpuset.cpus.effective": "0-3,8-4095"},
        {"sys/fs/cgroup/cpuset.cpus.effective": ""},
    ],
)
def test_without_a_tighter_bound_affinity_decides(tmp_path: Path, files: dict[str, str]) -> None:
    assert count_cpus(write(tmp_path, files)) == AFFINITY


@pytest.mark.parametrize(
    ("devices", "variable", "expected"),
    [
        ([], None, 0),
        ([], "all", 0),
        (["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"], None, 2),
        (["nvidia0", "nvidia1"], "all", 2),
        (["nvidia0", "nvidia1"], "0", 1),
        (["nvidia0"], "0,1", 1),
        (["nvidia0"], "none", 0),
        (["nvidia0"], "void", 1),
        (["nvidia0"], "", 1),
    ],
)
def test_gpus_are_the_device_files_narrowed_by_the_variable(
    tmp_path: Path, devices: list[str], variable: str | None, expected: int
) -> None:
    root = write(tmp_path, {f"dev/{name}": "" for name in devices})
    assert count_gpus({} if variable is None else {"NVIDIA_VISIBLE_DEVICES": variable}, root) == expected
