"""The cores that a process may use, by the files of its cgroup."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from churn_assets.domain import cores


@pytest.mark.parametrize(
    ("quotas", "usable"),
    [
        ({}, 8),
        ({"": "max 100000"}, 8),
        ({"": "100000 100000"}, 1),  # a container sees its own group as the root
        ({"pod/own": "350000 100000"}, 3),
        ({"pod/own": "max 100000", "pod": "200000 100000"}, 2),  # what is above holds, too
        ({"pod/own": "400000 100000", "pod": "200000 100000"}, 2),
        ({"pod/other": "100000 100000"}, 8),
        ({"pod/own": "50000 100000"}, 1),  # half a core is one thread's
        ({"pod/own": "1600000 100000"}, 8),  # no more than there are
    ],
)
def test_a_quota_is_so_many_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quotas: dict[str, str], usable: int
) -> None:
    """Why: `docker run --cpus 1` on a machine of eight ran two programs on the time of one core."""
    (tmp_path / "own").write_text("1:name=systemd:/x\n0::/pod/own\n")
    for group, quota in quotas.items():
        folder = tmp_path / "fs" / group
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.max").write_text(f"{quota}\n")
    monkeypatch.setattr(cores, "CGROUPS", tmp_path / "fs")
    monkeypatch.setattr(cores, "OWN", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert cores.usable_cores() == usable


def test_without_cgroups_affinity_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 1, or another system."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3}, raising=False)
    for own in (None, "4:cpu,cpuacct:/docker/x\n"):
        if own:
            (tmp_path / "own").write_text(own)
        monkeypatch.setattr(cores, "OWN", tmp_path / "own")
        assert cores.usable_cores() == 2
