"""`make bench`: what was measured is kept, what was not is not in the files."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.bench import __main__ as bench
from benchmarks.bench.graph import made
from benchmarks.bench.measuring import Row, compared, limited, not_measured, peak_memory
from benchmarks.bench.world import World


def test_a_line_is_measured_once_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: an hour of measuring must survive a stop, and a page must hold nothing but what was
    measured."""
    asked: list[str] = []

    def line(world: World) -> Iterator[Row]:
        asked.append("first")
        yield compared("a", np.array([[1.0, 2.0], [3.0, 2.0], [1.0, 2.0]]), 1.5, "a peer")
        yield not_measured("b", "≤ 2 ×", "no peer")

    def never(world: World) -> Iterator[Row]:
        raise RuntimeError("a line that fails")
        yield limited("c", [1.0], 1, "s")

    monkeypatch.setattr(bench, "LINES", {"first": line, "second": never})
    (tmp_path / "lines").mkdir()
    world, said = World(tmp_path, tmp_path), io.StringIO()
    console = Console(file=said, width=200)
    for _ in range(2):
        bench.measure("first", world, False, console, "1")
    assert asked == ["first"]
    bench.measure("first", world, True, console, "1")
    assert asked == ["first", "first"]
    assert "b: not measured: no peer" in said.getvalue()
    with pytest.raises(RuntimeError, match="a line that fails"):
        bench.measure("second", world, False, console, "2")
    bench.write(tmp_path, tmp_path)
    rows = json.loads((tmp_path / "bench.json").read_text())
    assert [row["name"] for row in rows] == ["a", "b"]
    assert rows[0]["ratio"] == 0.5
    assert rows[0]["spread"] == [0.5, 1.5]
    assert (rows[0]["met"], rows[1]["met"], rows[1]["ours"]) == (True, False, None)
    page = (tmp_path / "bench.md").read_text()
    assert "| a | 1 s | 2: a peer | 0.5 | 0.5 – 1.5 | ≤ 1.5 × | yes |" in page
    assert "not measured: no peer" in page


def test_limits_are_met_or_missed() -> None:
    """Why: a row that says met is what everybody reads."""
    assert limited("a", [1.0, 2.0, 9.0], 2, "s").met
    assert not limited("a", [1.0, 2.1, 9.0], 2, "s").met
    assert not compared("a", np.array([[3.2, 2.0]]), 1.5, "a peer").met
    once_missed = compared("a", np.array([[1.0, 2.0], [1.0, 2.0], [np.inf, 2.0]]), 1.5, "a peer")
    assert (once_missed.met, once_missed.ratio, once_missed.spread) == (False, 0.5, None)
    mostly_missed = compared("a", np.array([[1.0, 2.0], [np.inf, 2.0], [np.inf, 2.0]]), 1, "a peer")
    assert (mostly_missed.met, mostly_missed.ours, mostly_missed.ratio) == (False, None, None)


def test_seconds_of_assets_are_read_from_a_run() -> None:
    """Why: the lines of the graph are what `churn materialize` prints."""
    said = "  ✓ risk_model 12.5 s\n  ✓ sft_model 0.2 s  unchanged: same inputs\n  ! a: b c\n"
    assert made(said) == {"risk_model": (12.5, False), "sft_model": (0.2, True)}


def test_the_peak_of_a_process_is_its_own() -> None:
    """Why: scoring a table was said to take what the benchmark that started it had."""
    mine = np.ones(40_000_000)  # 320 MB
    asked = "from benchmarks.bench.measuring import peak_memory; print(peak_memory())"
    done = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert 5 < float(done.stdout) < 200 < mine.nbytes / 1e6 < peak_memory()
