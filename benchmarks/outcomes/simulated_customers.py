"""Customers drawn from distributions, who react as `outcomes.simulation` says: what estimates and
learning from outcomes are held against where the truth is known. Nothing here is measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from churn_assets.decision.mdp.observation import ACCEPT, RISK, build_states
from churn_assets.decision.mdp.outcomes import decision_outcomes
from churn_assets.domain.statistics import Floats, sigmoid
from churn_assets.outcomes.simulation import OPTIONS, PARAMS, Customers, Reactions

SPREAD_OF_RISK = (1.2, 3.0)
"""Of the beta distribution of churn risks."""
SPREAD_OF_BASE = (-1.0, 0.8)
"""Mean and standard deviation of the log-odds of accepting no discount."""
VALUES = (240.0, 1_400.0)
"""Between which values are spread evenly, in currency."""


def draw_customers(rng: np.random.Generator, count: int) -> Customers:
    """Customers at the beginning of a period: most are unlikely to leave, some are likely."""
    risk = rng.beta(*SPREAD_OF_RISK, count)
    base = rng.normal(*SPREAD_OF_BASE, count)
    return _customers(risk, base, rng.uniform(*VALUES, count))


def every_kind(steps: int) -> Customers:
    """Customers (`steps` squared) whose mean is the population's but for the width of a step:
    quantiles of risk and acceptance, each with each, all of the mean value, to which every gain is
    proportional."""
    shares = (np.arange(steps) + 0.5) / steps
    risks = stats.beta.ppf(shares, *SPREAD_OF_RISK)
    bases = stats.norm.ppf(shares, *SPREAD_OF_BASE)
    risk, base = np.meshgrid(risks, bases, indexing="ij")
    return _customers(risk.ravel(), base.ravel(), np.full(risk.size, np.mean(VALUES)))


def _customers(risk: Floats, base: Floats, values: Floats) -> Customers:
    accept = sigmoid(base[:, None] + np.array([0.0, 0.5, 0.9, 1.2]))
    never = np.full(len(risk), np.nan)
    states = build_states(risk, accept, np.ones(len(risk)), never, np.zeros(len(risk)), PARAMS)
    return Customers(states, values)


def net_gain(customers: Customers, options: NDArray[np.int64], reactions: Reactions) -> Floats:
    """(N,) the customer's value if they stayed, minus the discount if they accepted it."""
    discount = np.array([0.0, *PARAMS.discounts])[options] * reactions.accepted
    return np.asarray(customers.values * (~reactions.churned - discount))


def greedy(customers: Customers, price: float = 1.0) -> NDArray[np.int64]:
    """(N,) the option that the assumed world promises most of, a discount counted `price` times."""
    expected = decision_outcomes(customers.states, customers.values, PARAMS)
    return (expected.expected_value - (price - 1) * expected.expected_cost).argmax(1)


def one_hot(options: NDArray[np.int64]) -> Floats:
    """(N, 5) the probabilities of a policy that takes these options for certain."""
    return np.eye(OPTIONS)[options]


def features(customers: Customers) -> Floats:
    """(N, 7) what a model of the reward may know."""
    return np.column_stack(
        [
            customers.states[:, RISK],
            customers.states[:, ACCEPT],
            customers.values,
            customers.values * customers.states[:, RISK],
        ]
    )
