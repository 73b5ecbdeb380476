"""A measured line, and how its times are taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        ours, peer: in `unit`; peer None: there is only a limit, or the peer was not measured.
        ratio: ours / peer; None without a peer.
        spread: least and largest value of what the goal speaks of, over the rounds of this run.
        goal: in words. met: whether it is. peer_is: the peer's name. note: what else was seen.
    """

    name: str
    ours: float | None
    peer: float | None
    ratio: float | None
    goal: str
    met: bool
    unit: str = "s"
    peer_is: str = ""
    spread: tuple[float, float] | None = None
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As it stands in `bench.json`."""
        return asdict(self)


def cpu_of(call: Callable[[], Any]) -> float:
    """Seconds of processor time of this process: what other programs take is not in it."""
    started = time.process_time()
    call()
    return time.process_time() - started


def peak_memory() -> float:
    """The most memory that this process has had so far, in megabytes (proc(5), `VmHWM`).

    `getrusage` says at least as much as whoever started the process had, which is no part of it.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kilobytes = status.partition("VmHWM:")[2].split()[0]
    return int(kilobytes) * 1024 / 1e6


def in_turn(ours: Callable[[], Any], peer: Callable[[], Any], rounds: int) -> np.ndarray:
    """Processor seconds (rounds, 2) of both, one after the other, after a warm-up."""
    ours(), peer()
    return np.array([[cpu_of(ours), cpu_of(peer)] for _ in range(rounds)])


def compared(name: str, seconds: np.ndarray, goal: float, peer_is: str, **more: Any) -> Row:
    """Of seconds (rounds, 2): the medians, their ratio, and the rounds' ratios; at most `goal`.

    Ours are infinite in a round that never got there: then it isn't met, and the rounds have no
    spread; the medians are told where they are finite.
    """
    ours, peer = np.median(seconds, axis=0)
    ratios = seconds[:, 0] / seconds[:, 1]
    always, mostly = bool(np.isfinite(ratios).all()), bool(np.isfinite(ours))
    return Row(
        name,
        float(ours) if mostly else None,
        float(peer),
        float(ours / peer) if mostly else None,
        f"≤ {goal:g} ×",
        always and bool(ours / peer <= goal),
        peer_is=peer_is,
        spread=(float(ratios.min()), float(ratios.max())) if always else None,
        **more,
    )


def limited(name: str, values: list[float], limit: float, unit: str, **more: Any) -> Row:
    """The median of some values, which shall be at most `limit`."""
    middle = float(np.median(values))
    spread = (min(values), max(values))
    return Row(
        name,
        middle,
        None,
        None,
        f"≤ {limit:g} {unit}",
        middle <= limit,
        unit=unit,
        spread=spread,
        **more,
    )


def not_measured(name: str, goal: str, why: str) -> Row:
    """A line whose peer isn't here: its goal counts as missed."""
    return Row(name, None, None, None, goal, False, note=f"not measured: {why}")
