"""Forty messages of each method, and what a reader made of them.

    python -m benchmarks.messages.samples --work FOLDER/embedded/synthetic-42 --blind
    python -m benchmarks.messages.samples --work FOLDER/embedded/synthetic-42

The first prints what is still to be read, shuffled and without the method. Readings stand in
`readings.json`: prompt and text, usable (0 or 1), naturalness (1 to 5, docs/ratings.md). The second
writes benchmarks/message_samples.md (message_samples_BASE.md of another base, with a seed behind it
of another seed than the first) and the shares into benchmarks/messages.json.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.messages.methods import METHODS
from benchmarks.messages.table import write
from churn_assets.domain.statistics import share

READINGS = Path(__file__).with_name("readings.json")
RESULTS = Path(__file__).parents[1] / "messages.json"
PAGES = Path(__file__).parents[1]
FIRST_SEED = 42
SHUFFLE = 7


class Reading(NamedTuple):
    usable: bool
    naturalness: int


def read_readings(path: Path = READINGS) -> dict[tuple[str, str], Reading]:
    """(prompt, text) -> what the reader said of it; raises ValueError for a value out of range."""
    found = {}
    for row in json.loads(path.read_text(encoding="utf-8")):
        if row["usable"] not in (0, 1) or row["naturalness"] not in range(1, 6):
            raise ValueError(f"{path}: usable is 0 or 1 and naturalness 1 to 5, not {row}")
        found[row["prompt"], row["text"]] = Reading(bool(row["usable"]), row["naturalness"])
    return found


def drawn(work: Path) -> dict[str, list[tuple[str, str]]]:
    """Method -> (prompt, text) of its samples, from the rows of one base and seed."""
    rows = {name: work / "rows" / f"{name}.json" for name in METHODS}
    return {
        name: [
            (sample["prompt"], sample["text"])
            for sample in json.loads(path.read_text(encoding="utf-8"))["samples"]
        ]
        for name, path in rows.items()
        if path.exists()
    }


def unread(
    samples: Mapping[str, Sequence[tuple[str, str]]], readings: Mapping[tuple[str, str], Reading]
) -> list[tuple[str, str]]:
    """What is still to be read, once each, in an order that tells nothing of the method."""
    order = sorted({one for found in samples.values() for one in found} - readings.keys())
    random.Random(SHUFFLE).shuffle(order)
    return order


def of_method(readings: Sequence[Reading]) -> dict[str, float]:
    """Share of usable ones with its interval, and the mean naturalness as read."""
    return {
        **share(sum(one.usable for one in readings), len(readings)).as_dict("usable_share"),
        "naturalness_read": sum(one.naturalness for one in readings) / len(readings),
    }


def read_methods(
    samples: Mapping[str, Sequence[tuple[str, str]]], readings: Mapping[tuple[str, str], Reading]
) -> dict[str, dict[str, float]]:
    """The figures of each method whose samples have all been read."""
    return {
        name: of_method([readings[one] for one in found])
        for name, found in samples.items()
        if all(one in readings for one in found)
    }


def page(
    samples: Mapping[str, Sequence[tuple[str, str]]], readings: Mapping[tuple[str, str], Reading]
) -> Iterator[str]:
    """Lines of the Markdown page."""
    yield "| method | usable | naturalness, read |"
    yield "|---|---|---|"
    for name, of in read_methods(samples, readings).items():
        bounds = f"[{of['usable_share_lower']:.2f}, {of['usable_share_upper']:.2f}]"
        yield f"| {name} | {of['usable_share']:.3f} {bounds} | {of['naturalness_read']:.2f} |"
    for name, found in samples.items():
        yield from (
            "",
            f"## {name}",
            "",
            "| prompt | text | usable | naturalness |",
            "|---" * 4 + "|",
        )
        for prompt, text in found:
            one = readings.get((prompt, text))
            cells = f"{one.usable:d} | {one.naturalness}" if one else "– | –"
            yield f"| {prompt} | {text} | {cells} |"


def add_to_results(base: str, seed: int, read: Mapping[str, Mapping[str, float]]) -> None:
    """Put the readings into the rows of benchmarks/messages.json."""
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    for row in results["rows"]:
        if (row["base"], row["seed"]) == (base, seed) and row["method"] in read:
            row.update({name: round(value, 4) for name, value in read[row["method"]].items()})
    write(RESULTS, results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="of one base and seed")
    parser.add_argument("--blind", action="store_true", help="print what is still to be read")
    asked = parser.parse_args()
    samples, readings = drawn(asked.work), read_readings()
    left = unread(samples, readings)
    if asked.blind:
        print("\n".join(f"{i} [{prompt}] {text}" for i, (prompt, text) in enumerate(left)))
        return
    base, seed = asked.work.parent.name, int(asked.work.name.rsplit("-", 1)[1])
    head = f"# {len(next(iter(samples.values())))} messages of each method: {base}, seed {seed}\n"
    if left:
        head += (
            f"\n{len(left)} of them are unread (–); a method's figures stand where all are read.\n"
        )
    of = ["" if base == "embedded" else f"_{base}", "" if seed == FIRST_SEED else f"_{seed}"]
    written = PAGES / f"message_samples{''.join(of)}.md"
    written.write_text("\n".join([head, *page(samples, readings)]) + "\n", encoding="utf-8")
    add_to_results(base, seed, read_methods(samples, readings))


if __name__ == "__main__":
    main()
