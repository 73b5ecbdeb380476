"""Messages rated by reading, 1 to 5: `ratings.json`; docs/ratings.md has the protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from churn_assets.messages.corpus.prompts import Situation

PATH = Path(__file__).with_name("ratings.json")


@dataclass(frozen=True)
class Rated:
    """One message as it was read: a template, whom it was for, who wrote it, and 1 to 5.

    `source` was hidden while reading: reviewed, grammar, bare, sft, ppo or flawed.
    """

    situation: Situation
    text: str
    rating: int
    source: str


def read_ratings(path: Path = PATH) -> list[Rated]:
    """All rated messages; raises ValueError naming the file when a row is not one."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [_read(row) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no ratings: {error!r}") from error


def _read(row: dict[str, str | int]) -> Rated:
    if row["rating"] not in range(1, 6):
        raise ValueError(f"a rating is 1 to 5, not {row['rating']!r}")
    given = {name: row[name] for name in ("offer", "band", "contract", "tone")}
    situation = Situation(**given, services=tuple(row["services"]))  # type: ignore[arg-type]
    return Rated(situation, str(row["text"]), int(row["rating"]), str(row["source"]))


def rated_pairs(rated: Sequence[Rated]) -> list[tuple[int, int]]:
    """Positions (better, worse) of all pairs whose ratings differ."""
    return [
        (i, j)
        for i, one in enumerate(rated)
        for j, other in enumerate(rated)
        if one.rating > other.rating
    ]
