"""Ways of writing a message side by side; or speed of the message path and the last run's figures.

    python -m benchmarks.messages --base embedded --seeds 42 43 --work FOLDER
    python -m benchmarks.messages FOLDER     # FOLDER: a message_bank artifact or release messages/

The first trains the chain of each seed in FOLDER, or takes what is there, and writes the rows of
this base and these seeds to `benchmarks/messages.json`; all others stay. The second prints Markdown
tables; `benchmarks/messages.md` holds the last ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from benchmarks.artifacts import current_folder
from benchmarks.messages.methods import METHODS
from benchmarks.messages.table import (
    BASES,
    SITUATIONS,
    document,
    markdown,
    measure_chain,
    write,
)
from churn_assets.datasets.config import SourceKind
from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.profiles import Profile
from churn_assets.messages.shield.brief import CONTRACTS, TENURE_BANDS, TONES, MessageBrief
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.renderer import Renderer
from churn_assets.messages.writing.writer import MessageWriter
from churn_assets.settings import load_settings

RESULTS = Path(__file__).parents[1] / "messages.json"
ROUNDS = 2_000
MICRO = 1e6


def briefs() -> Iterator[MessageBrief]:
    """All 144 kinds of brief, over and over, each time with another bill."""
    number = 0
    while True:
        for offer in OFFER_PERCENTAGES:
            for band in range(len(TENURE_BANDS)):
                for contract in CONTRACTS:
                    for tone in TONES:
                        number += 1
                        yield MessageBrief(
                            name="Sam",
                            tenure=3 + 12 * band,
                            offer_percentage=offer,
                            monthly_charges=20 + number % 8_000 / 100,
                            contract=contract,
                            local_time=datetime(2026, 1, 15, 12, tzinfo=UTC),
                            tone=tone,
                        )


def measure(call: Callable[[MessageBrief], object]) -> tuple[float, float]:
    """Median and 99th percentile in microseconds; the first tenth warms up."""
    source = briefs()
    times = []
    for _ in range(ROUNDS + ROUNDS // 10):
        brief = next(source)
        started = time.perf_counter()
        call(brief)
        times.append((time.perf_counter() - started) * MICRO)
    kept = sorted(times[ROUNDS // 10 :])
    return statistics.median(kept), kept[int(0.99 * len(kept))]


def speed_table(folder: Path) -> str:
    settings = MessagesConfig()
    renderer = Renderer(settings.currency, settings.offer_months)
    banked = MessageWriter.load(folder, renderer)
    reviewed = MessageWriter(Shield.load(folder / "rules.json"), renderer)
    text = "Hi Sam, thank you for your time with us. Please enjoy 10% off your bill. Take care."
    rows = {
        "message from the bank": measure(lambda b: banked.write(b, "seed")),
        "reviewed template": measure(lambda b: reviewed.write(b, "seed")),
        "shield on one filled text": measure(
            lambda b: banked.shield.check_text(text, b, renderer.values(b))
        ),
    }
    lines = ["| step | p50 [us] | p99 [us] |", "|---|---|---|"]
    lines += [f"| {name} | {p50:.0f} | {p99:.0f} |" for name, (p50, p99) in rows.items()]
    return "\n".join(lines)


def quality_table(folder: Path) -> str:
    figures = json.loads((folder / "report.json").read_text(encoding="utf-8"))["messages"]
    lines = ["| figure | value |", "|---|---|"]
    for name, value in figures.items():
        if name == "methods":
            for method, found in value.items():
                lines.append(f"| naturalness of {method} | {found['naturalness']:.3f} |")
        elif isinstance(value, dict):
            worst = min(value, key=lambda key: value[key])
            lines.append(f"| {name} (worst: {worst}) | {value[worst]:.3f} |")
        else:
            shown = f"{value:.3f}" if isinstance(value, float) else value
            lines.append(f"| {name} | {shown} |")
    return "\n".join(lines)


def compare(
    base: Profile,
    seeds: Sequence[int],
    source: SourceKind,
    work: Path,
    count: int,
    methods: Sequence[str],
) -> None:
    """Measure every method for every seed on as many held-out situations, and write the JSON and
    print the table."""
    data = load_settings().data.model_copy(update={"source": source})
    rows: list[dict[str, Any]] = []
    banks: dict[str, dict[str, Any]] = {}
    for seed in seeds:
        found, banks[f"{base}-{seed}"] = measure_chain(
            base, seed, data, work / base / f"{source}-{seed}", count, methods
        )
        rows += found
    before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    made = document(rows, banks)
    for name in ("served", "best", "banks"):
        made[name] = before.get(name, {}) | made[name]
    measured = {(row["base"], row["seed"]) for row in rows}
    others = [r for r in before.get("rows", []) if (r["base"], r["seed"]) not in measured]
    made["rows"] = sorted(others + rows, key=lambda row: (BASES.index(row["base"]), row["seed"]))
    write(RESULTS, made)
    print("\n".join(markdown(made["rows"])))


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.messages", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="default: the newest message bank")
    parser.add_argument("--base", choices=BASES, help="compare the methods on this base")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43])
    parser.add_argument("--source", choices=get_args(SourceKind), default="synthetic")
    parser.add_argument("--work", type=Path, help="keeps what is made; needed with --base")
    parser.add_argument("--situations", type=int, default=SITUATIONS, help="default: %(default)s")
    parser.add_argument("--methods", choices=METHODS, nargs="+", default=list(METHODS))
    asked = parser.parse_args()
    if asked.base:
        if asked.work is None:
            parser.error("--base needs --work FOLDER, where the trained stages are kept")
        compare(asked.base, asked.seeds, asked.source, asked.work, asked.situations, asked.methods)
        return
    folder = asked.folder or current_folder("message_bank")
    print(speed_table(folder))
    print()
    print(quality_table(folder))


if __name__ == "__main__":
    main()
