"""A minute of load while releases are swapped: four good ones and a broken one, no failed request.

python benchmarks/serving_reliability.py            # writes benchmarks/serving_reliability.md
"""

# ruff: noqa: E402 - the tests' server and load generator are no installed package

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.api.swaps import swap_under_load

SECONDS = 60.0  # at least: building the releases comes on top
CONNECTIONS = 16


def main() -> None:
    """Run the scenario, write what happened, and fail if a request did."""
    with tempfile.TemporaryDirectory() as workspace:
        outcome = swap_under_load(Path(workspace), SECONDS, CONNECTIONS)
    report = outcome.report
    rows = [
        ("seconds, connections", f"{report.seconds:.0f}, {CONNECTIONS}"),
        ("requests answered", f"{len(report.latencies):,}"),
        ("requests failed", str(len(report.failures))),
        ("releases that answered", f"{len(outcome.served)} of {len(outcome.good)} good ones"),
        ("answers by the broken release", str(outcome.served[outcome.broken])),
        (
            "p50 / p99 / longest",
            " / ".join(f"{report.percentile(q):.1f}" for q in (50, 99, 100)) + " ms",
        ),
    ]
    lines = [
        "# Release swaps under load",
        "",
        "A first release serves; two more are swapped in, then a damaged one, then two more, while",
        "all connections send without a pause. Server, load and builder share two cores.",
        "",
        "| what | measured |",
        "|---|---|",
        *(f"| {what} | {measured} |" for what, measured in rows),
        "",
        "What `/readyz` said while the damaged release was the latest: a refusal naming its id.",
        "",
    ]
    (ROOT / "benchmarks/serving_reliability.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))
    assert not report.failures, report.failures[:5]
    assert outcome.broken in outcome.problem
    assert set(outcome.served) == set(outcome.good)


if __name__ == "__main__":
    main()
