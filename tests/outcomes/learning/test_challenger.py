"""Champion against challenger on logged outcomes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.outcomes import simulated_customers
from churn_assets.decision.rules.families import AlwaysOffer, NeverContact, RiskThreshold
from churn_assets.outcomes import simulation
from churn_assets.outcomes.learning.challenger import FIGURE, compare_policies
from churn_assets.outcomes.policies import options_of
from tests.outcomes.test_policies import served, truth

CHAMPION = RiskThreshold(threshold=0.2, offer=1)


def harmful(seed: int, count: int) -> pd.DataFrame:
    """As `served`, but contacting annoys and brings nothing."""
    table = served(seed, count, 0.3)
    rng = np.random.default_rng(seed + 1)
    customers = simulation.Customers(
        np.array(table["observation"].tolist()), table["customer_value"].to_numpy()
    )
    options = np.where(table["contact"], table["offer_level"].to_numpy(np.int64) + 1, 0)
    reactions = simulation.react(rng, customers, options, "harmful")
    return table.assign(churned=reactions.churned)


def test_a_worse_policy_is_shown_to_be() -> None:
    """Contacting nobody, where contacts help; the difference's interval holds the truth."""
    row = compare_policies(served(0, 20_000, 0.2), CHAMPION, NeverContact(), "r1")
    assert row is not None
    assert row["figure"] == FIGURE
    assert row["worse"]
    population = simulated_customers.draw_customers(np.random.default_rng(9), 400_000)
    gain = truth(options_of(NeverContact(), population.states), population) - truth(
        options_of(CHAMPION, population.states), population
    )
    assert row["lower"] < gain < row["upper"] < 0


def test_a_better_policy_and_the_same_one_are_not() -> None:
    row = compare_policies(harmful(1, 20_000), CHAMPION, NeverContact(), "r1")
    assert row is not None
    assert not row["worse"]
    assert row["lower"] > 0
    same = compare_policies(served(2, 5_000, 0.2), CHAMPION, CHAMPION, "r1")
    assert same is not None
    assert (same["worse"], same["lower"], same["upper"]) == (False, 0.0, 0.0)


@pytest.mark.parametrize("few", [True, False])
def test_what_the_log_can_not_tell_is_not_compared(few: bool) -> None:
    """Too few outcomes; or offers that nobody was ever made."""
    table = served(3, 900 if few else 5_000, 0.2)
    assert compare_policies(table, CHAMPION, NeverContact() if few else AlwaysOffer(), "r1") is None
    assert compare_policies(table, CHAMPION, NeverContact(), "another release") is None
