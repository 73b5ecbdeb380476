"""The month's budget and days on which nobody is contacted: what isn't spent then is not saved up
for the next plan, nor for the price."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from churn_assets.campaign.contacts.event import IMPORTED, PLANNED, Event
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.spending import (
    DayMoney,
    followed,
    money_by_day,
    plan_money,
    quiet_days,
    spent_this_month,
)
from churn_assets.decision.exact.spend_control import (
    HALF_LIFE,
    HIGHEST_AIM,
    LONG_PAUSE,
    Period,
    aim_of,
)
from churn_assets.release.switches.budget_price import BudgetPrice

BUDGET, DAY = 20_000.0, timedelta(days=1)
START, STOP = date(2026, 1, 1), date(2026, 3, 1)
PAUSES = [1, 3, 5, 7, 31, 61]


def pace(day: date) -> float:
    """A day's even share of the budget."""
    return BUDGET / calendar.monthrange(day.year, day.month)[1]


def told(day: date, key: str, cost: float, *, decision: str | None = None) -> History:
    """Of a customer who accepted 10 % of so much money on a day, an hour after the contact."""
    at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=9)
    sent = Event(
        event_key=f"{key}{day}",
        customer_id=f"C{day}",
        kind="sent",
        occurred_at=at,
        offer_percentage=10,
        decision_id=decision,
        expected_cost=cost if key == PLANNED else None,
        cost_of_percent=cost / 10 if key == PLANNED else None,
    )
    later = {"occurred_at": at + timedelta(hours=1), "kind": "accepted"}
    named = {"event_key": f"{IMPORTED}{day}-answer", "decision_id": sent.decision}
    return History.of([sent, sent.model_copy(update=later | named)])


def ledger(histories: list[History], now: date) -> dict[date, DayMoney]:
    """Days and their money, as is known in the morning, at bills of 12 x 100."""
    of = {f"C{i}": history for i, history in enumerate(histories)}
    at = datetime.combine(now, datetime.min.time(), UTC) + timedelta(hours=6)
    return money_by_day(of, dict.fromkeys(of, 1_200.0), {}, UTC, at, 12)


def on_budget(key: str = PLANNED) -> list[History]:
    """Two months whose every day costs its share."""
    days = [START + i * DAY for i in range((STOP - START).days)]
    return [told(day, key, pace(day)) for day in days]


def months_after(pause: int, world: float, stop: date) -> tuple[float, list[float]]:
    """A price that is followed each day from November on, but for a pause: the aim after it, and
    what the next days spend, as shares of each one's even share. Customers accept `world` times
    what is assumed."""
    days: dict[date, DayMoney] = {}
    resumed = stop + pause * DAY
    day, aim, after = date(2025, 11, 1), 1.0, []
    while day < resumed + 90 * DAY:
        if not stop <= day < resumed:
            aim = followed(days, BUDGET, day)[0]
            days[day] = DayMoney(cost=aim * world * pace(day), ours=True)
            after += [aim * world] if day >= resumed else []
        day += DAY
    return aim, after


@pytest.mark.parametrize("pause", PAUSES)
def test_a_plan_after_a_pause_has_its_days_money(pause: int) -> None:
    """A paused week made the next seven days' plan a third dearer, a paused month gave it 17,118 of
    20,000 for a quarter of the month."""
    today = STOP + pause * DAY
    days = ledger(on_budget(), today)
    aim, money = followed(days, BUDGET, today)
    assert aim == pytest.approx(1)
    price = BudgetPrice(
        price=1.0,
        aim=aim,
        month=f"{today:%Y-%m}",
        budget=BUDGET,
        spent=spent_this_month(money, today),
        release_id="r",
        predictions="p",
        prices=(0.0, 1.0),
        spends=(1.0, 0.0),
        at=datetime.combine(today, datetime.min.time(), UTC),
    )
    week = [today + i * DAY for i in range(7)]
    assert plan_money(price, week) == pytest.approx(sum(map(pace, week)))


@pytest.mark.parametrize("stop", [STOP, date(2026, 3, 12)])
@pytest.mark.parametrize("world", [0.7, 1.0, 1.3])
@pytest.mark.parametrize("pause", PAUSES)
def test_the_price_after_a_pause_spends_the_budget(pause: int, world: float, stop: date) -> None:
    """Requests have no limit but the price, and spent 2.13 budgets in the month after a paused one.
    What was learnt of the customers before a pause holds after it, and what a long one made it
    forget is learnt anew: never 5 % above the budget in 30 days, and within it two months later."""
    aim, after = months_after(pause, world, stop)
    assert sum(after[:30]) / 30 < 1.05
    assert sum(after[30:60]) / 30 < 1.05
    assert sum(after[60:]) / 30 == pytest.approx(1, abs=0.05)
    assert aim * world == pytest.approx(1, abs=0.05)
    if pause <= LONG_PAUSE:
        assert sum(after[:30]) / 30 == pytest.approx(1, abs=0.05)


def test_a_price_that_is_too_high_is_corrected_all_the_same() -> None:
    """Customers are contacted every day and accept nothing more: as before, until the aim is as
    high as it may be."""
    days = {START + i * DAY: DayMoney(cost=pace(START), ours=True) for i in range(31)}
    days |= {date(2026, 2, 1) + i * DAY: DayMoney(ours=True) for i in range(60)}
    begun = aim_of([Period(31, [1 / 31] * 31)])
    aims = [followed(days, BUDGET, date(2026, 2, 1) + i * DAY)[0] for i in range(0, 60, 7)]
    assert aims[1] == pytest.approx(aim_of([Period(31, [1 / 31] * 31), Period(28, [0.0] * 7)]))
    assert begun < aims[1] < aims[2] < aims[3]
    assert aims[-1] == HIGHEST_AIM


@pytest.mark.parametrize("key", [PLANNED, "feedback:"])
def test_after_the_last_contact_the_aim_is_held(key: str) -> None:
    """Before a week is over as well, and whoever told of the contacts."""
    histories = on_budget(key) if key == PLANNED else on_budget_of_requests(key)
    aims = [
        followed(ledger(histories, STOP + i * DAY), BUDGET, STOP + i * DAY)[0] for i in range(31)
    ]
    assert aims == pytest.approx([aims[0]] * 31)


def on_budget_of_requests(key: str) -> list[History]:
    """As `on_budget`, at 10 % of 1,200 each, of as many customers as that takes."""
    days = [START + i * DAY for i in range((STOP - START).days)]
    return [told(day, key, 0.0) for day in days for _ in range(round(pace(day) / 120))]


def test_what_was_learnt_is_forgotten_in_a_long_pause() -> None:
    """Held for a month, half of it gone two months later, and nearly all within a year: customers,
    their bills and the release are others by then."""
    busy = [Period(30, [2 / 30] * 30)]
    begun = aim_of(busy)
    assert begun < 0.5

    def after(days: int) -> float:
        return aim_of([*busy, Period(days, [0.0] * days, range(days))])

    assert after(LONG_PAUSE) == pytest.approx(begun)
    assert after(LONG_PAUSE + HALF_LIFE) == pytest.approx(begun**0.5)
    assert 0.95 < after(365) < 1


def test_spend_that_is_ahead_is_waited_for() -> None:
    """A list for a whole month is no reason to spend less in the next one, which is judged as on
    days that count; and what was learnt in earlier months stays as it was."""
    spent = [1.0] + [0.0] * 29
    assert aim_of([Period(30, spent, range(1, 30))]) == aim_of([Period(30, spent)])
    learnt = Period(30, [2 / 30] * 30)
    begun = aim_of([learnt])
    dear = Period(30, [1.2 / 30] * 15 + [0.0] * 15, range(15, 30))
    assert aim_of([learnt, dear]) == pytest.approx(begun)
    cheap = Period(30, [0.8 / 30] * 15 + [0.0] * 15, range(15, 30))
    assert aim_of([learnt, cheap]) == aim_of([learnt, Period(30, [0.8 / 30] * 15)]) > begun


FIRST = date(2026, 1, 5)  # a Monday


@pytest.mark.parametrize(
    "contacted",
    [lambda day: day.weekday() < 5, lambda day: day.weekday() == 0],
    ids=["weekdays", "mondays"],
)
@pytest.mark.parametrize("world", [0.7, 1.0, 1.3])
def test_the_days_between_are_no_pause(contacted: Callable[[date], bool], world: float) -> None:
    """A weekend's share is spent on the weekdays, and a week's on its list: that such a customer
    base accepts less is found as well as that it accepts more."""
    spent, quiet = spends(contacted, world, 40 * 7)
    assert not [day for day in quiet if date(2026, 2, 1) <= day < date(2026, 9, 1)]
    half = len(spent) // 2
    assert sum(spent[half:]) / half == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    "contacted",
    [
        lambda day: (day - FIRST).days % 14 < 5,
        *(lambda day, often=often: (day - FIRST).days % often == 0 for often in (8, 10, 14)),
        *(lambda day, first=first: day.day == first for first in (1, 15)),
    ],
    ids=["five days of fourteen", "each 8th", "each 10th", "each 14th", "the 1st", "the 15th"],
)
@pytest.mark.parametrize("world", [0.7, 1.0, 1.3])
def test_nor_are_those_of_lists_further_apart(
    contacted: Callable[[date], bool], world: float
) -> None:
    """Where their gaps counted as pauses, lists each fortnight spent a third of the budget in the
    end and monthly ones a quarter, whatever the customers did. A month's end cuts what a list for
    many days was to spend, so that it isn't met as closely as by lists each week."""
    spent, quiet = spends(contacted, world, 730)
    assert not [day for day in quiet if date(2026, 4, 1) <= day < date(2027, 9, 1)]
    half = len(spent) // 2
    assert 0.8 < sum(spent[half:]) / half < 1.2


def spends(
    contacted: Callable[[date], bool], world: float, length: int
) -> tuple[list[float], set[date]]:
    """Days with contacts at a price that is followed, of customers who accept `world` times what is
    assumed: what each spends as a share of what it stands for, and the quiet days."""
    days: dict[date, DayMoney] = {}
    at = [FIRST + i * DAY for i in range(length) if contacted(FIRST + i * DAY)]
    often, spent = length / len(at), []
    for day in at:
        share = often * pace(day)
        days[day] = DayMoney(cost=followed(days, BUDGET, day)[0] * world * share, ours=True)
        spent.append(days[day].cost / share)
    return spent, quiet_days(days, FIRST + length * DAY)


def test_a_gap_is_quiet_until_it_is_the_rhythm() -> None:
    """The first weekend may be a pause; a week without anybody is one where no gap was as long."""
    week = [date(2026, 1, 5) + i * DAY for i in range(5)]
    first, second = [[day + i * 7 * DAY for day in week] for i in (0, 1)]
    weekend = {date(2026, 1, 10), date(2026, 1, 11)}
    assert quiet_days(first, date(2026, 1, 12)) == weekend
    assert quiet_days([*first, *second], date(2026, 1, 17)) == weekend
    later = date(2026, 1, 19)
    assert quiet_days([*first, *second, later], later + DAY) == weekend
    much_later = date(2026, 1, 24)
    assert len(quiet_days([*first, *second, much_later], much_later)) == 2 + 7
    assert quiet_days([*week, later], date(2026, 1, 12)) == weekend  # handed over ahead
    assert quiet_days([], later) == set()


def test_another_tools_money_says_nothing_of_the_price() -> None:
    """History is imported so that caps and cooldowns count it; 20,000 a month until two months ago
    had the aim at 4, and a budget of 3,000 would have been a quarter of itself. From the first
    contact on that a plan handed over, all money counts."""
    theirs, today = [told(START + i * DAY, IMPORTED, 0.0) for i in range(60)], STOP + 60 * DAY
    for budget in (100.0, BUDGET):
        assert followed(ledger(theirs, today), budget, today)[0] == 1
    named = [told(START + i * DAY, IMPORTED, 0.0, decision=f"d{i}") for i in range(60)]
    assert followed(ledger(named, today), 100.0, today)[0] < 1
    ours = told(today - 3 * DAY, PLANNED, 3 * pace(today))
    assert followed(ledger([*theirs, ours], today), BUDGET, today)[0] < 1
    both = followed(ledger([*theirs, ours], today), BUDGET, today)[0]
    assert both == followed(ledger([ours], today), BUDGET, today)[0]
