"""The allocation: never over a limit, and near the bound that no plan exceeds."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_assets.campaign.planning import allocation
from churn_assets.campaign.planning.allocation import NONE, Allocation, Problem, solve
from churn_assets.campaign.planning.certificate import linear_bound
from churn_assets.campaign.planning.newton import Floats, Point, minimized
from tests.campaign.instances import company, small


def assert_within_limits(problem: Problem, found: Allocation) -> None:
    """Every limit holds, exactly, and the sums are those of the chosen options."""
    chosen = np.flatnonzero(found.choice != NONE)
    value, money = problem.chunk(chosen)
    inside = np.arange(len(chosen)), found.choice[chosen]
    assert math.fsum(money[inside]) <= problem.budget
    used = np.bincount(problem.slots[found.choice[chosen]], minlength=len(problem.places))
    assert (used <= problem.places).all()
    assert (used == found.used).all()
    assert np.isfinite(value[inside]).all()
    assert found.value == pytest.approx(math.fsum(value[inside]))
    assert found.money == pytest.approx(math.fsum(money[inside]))
    assert found.value <= found.bound + 1e-9 * (1 + abs(found.bound))


def best_of_all(problem: Problem) -> float:
    """The best plan's value, by trying every one of a few customers."""
    value, money = problem.chunk(np.arange(problem.count))
    best = 0.0
    for plan in itertools.product(range(-1, len(problem.slots)), repeat=problem.count):
        rows = [i for i, option in enumerate(plan) if option != NONE]
        options = [plan[i] for i in rows]
        used = np.bincount(problem.slots[options], minlength=len(problem.places))
        if money[rows, options].sum() <= problem.budget and (used <= problem.places).all():
            best = max(best, float(value[rows, options].sum()))
    return best


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_plan_is_ever_over_a_limit(seed: int) -> None:
    """Whatever the customers, options, ties and limits; the bound holds, too."""
    problem = small(np.random.default_rng(seed))
    assert_within_limits(problem, solve(problem))


@pytest.mark.parametrize("seed", range(12))
def test_the_bound_is_none_that_a_plan_exceeds(seed: int) -> None:
    """Against every plan of four customers; a plan of so few needn't be the best one."""
    rng = np.random.default_rng(seed)
    value, money = rng.normal(2, 2, (4, 3)), rng.exponential(2, (4, 3))
    problem = Problem.of(value, money, np.array([0, 0, 1]), np.array([2.0, 1.0]), 5.0)
    best, found = best_of_all(problem), solve(problem)
    assert best <= found.bound * (1 + 1e-9)
    assert best <= linear_bound(problem, found.prices) * (1 + 1e-9)
    assert 0.7 * best <= found.value <= best * (1 + 1e-9)


def test_a_plan_is_the_same_whether_options_are_kept_or_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Why: keeping them is for speed alone, and stops where memory would grow with the company."""
    problem = company(300)
    kept = solve(problem)
    monkeypatch.setattr(allocation, "HELD", 0)
    anew = solve(problem)
    assert (kept.choice == anew.choice).all()
    assert (kept.value, kept.money, kept.bound) == (anew.value, anew.money, anew.bound)


def test_a_company_is_planned_within_half_a_per_cent() -> None:
    """1,500 customers, 56 options; the linear program agrees with the bound from the prices."""
    problem = company(1_500)
    found = solve(problem)
    assert_within_limits(problem, found)
    linear = linear_bound(problem, found.prices)
    assert linear == pytest.approx(found.bound, rel=1e-4)
    assert linear <= found.bound * (1 + 1e-9)
    assert found.value >= 0.995 * linear
    assert found.used.sum() > 300
    assert found.prices.money > 0


def test_more_money_brings_more() -> None:
    """What moving a slider shows."""
    problem = company(1_000)
    first = solve(problem)
    wider = Problem(
        problem.count, problem.slots, problem.places, 1.3 * problem.budget, problem.chunk
    )
    again = solve(wider)
    assert_within_limits(wider, again)
    assert again.value > first.value
    assert again.gap < 0.005


def test_days_that_are_worth_nearly_the_same_are_filled() -> None:
    """A customer's days differ by less than a thousandth: prices that are a little wrong send
    everybody to one of them, and no exchange mends that for thousands of customers."""
    problem = company(20_000)
    found = solve(problem)
    assert_within_limits(problem, found)
    assert found.gap < 0.0003
    assert (found.used >= 0.99 * problem.places).all()


def test_newton_finds_the_least_place_without_negative_numbers() -> None:
    """A parabola whose least place lies below 0 in one number: that one stays at 0."""
    matrix, towards = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([1.0, -3.0])

    def parabola(x: Floats) -> Point:
        gradient = matrix @ (x - towards)
        value = float((x - towards) @ gradient) / 2
        return Point(value, gradient, matrix, gradient)

    found = minimized(parabola, np.array([5.0, 5.0]), steps=30, tolerance=1e-9)
    assert found.tolist() == pytest.approx([1 + 0.5 * -3 / 2, 0.0], abs=1e-9)


@pytest.mark.parametrize(("budget", "places"), [(0.0, 5.0), (100.0, 0.0), (0.0, 0.0)])
def test_a_limit_of_nothing(budget: float, places: float) -> None:
    """No money leaves what is free; no places leave nothing."""
    value, money = np.ones((3, 2)), np.array([[1.0, 0.0]] * 3)
    problem = Problem.of(value, money, np.array([0, 0]), np.array([places]), budget)
    found = solve(problem)
    assert_within_limits(problem, found)
    assert found.used.sum() == (3 if places else 0)


def test_nobody_is_contacted_at_a_loss() -> None:
    """Every option costs more than it brings."""
    problem = Problem.of(
        -np.ones((4, 2)), np.zeros((4, 2)), np.array([0, 1]), np.array([9.0, 9.0]), 9.0
    )
    found = solve(problem)
    assert (found.choice == NONE).all()
    assert (found.value, found.bound, found.gap) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("value", "money"), [(np.nan, 1.0), (1.0, -1.0), (1.0, np.inf), (1.0, np.nan)]
)
def test_figures_that_are_none_are_refused(value: float, money: float) -> None:
    """Before they could make a plan."""
    with pytest.raises(ValueError, match="must be"):
        Problem.of(np.array([[value]]), np.array([[money]]), np.array([0]), np.array([1.0]), 1.0)


@pytest.mark.parametrize(("customers", "budget"), [(1, 3.0), (100, 300.0), (7, 0.7)])
def test_money_that_is_just_the_budget_is_spent(customers: int, budget: float) -> None:
    """Calls at 3.00, or at 0.10, and a budget of so many."""
    value, cost = np.full((customers, 1), 10.0), np.full((customers, 1), budget / customers)
    problem = Problem.of(value, cost, np.zeros(1, int), np.array([500.0]), budget)
    found = solve(problem)
    assert_within_limits(problem, found)
    assert (found.choice != NONE).sum() >= customers - (math.fsum(cost[:, 0]) > budget)
