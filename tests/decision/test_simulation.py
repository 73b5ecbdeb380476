"""Two policies on the same customers with the same luck."""

import numpy as np
import pytest

from churn_assets.decision.evaluation import simulation
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.rules.families import NeverContact, PricedGreedy


def test_a_policy_draws_against_itself(customers: Customers) -> None:
    """Why: common random numbers: the same decisions must give the same money, to the cent."""
    rule = PricedGreedy(price=1.0)
    table = simulation.compare(rule, rule, customers, rule.params, episodes=500)
    for figure in table["difference"].values():
        assert figure == {"value": 0, "lower": 0, "upper": 0}


def test_the_arenas_seeds_are_independent_draws(customers: Customers) -> None:
    """Why: "another seed" must be another sample of customers and luck; the same one, the same."""
    rule = PricedGreedy(price=1.0)
    same, again, other = (
        simulation.play(rule, customers, rule.params, 500, seed) for seed in (0, 0, 1)
    )
    assert (same.value == again.value).all()
    assert (same.revenue == again.revenue).all()
    values = set(same.value)
    # Environment i of one seed must not be environment i - k of another.
    for shift in range(-3, 4):
        assert (np.roll(other.value, shift) == same.value).mean() < 3 / len(values)


def test_the_arena_finds_the_better_policy(customers: Customers) -> None:
    """Why: the interval of the difference must tell a good policy from idleness."""
    rule = PricedGreedy(price=1.0)
    table = simulation.compare(rule, NeverContact(), customers, rule.params, episodes=4000)
    gain = table["difference"]["net_revenue_per_customer"]
    assert gain["lower"] > 0
    assert gain["lower"] < gain["value"] < gain["upper"]
    assert table["b"]["contacts_per_1000"]["value"] == 0
    with pytest.raises(ValueError, match="episodes"):
        simulation.compare(rule, rule, customers, rule.params, episodes=10)
