"""Whether memory ran out while a job ran, by the kernel's own count.

An engine tells of a container only that its control group ran out of memory, and with control groups of version 1, or
where the container is gone first, not always that. The kernel counts every process that it kills for want of memory,
in a control group or for the whole machine (`oom_kill` in /proc/vmstat; Documentation/admin-guide/cgroup-v1, -v2).
"""

from collections.abc import Callable
from pathlib import Path

COUNTERS = Path("/proc/vmstat")


def watch() -> Callable[[], bool | None]:
    """Ask later whether memory has run out since now: False if the kernel killed nobody for it, else None.

    It may have been another's process that was killed, and a kernel before 4.13 does not count.
    """
    before = _killed()

    def ran_out() -> bool | None:
        return None if before is None or _killed() != before else False

    return ran_out


def _killed() -> int | None:
    """How many processes the kernel has killed for want of memory since it started."""
    try:
        counters = COUNTERS.read_text(encoding="ascii")
    except OSError:
        return None
    return next((int(line.split()[1]) for line in counters.splitlines() if line.startswith("oom_kill ")), None)
