"""How closely has a log to tell the response to an offer? By its rate; a miss says what lacks."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from checks.own_campaign import OWN_ACCEPT_GATES
from churn_assets.domain.statistics import wilson_interval
from churn_assets.settings import PROJECT

[GATE] = [g for g in OWN_ACCEPT_GATES if g.name == "contacts_tell_the_customers_response_closely"]


def report(rates: list[float], counts: list[float], people: int = 400) -> dict[str, Any]:
    """What the stage says of contacts that count as so many, of so many people at each offer."""
    bounds = np.column_stack(wilson_interval(rates, counts))
    reach = (bounds[:, 1] - bounds[:, 0]) / 2
    return {
        "source": "own",
        "unit": "%",
        "response_by_level": [{"gives": 5.0 * k, "people": people} for k in range(len(rates))],
        "curve_by_contacts": {"mean": rates, "interval": bounds.tolist()},
        "effective_contacts_by_level": counts,
        "reach_by_level": reach.tolist(),
        "curve_reach": float(reach.max()),
        "customers_auc": None,
        "unshared": {},
    }


@pytest.mark.parametrize(
    ("rate", "too_few", "enough"),
    [(0.02, 600, 610), (0.02, 19, 3000), (0.1, 105, 115), (0.5, 90, 100), (0.98, 600, 610)],
)
def test_few_acceptances_tell_no_response(rate: float, too_few: int, enough: int) -> None:
    """Within 0.10 of 2 % lies everything from none to six times as much, and 19 contacts of an
    offer passed. From a fifth to four fifths it is 0.10, as ever."""
    assert not GATE.judge(report([0.3, rate], [1000, too_few])).passed
    found = GATE.judge(report([0.3, rate], [1000, enough]))
    assert found.passed
    assert found.description is None


@pytest.mark.parametrize("rate", [0.01, 0.04, 0.3])
def test_a_miss_says_how_many_more_contacts_would_do(rate: float) -> None:
    """Of 400 people who count as 20: those like them count for as little."""
    said = GATE.judge(report([0.3, rate], [1000, 20])).description
    assert said is not None
    assert said.startswith(f"5 %: a response of {rate:.2%} is told to ±")
    [number] = re.findall(r"about ([\d,]+) more customers like the 400 contacted", said)
    more = int(number.replace(",", ""))
    assert GATE.judge(report([0.3, rate], [1000, 20 * (1 + more / 400)])).passed
    assert not GATE.judge(report([0.3, rate], [1000, 20 * (1 + 0.95 * more / 400)])).passed


def test_offers_that_nobody_accepted_are_not_told_at_all() -> None:
    """However many there were: half of nothing is nothing. Each of them is named."""
    said = GATE.judge(report([0.0, 0.0, 0.3], [100, 10_000, 200])).description
    assert said is not None
    assert [each[:4] for each in said.split("; ") if each.startswith(("0 %", "5 %"))] == [
        "0 %:",
        "5 %:",
    ]
    assert "10 %" not in said


def test_the_examples_letters_tell_it() -> None:
    """11,000 letters an offer and 2 % of them answered: 230 answers, where 15 would do."""
    figures = json.loads((PROJECT / "benchmarks" / "own_campaign.json").read_text())
    rows = figures["response_by_level"]
    found = GATE.judge(report([row["rate"] for row in rows], [row["people"] for row in rows]))
    assert found.passed
    published = figures["gates"][GATE.name]
    assert published == {"value": pytest.approx(found.metadata["value"].value), "passed": True}
