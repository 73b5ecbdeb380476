"""How near the allocation comes to the bound, how long it takes and how much memory: writes
`campaign.json` (`python -m benchmarks.campaign [SIZE …]`).

Made-up companies with two channels on seven days and four offers (56 options a customer); each size
in a process of its own, whose peak memory is the whole process's. Up to 50,000 customers the gap is
against the linear program's value by HiGHS, beyond against the dual bound. Limits are checked on
10,000 random small problems and on every company.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench.measuring import peak_memory
from churn_assets.campaign.planning.allocation import NONE, Allocation, Problem, solve
from churn_assets.campaign.planning.certificate import CERTIFIED, linear_bound
from tests.campaign.instances import company, small

SIZES = (7_032, 100_000, 1_000_000)
RANDOM = 10_000
OUT = Path(__file__).with_suffix(".json")


def broken_limits(problem: Problem, found: Allocation) -> int:
    """How many limits a plan is over, counted anew from its choices."""
    chosen = np.flatnonzero(found.choice != NONE)
    spent = [
        money[np.arange(len(money)), found.choice[chosen[place]]]
        for place, _, money in problem.parts(chosen)
    ]
    used = np.bincount(problem.slots[found.choice[chosen]], minlength=len(problem.places))
    over_budget = math.fsum(np.concatenate(spent)) > problem.budget
    return int(over_budget) + int((used > problem.places).sum())


def of_size(count: int) -> dict[str, Any]:
    """Plan for a company of `count` customers, and again with 10 % more money."""
    problem = company(count)
    started, used = time.perf_counter(), time.process_time()
    found = solve(problem)
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    replan = replan_cpu = None
    if count <= CERTIFIED:  # what a slider of the console asks for
        more = Problem(count, problem.slots, problem.places, 1.1 * problem.budget, problem.chunk)
        started, used = time.perf_counter(), time.process_time()
        solve(more)
        replan = round(time.perf_counter() - started, 2)
        replan_cpu = round(time.process_time() - used, 2)
    peak = peak_memory()
    bound, by = found.bound, "dual"
    if count <= CERTIFIED:
        bound, by = linear_bound(problem, found.prices), "HiGHS"
    return {
        "gap": 1 - found.value / bound,
        "bound": by,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "replan_seconds": replan,
        "replan_cpu_seconds": replan_cpu,
        "peak_mb": round(peak),
        "contacts": int(found.used.sum()),
        "money_used": found.money / problem.budget,
        "violations": broken_limits(problem, found),
    }


def main(sizes: tuple[int, ...]) -> None:
    """Measure these sizes, and the random problems; what the file says of other sizes stays."""
    known = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
    measured = {size: dict(row) for size, row in known.get("by_size", {}).items()}
    for count in sizes:
        command = [sys.executable, "-m", "benchmarks.campaign", "one", str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        measured[str(count)] = json.loads(done.stdout)
        print(count, measured[str(count)], flush=True)
    rng = np.random.default_rng(1)
    violations = 0
    for _ in range(RANDOM):
        problem = small(rng)
        violations += broken_limits(problem, solve(problem))
    report: dict[str, Any] = {
        name: {size: row[name] for size, row in measured.items()}
        for name in ("gap", "seconds", "peak_mb")
    }
    report |= {
        "violations": violations + sum(row["violations"] for row in measured.values()),
        "random_instances": RANDOM,
        "by_size": measured,
    }
    OUT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report))


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        print(json.dumps(of_size(int(sys.argv[2]))))
    else:
        main(tuple(map(int, sys.argv[1:])) or SIZES)
