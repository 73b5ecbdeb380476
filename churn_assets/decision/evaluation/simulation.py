"""Two policies against each other: the same customers, the same luck, business figures.

`compare(a, b, customers, params) -> dict`, JSON-ready. What a person wants to know before they
trust a policy; the exact figures are in the policy report.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array
from churn_assets.decision.mdp.environment import Multipliers, VectorRetention
from churn_assets.domain.statistics import Z95


@dataclass(frozen=True)
class Episodes:
    """One simulated period for each of E customers; money in currency.

    customer: (E,) their rows.
    """

    customer: NDArray[np.int64]
    value: Array
    revenue: Array
    left_alone: Array
    discounts: Array
    attention: Array
    contacts: Array
    over_cap: Array


def compare(
    a: Policy,
    b: Policy,
    customers: Customers,
    params: EnvironmentParams,
    episodes: int = 20_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Play both policies on `episodes` simulated customers and periods.

    Returns:
        {"episodes", "a": figures, "b": figures, "difference": a - b}; every figure is
        {"value", "lower", "upper"} with a 95 % interval, the difference's from paired episodes:
        `net_revenue_per_customer` (retained revenue - discounts - attention, currency),
        `uplift_per_customer` (that minus the expected revenue if left alone), `roi` (uplift over
        all costs), `contacts_per_1000`, `spend_ratio` (of the limit), `over_cap_rate`.

    Raises:
        ValueError: fewer than 100 episodes.
    """
    if episodes < 100:
        raise ValueError(f"episodes: {episodes} are too few for an interval, take at least 100")
    played = [play(policy, customers, params, episodes, seed) for policy in (a, b)]
    first, second = (business_figures(one, params) for one in played)
    return {
        "episodes": episodes,
        "seed": seed,
        "a": {"name": a.name} | {name: figure.interval() for name, figure in first.items()},
        "b": {"name": b.name} | {name: figure.interval() for name, figure in second.items()},
        "difference": {name: first[name].minus(second[name]).interval() for name in first},
    }


def play(
    policy: Policy, customers: Customers, params: EnvironmentParams, episodes: int, seed: int
) -> Episodes:
    """One period of each of `episodes` environments; luck depends on seed and step only.

    Environment i's luck is that of stream + i: seeds a step apart would share nearly all of it.
    """
    stream = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> np.uint64(1))
    envs = VectorRetention(customers, params, episodes, stream, multipliers=Multipliers(0, 0))
    customer, value = envs.customer, envs.value
    left_alone = envs.left_alone
    live, actions = np.ones(episodes, dtype=bool), np.zeros((episodes, 3), dtype=np.int64)
    revenue, discounts, attention, contacts, over = (np.zeros(episodes) for _ in range(5))
    while live.any():
        actions[live] = policy.decide(envs.observation[live]).actions
        step = envs.advance(actions)
        revenue += live * step.revenue
        discounts += live * step.spend
        looks = params.decision_cost + step.contacted * params.contact_cost
        attention += live * value * looks
        contacts += live * step.contacted
        over += live * step.fatigue_violation
        live &= ~step.terminated
    return Episodes(customer, value, revenue, left_alone, discounts, attention, contacts, over)


@dataclass(frozen=True)
class Figure:
    """A mean, or a ratio of means, with each episode's influence on it (delta method)."""

    value: float
    influence: Array

    @classmethod
    def ratio(cls, over: Array, under: Array) -> "Figure":
        """mean(over) / mean(under); 0 where nothing was spent."""
        if not under.any():
            return cls(0.0, np.zeros_like(over))
        value = over.mean() / under.mean()
        return cls(float(value), (over - value * under) / under.mean())

    def minus(self, other: "Figure") -> "Figure":
        """The difference, paired by episode."""
        return Figure(self.value - other.value, self.influence - other.influence)

    def interval(self) -> dict[str, float]:
        """Value and 95 % normal interval."""
        half = Z95 * float(self.influence.std() / np.sqrt(len(self.influence)))
        return {"value": self.value, "lower": self.value - half, "upper": self.value + half}


def business_figures(played: Episodes, params: EnvironmentParams) -> dict[str, Figure]:
    """The figures that `compare` returns."""
    one = np.ones_like(played.value)
    costs = played.discounts + played.attention
    net = played.revenue - costs
    return {
        "net_revenue_per_customer": Figure.ratio(net, one),
        "uplift_per_customer": Figure.ratio(net - played.left_alone, one),
        "roi": Figure.ratio(net - played.left_alone, costs),
        "contacts_per_1000": Figure.ratio(1000 * played.contacts, one),
        "spend_ratio": Figure.ratio(played.discounts, params.budget_limit * played.value),
        "over_cap_rate": Figure.ratio((played.over_cap > 0).astype(np.float64), one),
    }
