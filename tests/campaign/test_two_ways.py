"""Acceptances that come partly at once, by feedback, and partly by the company's monthly file."""

from __future__ import annotations

from datetime import date

import pytest

from churn_assets.campaign.contacts.event import IMPORTED, Event
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.spending import comes_true
from tests.campaign.test_open_contacts import BUDGET, DAY, DISCOUNT, EXPECTED, START, days_of

A_DAY = 20
TODAY = START + 75 * DAY


def customers(filed_until: int, accepting: int = 3, ways: str = "both") -> list[History]:
    """75 days with so many contacts each, of whom some accept the next day: the first of them by
    feedback, the others by the file, as far as it is imported."""
    found = []
    for i in range(75):
        for k in range(A_DAY):
            by_file = k > 0 and ways == "both"
            known = k < accepting and (not by_file or i < filed_until)
            found.append(_contact(START + i * DAY, f"{i}-{k}", by_file) if known else _silent(i, k))
    return found


def _silent(i: int, k: int) -> History:
    return History.of([_sent(START + i * DAY, f"{i}-{k}")])


def _sent(day: date, name: str) -> Event:
    return Event.model_validate(
        {
            "event_key": f"plan:{name}",
            "customer_id": name,
            "kind": "sent",
            "occurred_at": f"{day}T09:00:00Z",
            "offer_percentage": 10,
            "expected_cost": EXPECTED,
            "cost_of_percent": DISCOUNT / 10,
        }
    )


def _contact(day: date, name: str, by_file: bool) -> History:
    sent = _sent(day, name)
    answer = {
        "event_key": f"{IMPORTED if by_file else 'feedback:'}{name}",
        "kind": "accepted",
        "occurred_at": sent.occurred_at + DAY,
        "decision_id": name,
        "expected_cost": None,
        "cost_of_percent": None,
    }
    return History.of([sent, sent.model_copy(update=answer)])


@pytest.mark.parametrize("late", [0, 10, 31, 44])
def test_who_accepts_by_the_file_is_not_taken_for_refusing(late: int) -> None:
    """They accept as expected, whichever way it comes. While the file was late the share that comes
    true was told by feedback alone, 0.70 of it at 44 days, and plans got so much more money."""
    share = comes_true(days_of(customers(75 - late), TODAY), BUDGET, TODAY)
    assert share == pytest.approx(1.0)


def test_what_is_told_by_one_way_is_not_held_up() -> None:
    """Silence is a refusal once feedback is known of 30 days later, where no file is used."""
    days = days_of(customers(0, accepting=1, ways="feedback"), TODAY)
    assert comes_true(days, BUDGET, TODAY) < 0.6


def test_a_way_that_is_given_up_is_waited_for_no_longer_than_a_while() -> None:
    """The last file is of the second day; 90 days later what feedback says holds alone."""
    told = [_contact(START, "old", True)]
    told += [History.of([_sent(START + DAY, f"x{i}")]) for i in range(20)]
    for after, closed in ((60, 0), (89, 0), (95, 21)):
        late = START + after * DAY
        days = days_of([*told, _contact(late, "new", False)], late + 2 * DAY)
        expected = sum(each.closed_expected for each in days.values())
        assert expected == pytest.approx(closed * EXPECTED)
