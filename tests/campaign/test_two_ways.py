"""Acceptances that come partly at once, by feedback, and partly by the company's monthly file."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from churn_assets.campaign.contacts.event import IMPORTED, PERIOD, Event
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.silence import missing_answers
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
            "accept_prob": EXPECTED / DISCOUNT,
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
        "accept_prob": None,
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


def after(days: int) -> datetime:
    """Midnight, so many days after the first contacts."""
    return datetime.combine(START + days * DAY, datetime.min.time(), UTC)


def told_once(by_file: bool) -> list[History]:
    """One customer a day accepts, all by one way but a single one on the twentieth day."""
    found = []
    for i in range(75):
        accepting = {0: not by_file} | ({1: by_file} if i == 20 else {})
        for k in range(A_DAY):
            day, name = START + i * DAY, f"{i}-{k}"
            found.append(_contact(day, name, accepting[k]) if k in accepting else _silent(i, k))
    return found


@pytest.mark.parametrize("by_file", [True, False])
def test_a_single_answer_by_another_way_holds_nothing_up(by_file: bool) -> None:
    """A trial by hand, or a file that corrects something: for 90 days from then on no contact was
    closed (the share that comes true stayed 1), and all silent ones passed for missing answers."""
    histories = told_once(by_file)
    assert comes_true(days_of(histories, TODAY), BUDGET, TODAY) < 0.6
    named = {f"{i}": each for i, each in enumerate(histories)}
    assert missing_answers(named, (), after(75)) is None


@pytest.mark.parametrize(("filed_until", "said"), [(75, False), (46, False), (20, True)])
def test_the_way_that_is_behind_is_named(filed_until: int, said: bool) -> None:
    """Since feedback comes, answers aren't missing altogether."""
    named = {f"{i}": each for i, each in enumerate(customers(filed_until))}
    found = missing_answers(named, (), after(75))
    assert (found is not None) == said
    if found is not None:
        since = START + filed_until * DAY  # its last one accepted
        assert found.startswith(
            f"What is told by `churn campaign import FILE` is known until {since} "
        )
        contacts = (A_DAY - 1) * (75 - PERIOD.days - filed_until - 1)  # not those of that day
        assert f"other answers come by `POST /feedback`: {contacts} contacts" in found
