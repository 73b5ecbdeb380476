"""Measure every line of the table, and write bench.md and bench.json.

    python -m benchmarks.bench [LINE …] [--home HOME] [--work FOLDER] [--again]

The first lines make a home: they run the graph on generated tables. `--home` names one in which it
has run, for the other lines. A line that was measured is kept in the work folder (by default
`.churn/bench`) and not measured again, so that an interrupted run goes on; `--again` forgets the
lines that are asked for. A line that was not run is not in the files.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread for all, as in an API worker

from rich.console import Console

from benchmarks.bench import decision, graph, scoring, serving
from benchmarks.bench.measuring import Row
from benchmarks.bench.world import World

HERE = Path(__file__).resolve().parents[1]
Line = Callable[[World], Iterator[Row]]
LINES: dict[str, Line] = {
    "first_run": graph.first_run,
    "unchanged": graph.unchanged,
    "in_memory": scoring.in_memory,
    "parquet_1m": scoring.parquet(1_000_000, rounds=5),
    "parquet_10m": scoring.parquet(10_000_000, rounds=2),
    "one_decision": scoring.one_decision,
    "http_1": serving.http(1),
    "http_32": serving.http(32),
    "live": serving.live,
    "batch": serving.batch,
    "start": serving.start,
    "environment": decision.environment,
    "training": decision.training,
    "oracle": decision.oracle,
    "one_setting": graph.one_setting,
    "tests": graph.tests,
}


def main() -> None:
    """Run the lines that are asked for, one after the other, and write the files after each."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.bench", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("lines", nargs="*", metavar="LINE", help=f"of {', '.join(LINES)}")
    parser.add_argument("--home", type=Path, help="a CHURN_HOME in which the graph has run")
    parser.add_argument("--work", type=Path, default=Path(".churn/bench"))
    parser.add_argument("--again", action="store_true", help="measure these lines anew")
    given = parser.parse_args()
    if unknown := set(given.lines) - LINES.keys():
        parser.error(f"no such line: {', '.join(sorted(unknown))}; there are {', '.join(LINES)}")
    work: Path = given.work.resolve()
    (work / "lines").mkdir(parents=True, exist_ok=True)
    if given.home is not None and "first_run" in given.lines:
        parser.error("first_run makes a home of its own: leave --home out")
    world = World((given.home or work / "home").resolve(), work)
    left_out = {"first_run"} if given.home is not None else set()
    wanted = given.lines or [name for name in LINES if name not in left_out]
    console = Console(stderr=True)
    for number, name in enumerate(wanted, 1):
        said = f"[{number}/{len(wanted)}] {name}"
        measure(name, world, given.again, console, said)
        write(work, HERE)


def measure(name: str, world: World, again: bool, console: Console, said: str) -> None:
    """Measure one line, unless its file is there."""
    kept = world.work / "lines" / f"{name}.json"
    if kept.exists() and not again:
        console.print(f"{said}: kept", markup=False)
        return
    console.print(f"{said} …", markup=False)
    began, load = time.monotonic(), os.getloadavg()[0]
    rows = [row.as_dict() for row in LINES[name](world)]
    seconds = time.monotonic() - began
    measured = {"rows": rows, "seconds": seconds, "load": [load, os.getloadavg()[0]]}
    part = kept.with_suffix(".part")
    part.write_text(json.dumps(measured, indent=1, allow_nan=False))
    part.replace(kept)
    for row in rows:
        console.print(f"  {'met   ' if row['met'] else 'missed'} {said_of(row)}", markup=False)


def said_of(row: dict[str, object]) -> str:
    """A row as a sentence of the console; of a line without a figure, why there is none."""
    if row["ours"] is None:
        return f"{row['name']}: {row['note']}"
    ours, peer, ratio = (_figure(row[key]) for key in ("ours", "peer", "ratio"))
    return f"{row['name']}: {ours} {row['unit']}, peer {peer}, ratio {ratio}; goal {row['goal']}"


def write(work: Path, out: Path) -> None:
    """`bench.json` and `bench.md`, of all lines that have been measured."""
    kept = [work / "lines" / f"{name}.json" for name in LINES]
    lines = [json.loads(path.read_text()) for path in kept if path.exists()]
    rows = [row for line in lines for row in line["rows"]]
    (out / "bench.json").write_text(
        json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    )
    (out / "bench.md").write_text(page(lines), encoding="utf-8")


def page(lines: list[dict[str, list[dict[str, object]]]]) -> str:
    """The rows as a table, and under which load they were measured."""
    rows = [row for line in lines for row in line["rows"]]
    loads = [float(str(load)) for line in lines for load in line["load"]]
    head = "| what | ours | peer or limit, same run | ratio | spread | goal | met |"
    return "\n".join(
        [
            "# Speed",
            "",
            "    make bench                            # everything, about an hour; resumable",
            "    python -m benchmarks.bench LINE … --again --home HOME   # some anew",
            "",
            f"Python {platform.python_version()}, {os.cpu_count()} cores, load average "
            f"{min(loads, default=0):.1f} to {max(loads, default=0):.1f} (above the cores' number "
            "other programs ran: processor times and ratios then hold, times on the clock don't). "
            "The spread is of the ratio, or of ours where there is a limit, over the rounds of the "
            "run. A line that was not run is not here.",
            "",
            head,
            "|---|---|---|---|---|---|---|",
            *map(_cells, rows),
            "",
        ]
    )


def _cells(row: dict[str, object]) -> str:
    spread = row["spread"]
    told = " – ".join(map(_figure, spread)) if isinstance(spread, list) else ""
    name = f"{row['name']} ({row['note']})" if row["note"] else str(row["name"])
    ours = f"{_figure(row['ours'])} {row['unit']}" if row["ours"] is not None else "–"
    peer = f"{_figure(row['peer'])}: {row['peer_is']}" if row["peer"] is not None else "–"
    met = "yes" if row["met"] else "no"
    return (
        f"| {name} | {ours} | {peer} | {_figure(row['ratio'])} | {told} | {row['goal']} | {met} |"
    )


def _figure(value: object) -> str:
    return (
        f"{value:.3g}"
        if isinstance(value, int | float) and value < 1_000
        else ("–" if value is None else f"{value:,.0f}")
    )


if __name__ == "__main__":
    main()
