"""How many cores this process may use, by its affinity and its cgroup's quota."""

from __future__ import annotations

import os
from pathlib import Path

UNLIMITED = float(1 << 20)  # cores
CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """The whole cores that this process may use, at least one.

    A container with `--cpus 1` sees all of its machine's cores: only its cgroup says that it may
    use the time of one (version 2: `cpu.max` of its own group and of those above). Affinity and
    quota are known on Linux alone.
    """
    known = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    return max(1, min(cores, int(_quota(CGROUPS, OWN))))


def _quota(cgroups: Path, own: Path) -> float:
    """Cores by the tightest quota of the process's group and of those above."""
    try:
        [path] = [
            line.removeprefix("0::")
            for line in own.read_text().splitlines()
            if line.startswith("0::")
        ]
    except (OSError, ValueError):  # another system, or cgroups of version 1
        return UNLIMITED
    group = cgroups / path.lstrip("/")
    return min(_quota_of(each / "cpu.max") for each in (group, *group.parents))


def _quota_of(file: Path) -> float:
    try:
        quota, period = file.read_text().split()
    except (OSError, ValueError):  # the root group has no such file
        return UNLIMITED
    return UNLIMITED if quota == "max" else int(quota) / int(period)
