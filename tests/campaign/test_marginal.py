"""What one more unit of money brings, where what is left of the budget buys no contact, too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_assets.campaign.planning.allocation import Problem, solve
from churn_assets.campaign.planning.marginal import with_first_units
from tests.campaign.test_allocation import best_of_all
from tests.campaign.test_workflow import NOW, Desk, desk

__all__ = ["desk"]  # a fixture


def few(rng: np.random.Generator) -> Problem:
    """Up to 4 customers, 3 options and 2 slots, with ties, zeros, closed options and slots, and
    little money or none."""
    count, options, slots = rng.integers(1, 5), rng.integers(1, 4), rng.integers(1, 3)
    value, money = rng.normal(2.0, 4.0, (count, options)), rng.exponential(2.0, (count, options))
    if rng.random() < 0.5:
        value, money = value.round(), money.round()
    value[rng.random(value.shape) < 0.2] = -np.inf
    money[rng.random(money.shape) < 0.2] = 0.0
    places = rng.integers(0, 3, slots).astype(float)
    budget = float(rng.choice([0.0, 0.05, rng.exponential(2.0)]))
    return Problem.of(value, money, rng.integers(0, slots, options), places, budget)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32 - 1))
def test_money_brings_nothing_only_where_no_amount_does(seed: int) -> None:
    """Against every plan of a few customers. From nothing on no amount brings more than that."""
    problem = few(np.random.default_rng(seed))
    found = solve(problem)
    told = with_first_units(problem, found.prices).money
    best = best_of_all(problem)
    if best_of_all(replace(problem, budget=1e9)) > best + 1e-9 * (1 + best):
        assert told > 0
    for more in (0.05, 1.0, 3.0, 7.0) if problem.budget == 0 else ():
        reached = best_of_all(replace(problem, budget=more))
        assert reached <= found.bound + told * more + 1e-6 * (1 + found.bound)


@pytest.mark.parametrize("budget", [0.0, 0.05, 1.9])
def test_what_is_left_needn_t_buy_a_contact(budget: float) -> None:
    """Two customers, one place: the better of what they bring for their cost, above what costs
    nothing. A place is told for the money that is there."""
    value, money = np.array([[3.0, 50.0], [2.0, 60.0]]), np.array([[0.0, 2.0], [0.0, 10.0]])
    problem = Problem.of(value, money, np.zeros(2, np.int64), np.array([1.0]), budget)
    found = with_first_units(problem, solve(problem).prices)
    assert found.money == pytest.approx((50 - 3) / 2, abs=0.01)
    assert 2 <= found.places[0] + 0.01 <= 3.02


def test_a_second_morning_s_money_is_told_by_what_more_of_it_brings(desk: Desk) -> None:
    """Promises and what was handed over have used all but some cents: the curve rises from there
    on, and the rate is no lower than where there is money."""
    planner = desk().planner(NOW)
    rich = planner.sums(planner.allocate())["value_of_one_more"]["money"]
    assert rich > 0
    for left in (0.0, 0.01, 0.05):
        poor = planner.allocate(left)
        told = planner.sums(poor)["value_of_one_more"]["money"]
        assert told >= rich
        assert planner.allocate(900.0).value <= poor.bound + told * 900
    shut = planner.allocate(0.05, {"email": 0, "call": 0})
    assert planner.sums(shut)["value_of_one_more"]["money"] == 0
