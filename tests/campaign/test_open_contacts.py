"""Contacts that nobody has answered yet, or whose answers aren't imported, in a month's budget."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.spending import (
    PRIOR,
    DayMoney,
    comes_true,
    followed,
    money_by_day,
    spent_this_month,
)
from churn_assets.decision.exact.spend_control import (
    HIGHEST_AIM,
    LOWEST_AIM,
    Period,
    aim_of,
    share_that_comes_true,
)

BUDGET, START, DAY = 3_100.0, date(2026, 1, 1), timedelta(days=1)
DISCOUNT, EXPECTED = 10.0, 1.5  # a tenth of a bill of 100, and 15 % who take it


def contact(day: date, name: str, answer: str | None = None, after: int = 1) -> History:
    """A contact of a plan, and its answer so many days later."""
    at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=9)
    key, told = f"plan:{day}:{name}", []
    told.append(
        Event(
            event_key=key,
            customer_id=name,
            kind="sent",
            occurred_at=at,
            channel="email",
            offer_percentage=10,
            expected_cost=EXPECTED,
            cost_of_percent=DISCOUNT / 10,
            accept_prob=EXPECTED / DISCOUNT,
        )
    )
    if answer is not None:
        told.append(
            Event.model_validate(
                {
                    "event_key": f"feedback:{name}",
                    "customer_id": name,
                    "kind": answer,
                    "occurred_at": at + after * DAY,
                    "decision_id": told[0].decision,
                }
            )
        )
    return History.of(told)


def days_of(histories: Collection[History], today: date) -> dict[date, DayMoney]:
    """Their money, as is known at noon."""
    now = datetime.combine(today, datetime.min.time(), UTC) + timedelta(hours=12)
    numbered = {f"C{i}": history for i, history in enumerate(histories)}
    return money_by_day(numbered, {}, {}, UTC, now, 12)


def campaign(days: int, a_day: int, accepting: float, known: int) -> list[History]:
    """So many days with so many contacts each, of which a share accepts the next day; answers of
    the first `known` days are imported, refusals aren't told."""
    found = []
    for i in range(days):
        for k in range(a_day):
            takes = i < known and round(accepting * a_day) > k
            found.append(contact(START + i * DAY, f"{i}-{k}", "accepted" if takes else None))
    return found


@pytest.mark.parametrize("used", [0.5, 0.8, 1.0, 1.2])
@pytest.mark.parametrize("over", [10, 20, 30])
def test_an_aim_that_plans_miss_is_not_taken_for_customers_who_refuse(
    used: float, over: int
) -> None:
    """Plans hand over a share of what is aimed at, and nobody has answered: what is open counts as
    expected, and the aim makes the documented step and no more. When it was divided by the aim,
    four fifths for 30 days made that 3.35 instead of 1.36, and 718 were counted of 2,400."""
    a_day = used * BUDGET / 31
    open_ = DayMoney(expected=a_day, unanswered=a_day, ours=True)
    days = {START + i * DAY: open_ for i in range(over)}
    today = START + over * DAY
    aim, money = followed(days, BUDGET, today)
    assert aim == pytest.approx(aim_of([Period(31, [used / 31] * over)]))
    assert spent_this_month(money, today) == pytest.approx(over * a_day)


@pytest.mark.parametrize("accepting", [0.0, 0.1, 0.2, 0.3, 0.5])
def test_what_comes_true_is_told_by_closed_contacts(accepting: float) -> None:
    """Those of more than 30 days before the newest acceptance, whatever happened since then."""
    today = START + 60 * DAY
    told = [*campaign(60, 20, accepting, 60), contact(today - DAY, "newest", "accepted")]
    closed = [START + i * DAY for i in range(31)]
    weights = [0.5 ** (((today - day).days - 30) / 15) for day in closed]
    assert weights[-1] == 1
    expected = sum(weights) * 20 * EXPECTED
    cost = sum(weights) * 20 * accepting * DISCOUNT
    share = comes_true(days_of(told, today), BUDGET, today)
    prior = PRIOR * BUDGET
    wanted = (cost + prior) / (expected + prior)
    assert share == pytest.approx(min(max(wanted, LOWEST_AIM), HIGHEST_AIM))


def test_a_share_is_bounded_and_few_contacts_say_little() -> None:
    assert share_that_comes_true(0.0, 0.0, 1.0) == 1.0
    assert share_that_comes_true(1e6, 0.0, 1.0) == LOWEST_AIM
    assert share_that_comes_true(1.0, 1e6, 1.0) == HIGHEST_AIM
    assert share_that_comes_true(1.0, 0.0, 9.0) == pytest.approx(0.9)


@pytest.mark.parametrize("seed", range(5))
def test_missing_answers_make_no_money(seed: int) -> None:
    """Whichever acceptances of the last 30 days aren't imported, what comes true stays the same,
    and each day counts for no less than what was expected of it at that share."""
    draw = np.random.default_rng(seed)
    today, told = START + 75 * DAY, []
    for i in range(75):
        for k in range(8):
            takes, imported = draw.random() < 0.1, i < 46 or draw.random() < seed / 5
            answer = "accepted" if takes and imported else None
            told.append(contact(START + i * DAY, f"{i}-{k}", answer))
    told.append(contact(today - DAY, "newest", "accepted"))
    days = days_of(told, today)
    before = {day: each for day, each in days.items() if (today - day).days >= 30}
    share = comes_true(before, BUDGET, today)
    assert comes_true(days, BUDGET, today) == pytest.approx(share)
    money = followed(days, BUDGET, today)[1]
    for day in set(days) - set(before):
        assert money[day] >= days[day].expected * share - 1e-9


@pytest.mark.parametrize("late", [0, 12, 40, 80])
def test_a_late_import_moves_neither_money_nor_aim_far(late: int) -> None:
    """Customers do as expected, and plans use two thirds of the money. Without the answers of the
    last days the month's money was counted at a third, and the aim rose by half."""
    today = START + 80 * DAY
    told = campaign(80, 40, 0.15, 80)
    truth = followed(days_of(told, today), BUDGET, today)
    found = followed(days_of(campaign(80, 40, 0.15, 80 - late), today), BUDGET, today)
    assert found[0] == pytest.approx(truth[0], rel=1e-6)
    assert sum(found[1].values()) == pytest.approx(80 * 40 * EXPECTED)


def test_silence_is_a_no_only_where_others_are_heard_of() -> None:
    """A contact of 40 days ago counts until an answer of 30 days after it is known."""
    old, today = contact(START, "old"), START + 40 * DAY
    assert days_of([old], today)[START].at(1.0) == EXPECTED
    soon = contact(START + 28 * DAY, "soon", "accepted")
    assert days_of([old, soon], today)[START].at(1.0) == EXPECTED
    later = contact(START + 30 * DAY, "later", "accepted")
    assert days_of([old, later], today)[START].at(1.0) == 0
    for made, known in ((28, EXPECTED), (30, 0)):
        refused = contact(START + made * DAY, "refused", "refused")
        assert days_of([old, refused], today)[START].at(1.0) == known


def test_an_acceptance_after_the_period_is_what_its_contact_brought() -> None:
    """It counts on its own day, and customers who take long aren't taken for refusing ones."""
    days = days_of([contact(START, "slow", "accepted", after=40)], START + 45 * DAY)
    assert (days[START].closed_expected, days[START].closed_cost) == (EXPECTED, DISCOUNT)
    assert days[START].at(1.0) == 0
    assert days[START + 40 * DAY].at(1.0) == DISCOUNT
