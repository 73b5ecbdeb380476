"""Spend follows the budget, through a change of the world that nobody told it."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from churn_assets.decision.config import PRESETS
from churn_assets.decision.exact.pareto import pareto_curve
from churn_assets.decision.exact.spend_control import (
    EXPONENT,
    HIGHEST_AIM,
    LOWEST_AIM,
    next_aim,
)
from tests.decision.conftest import synthetic_customers

PERIODS, SHOCK = 24, 12
PARAMS = PRESETS["moderate"]
PRICES = np.linspace(0, 9, 37)


@pytest.fixture(scope="module")
def spends() -> dict[float, np.ndarray]:
    """Acceptance against the assumed -> exact expected spend of the planner at each of `PRICES`."""
    base, found = synthetic_customers(120, seed=3), {}
    for factor in (1.0, 1.3, 0.7):
        curve = pareto_curve(base.stressed(accept_factor=factor), PARAMS.clean, PRICES)
        found[factor] = curve.spend @ curve.weight
    return found


def controlled(
    price_of: Callable[[float], float], spent: Callable[[int, float], float], periods: int
) -> Iterator[float]:
    """Each period's spend over its budget.

    Args:
        price_of: the price at which the assumed world spends this share of the budget.
        spent: what a period, by its number, spends over its budget at a price.
    """
    aim = 1.0
    for period in range(periods):
        ratio = spent(period, price_of(aim))
        yield ratio
        aim = next_aim(aim, ratio)


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("factor", [1.3, 0.7])
def test_spend_is_back_two_periods_after_a_shock(
    spends: dict[float, np.ndarray], share: float, factor: float
) -> None:
    """Why: the budget is the company's money; a world in which customers turn out to accept 30 %
    more from the middle of two years on must cost little more, soon, whichever the budget is.

    Between the prices that were tried spend is interpolated: a base of thousands spends smoothly,
    120 customers in jumps.
    """
    budget = share * PARAMS.budget_limit

    def price_of(aim: float) -> float:
        return float(np.interp(-aim * budget, -spends[1.0], PRICES))

    def spent(period: int, price: float) -> float:
        world = spends[factor if period >= SHOCK else 1.0]
        return float(np.interp(price, PRICES, world)) / budget

    found = list(controlled(price_of, spent, PERIODS))
    assert abs(found[SHOCK] - 1) > 0.05  # the shock is felt
    settled = np.array(found[:SHOCK] + found[SHOCK + 2 :])
    assert np.abs(settled - 1).max() < 0.03
    assert max(np.cumsum(found) / np.arange(1, PERIODS + 1)) < 1.05
    assert sum(found) / PERIODS == pytest.approx(1, abs=0.03)


def test_the_rule_in_numbers() -> None:
    """Why: it is documented; and a budget that can't be spent must not wind the aim up for ever."""
    assert next_aim(1.0, 1.0) == 1.0
    assert next_aim(1.0, 1.3) == pytest.approx(1.3**-EXPONENT)
    assert next_aim(0.8, 0.5) == pytest.approx(0.8 * 2**EXPONENT)
    assert next_aim(3.0, 0.0) == HIGHEST_AIM
    assert next_aim(0.3, 100.0) == LOWEST_AIM
    for aim, ratio in ((-1.0, 1.0), (1.0, float("nan")), (float("inf"), 1.0)):
        with pytest.raises(ValueError, match="finite"):
            next_aim(aim, ratio)
