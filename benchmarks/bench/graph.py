"""The whole graph and the whole test run, as somebody at a terminal runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.bench.measuring import Row, limited
from benchmarks.bench.world import World

ROOT = Path(__file__).resolve().parents[2]
CHURN = (sys.executable, "-c", "from churn_assets.cli import app; app()")
MADE = re.compile(r"✓ (\w+)\s+([\d.]+) s(.*)")
CHAIN = ("message_base_model", "sft_model", "reward_model", "ppo_text_model", "message_bank")
"""The embedded chain of messages."""
SETTING = {"CHURN_ACCEPT__TREES": "99"}
"""One setting of one stage."""


def churn(home: Path, *arguments: str, **settings: str) -> tuple[float, str]:
    """Seconds of a command on this home, with generated tables, and what it printed."""
    ours = ("CHURN_", "DAGSTER_", "OMP_NUM_THREADS")  # the last is this benchmark's own doing
    clean = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    own = {"CHURN_HOME": str(home), "CHURN_DATA__SOURCE": "synthetic", **settings}
    started = time.perf_counter()
    done = subprocess.run(
        [*CHURN, *arguments],
        env={**clean, **own},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"churn {' '.join(arguments)} failed: {done.stdout[-2_000:]}")
    return time.perf_counter() - started, done.stdout


def made(printed: str) -> dict[str, tuple[float, bool]]:
    """Each asset of a run: its seconds, and whether it was unchanged."""
    return {name: (float(s), "unchanged" in why) for name, s, why in MADE.findall(printed)}


def first_run(world: World) -> Iterator[Row]:
    """`make demo` after the install, in an empty home: the graph, then an answer over HTTP."""
    shutil.rmtree(world.home, ignore_errors=True)
    graph, printed = churn(world.home, "materialize")
    answer, _ = churn(world.home, "predict", "--sample", "--over-http")
    (world.work / "first_run.txt").write_text(printed)
    (world.work / "first_run.seconds").write_text(str(graph))
    yield limited("`make demo` after the install", [graph + answer], 240, "s")
    chain = sum(seconds for name, (seconds, _) in made(printed).items() if name in CHAIN)
    note = "of that first run"
    yield limited("embedded chain of messages", [chain], 150, "s", note=note)


def unchanged(world: World) -> Iterator[Row]:
    """`churn materialize` again, with nothing changed."""
    seconds, printed = churn(world.home, "materialize")
    yield _again(world, "`churn materialize` with nothing changed", seconds, made(printed), 0.05)


def one_setting(world: World) -> Iterator[Row]:
    """The same after one setting of one stage."""
    seconds, printed = churn(world.home, "materialize", **SETTING)
    found = made(printed)
    [setting] = SETTING
    name = f"the same after `{setting}` changed"
    yield _again(world, name, seconds, found, 1.0)


def _again(
    world: World, name: str, seconds: float, found: Mapping[str, tuple[float, bool]], goal: float
) -> Row:
    first = float((world.work / "first_run.seconds").read_text())
    anew = [asset for asset, (_, same) in found.items() if not same]
    return Row(
        name,
        seconds,
        first,
        seconds / first,
        f"≤ {goal:.0%} of the first run",
        seconds / first <= goal,
        peer_is="the first run",
        note=f"{len(found) - len(anew)} of {len(found)} assets unchanged; anew: {', '.join(anew)}",
    )


def tests(world: World) -> Iterator[Row]:
    """`make test` from nothing."""
    started = time.perf_counter()
    done = subprocess.run(["make", "test"], cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    (world.work / "tests.txt").write_text(done.stdout + done.stderr)
    warned = sum(map(int, re.findall(r"(\d+) warnings?\b", done.stdout)))
    note = f"exit status {done.returncode}, {warned} warnings"
    good = done.returncode == 0 and not warned
    row = limited("`make test` from nothing", [seconds], 600, "s", note=note)
    yield row if good else replace(row, met=False)
