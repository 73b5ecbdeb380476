"""Speed of the message path, and the quality that the last run reported.

    python -m benchmarks.messages FOLDER     # FOLDER: a message_bank artifact or release messages/

Prints Markdown tables; `benchmarks/messages.md` holds the last ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.artifacts import current_folder
from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.shield.brief import CONTRACTS, TENURE_BANDS, TONES, MessageBrief
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.renderer import Renderer
from churn_assets.messages.writing.writer import MessageWriter

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
        if isinstance(value, dict):
            worst = min(value, key=lambda key: value[key])
            lines.append(f"| {name} (worst: {worst}) | {value[worst]:.3f} |")
        else:
            shown = f"{value:.3f}" if isinstance(value, float) else value
            lines.append(f"| {name} | {shown} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="default: the newest message bank")
    folder = parser.parse_args().folder or current_folder("message_bank")
    print(speed_table(folder))
    print()
    print(quality_table(folder))


if __name__ == "__main__":
    main()
