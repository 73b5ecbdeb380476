"""A table in the shape of the charitable mail's (which is never in the repository): its columns,
four offers by chance, answers that rise a little with the offer and with earlier gifts."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path

from tests.customers.conftest import Rows, as_csv

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "charitable_mail" / "customers.yaml"
MEANS = ("stateresponse", "stateresponset", "stateresponsec", "stateresponsetminc")
STATES = 30
Offer = Callable[[random.Random, dict[str, float]], int]
Chance = Callable[[int, dict[str, float]], float]


def by_chance(draw: random.Random, donor: dict[str, float]) -> int:
    """A third without a match, the three ratios alike."""
    return 0 if draw.random() < 1 / 3 else draw.randrange(1, 4)


def rising(offer: int, donor: dict[str, float]) -> float:
    """P(gives): more often with a match, and who has given often."""
    return 1 / (1 + math.exp(2.2 - 0.15 * offer - 0.12 * donor["freq"]))


def charity_rows(
    count: int = 1_000, seed: int = 0, offer: Offer = by_chance, chance: Chance = rising
) -> Rows:
    """Letters to earlier donors; `offer` and `chance` say how, for tables with a fault."""
    draw = random.Random(seed)
    rows = [_row(draw, offer, chance) for _ in range(count)]
    means = {name: _means(rows, name) for name in ("", "0", "1")}
    for row in rows:
        everybody, treated, others = (means[name][row["statecnt"]] for name in ("", "1", "0"))
        numbers = (everybody, treated, others, treated - others)
        row |= {name: f"{number:.9g}" for name, number in zip(MEANS, numbers, strict=True)}
    return rows


def _means(rows: Rows, treatment: str) -> dict[str, float]:
    """The states' mean answers, of all rows or of those with this treatment."""
    answers: dict[str, list[int]] = {row["statecnt"]: [] for row in rows}
    for row in rows:
        if row["treatment"] == treatment or not treatment:
            answers[row["statecnt"]].append(int(row["out_gavedum"]))
    return {state: sum(some) / max(len(some), 1) for state, some in answers.items()}


def _row(draw: random.Random, offer: Offer, chance: Chance) -> dict[str, str]:
    donor = {
        "hpa": float(draw.randrange(5, 400)),
        "freq": float(draw.randrange(1, 20)),
        "years": float(draw.randrange(0, 15)),
        "mrm2": float(draw.randrange(0, 40)),
    }
    level = offer(draw, donor)
    gave = draw.random() < chance(level, donor)
    state = draw.randrange(STATES)
    share = {
        name: round(draw.random(), 4)
        for name in ("page18_39", "powner", "psch_atlstba", "pop_propurban", "pwhite", "pblack")
    }
    numbers = {
        "match_ratio": level,
        "treatment": int(level > 0),
        "treat_ratio2": int(level == 2),
        "treat_ratio3": int(level == 3),
        **{f"treat_size{size}": 0 for size in (25, 50, 100)},
        "treat_sizeno": int(level > 0),
        **{f"treat_askd{third}": int(level > 0 and draw.randrange(3) == 0) for third in (1, 2, 3)},
        "out_amountgive": draw.randrange(10, 200) if gave else 0,
        "out_gavedum": int(gave),
        "out_changeamtgive": -donor["hpa"] if not gave else 10,
        **donor,
        "ltmedmra": draw.randrange(2),
        "year5": int(donor["years"] >= 5),
        "dormant": int(donor["mrm2"] <= 12),
        "female": draw.choice([0, 1, -999]),
        "couple": draw.choice([0, 1, -999]),
        "state50one": int(state == 0),
        "nonlit": state % 7,
        "cases": state % 5,
        "statecnt": 0.5 + state / 10,
        "perbush": round(0.3 + 0.01 * state, 6),
        "close25": int(state % 4 == 0),
        "red0": int(state > 14),
        "blue0": int(state <= 14),
        "redcty": draw.randrange(2),
        "bluecty": 0,
        **share,
        "ave_hh_sz": round(2 + draw.random(), 3),
        "median_hhincome": draw.randrange(20_000, 120_000),
    }
    return {name: f"{number:g}" for name, number in numbers.items()}


def write_charity(mirror: Path, rows: Rows) -> None:
    """The table where the example's contract looks for it."""
    folder = mirror / "charitable_mail"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "charitable_mail.csv").write_text(as_csv(rows), encoding="utf-8")
