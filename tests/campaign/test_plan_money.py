"""What a plan is made for, and what it then counts as, stay within what a month has left."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from churn_assets.campaign.spending import (
    DayMoney,
    comes_true,
    followed,
    plan_money,
    spent_this_month,
)
from churn_assets.release.switches.budget_price import BudgetPrice

BUDGET, TODAY, DAY = 3_100.0, date(2026, 3, 20), timedelta(days=1)


def price_of(days: dict[date, DayMoney], aim: float) -> BudgetPrice:
    """Of an aim so high that only what is left of the month limits a plan."""
    return BudgetPrice(
        price=1.0,
        aim=aim,
        month=f"{TODAY:%Y-%m}",
        budget=BUDGET,
        spent=spent_this_month(followed(days, BUDGET, TODAY)[1], TODAY),
        comes_true=comes_true(days, BUDGET, TODAY),
        release_id="r",
        predictions="p",
        prices=(0.0, 1.0),
        spends=(1.0, 0.0),
        at=datetime.combine(TODAY, datetime.min.time(), UTC),
    )


@pytest.mark.parametrize("cost", [0.3, 1.0, 1.5, 2.0, 9.0])
@pytest.mark.parametrize("open_", [0.0, 300.0, 1_800.0])
def test_a_plan_counts_for_no_more_than_the_month_has_left(cost: float, open_: float) -> None:
    """Contacts with known outcomes cost so many times what was expected of them, and new ones count
    likewise once they are handed over: a plan for all that was left made the month cost up to
    twice as much more as it had left."""
    known = DayMoney(closed_expected=6_000, closed_cost=6_000 * cost, ours=True)
    waiting = DayMoney(expected=open_, unanswered=open_, ours=True)
    days = {TODAY - 35 * DAY: known, TODAY - 2 * DAY: waiting}
    price = price_of(days, aim=4.0)
    left = max(0.0, BUDGET - price.spent)
    money = plan_money(price, [TODAY + i * DAY for i in range(12)], paid=open_) - open_
    assert money == pytest.approx(left / max(1.0, price.comes_true))
    days[TODAY] = DayMoney(expected=money, unanswered=money, ours=True)
    after = price_of(days, aim=4.0).spent
    assert after <= max(BUDGET, price.spent) + 1e-6
    if price.comes_true >= 1 and left:
        assert after == pytest.approx(BUDGET)  # and all that is left may be used


def test_a_price_of_an_earlier_version_says_nothing_of_what_comes_true() -> None:
    """It reads as contacts that cost what is expected."""
    price = price_of({}, aim=4.0)
    earlier = BudgetPrice.model_validate_json(price.model_dump_json(exclude={"comes_true"}))
    assert earlier.comes_true == 1.0
