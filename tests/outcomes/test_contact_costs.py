"""A call costs money whether or not it sells anything: what contacts cost is part of the gain."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from churn_assets.decision.config import EnvironmentParams
from churn_assets.outcomes.drawn import customers_of
from churn_assets.outcomes.joining import without_ids
from churn_assets.outcomes.lift import Customers
from churn_assets.outcomes.watching.conduct import spend_paced
from tests.outcomes.test_joining import LEFT_ALONE, START, decision, event, joined

CALL = {"contact_cost": 3.0}
ONE = {"decision_id": f"{1:032x}"}
DISCOUNT = 100.0  # 10 % of a value of 1,000


def costs(*events: dict[str, Any], **changes: Any) -> tuple[float, float]:
    """What the contact of decision 1 cost, and what was spent with it."""
    [row] = joined([decision(1, **CALL | changes)], list(events)).table.to_dict("records")
    return row["contact_cost"], row["spend"]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], (0.0, 0.0)),
        ([event("sent", 1, **ONE)], (3.0, 3.0)),
        ([event("delivered", 1, **ONE)], (3.0, 3.0)),
        ([event("sent", 1)], (3.0, 3.0)),
        ([event("refused", 2, **ONE)], (3.0, 3.0)),
        ([event("accepted", 2, **ONE)], (3.0, 3.0 + DISCOUNT)),
        ([event("sent", 1, **ONE), event("accepted", 2, **ONE)], (3.0, 3.0 + DISCOUNT)),
        ([event("churned", 2)], (0.0, 0.0)),
        ([event("sent", 1, **ONE), event("not_sent", 2, **ONE)], (0.0, 0.0)),
    ],
)
def test_a_contact_costs_once_it_was_made(
    events: list[dict[str, Any]], expected: tuple[float, float]
) -> None:
    assert costs(*events) == expected


def test_where_nobody_said_it_costs_nothing() -> None:
    """A decision of `POST /predict` names no channel."""
    assert costs(event("accepted", 2, **ONE), contact_cost=None) == (0.0, DISCOUNT)


def test_who_is_left_alone_costs_nothing() -> None:
    """Though somebody wrote to them."""
    assert costs(event("sent", 1, **ONE), **LEFT_ALONE) == (0.0, 0.0)


def test_a_customers_contacts_within_the_horizon_add_up() -> None:
    """The first is accepted; the third is made after the horizon that the first began."""
    rows = [decision(n, day=day, **CALL) for n, day in ((1, 0), (2, 12), (3, 29))]
    events = [event("accepted", 1, **ONE)] + [
        event("sent", day, decision_id=f"{n:032x}") for n, day in ((2, 13), (3, 31))
    ]
    table = without_ids(joined(rows, events).table)
    assert table["spend"].tolist() == [3 + DISCOUNT, 3, 3]
    assert customers_of(table)["spend"].tolist() == [6 + DISCOUNT]


def test_the_gain_is_after_it() -> None:
    rows = [decision(1, **CALL), decision(2, "C2", **CALL), decision(3, "C3", **LEFT_ALONE)]
    events = [event("sent", 1, **ONE), event("refused", 1, "C2", decision_id=f"{2:032x}")]
    found = Customers.of(customers_of(without_ids(joined(rows, events).table)))
    assert found.measures["spend"].tolist() == [3, 3, 0]
    assert found.measures["net"].tolist() == [997, 997, 1_000]


def test_the_pace_counts_a_contact_once() -> None:
    """Before it is made it is expected, then it is spent, and what is left is the discount."""
    now = START + timedelta(days=10)
    rows = [
        decision(n, f"C{n}", expected_cost=13.0, **CALL) | {"offer_level": 2} for n in range(1, 301)
    ]
    sent = [event("sent", 1, f"C{n}", decision_id=f"{n:032x}") for n in range(1, 101)]
    refused = [event("refused", 2, f"C{n}", decision_id=f"{n:032x}") for n in range(1, 51)]

    def pace(*events: dict[str, Any]) -> tuple[float, float]:
        table = without_ids(joined(rows, list(events)).table)
        table[["known", "answers_known"]] = False  # `joined` looks long after
        figures = spend_paced(table, EnvironmentParams(), 1e5, now).figures
        return figures["spent"], figures["expected"]

    assert pace() == (0, 300 * 13)
    assert pace(*sent) == (100 * 3, 200 * 13 + 100 * 10)
    assert pace(*sent, *refused) == (100 * 3, 200 * 13 + 50 * 10)
