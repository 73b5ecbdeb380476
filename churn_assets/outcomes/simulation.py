"""Simulated customers whose true reactions are known, to test what is concluded from outcomes.

Nothing here is measured: customers are drawn from distributions, and react as the decision
environment assumes (`decision.config.EnvironmentParams`), not at all, or badly.

| scenario | what contacting does |
|---|---|
| `assumed` | what the policy was made for |
| `none` | nothing: no offer is accepted, nobody's risk moves |
| `harmful` | annoys: the log-odds of leaving rise by 1.5, and acceptances don't lower them |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.observation import ACCEPT, RISK, build_states
from churn_assets.decision.mdp.outcomes import decision_outcomes, prospects
from churn_assets.domain.statistics import Floats, sigmoid

Scenario = Literal["assumed", "none", "harmful"]
OPTIONS = 5
"""Not contacting, then the four offers."""
SPREAD_OF_RISK = (1.2, 3.0)
"""Of the beta distribution of churn risks."""
SPREAD_OF_BASE = (-1.0, 0.8)
"""Mean and standard deviation of the log-odds of accepting no discount."""
VALUES = (240.0, 1_400.0)
"""Between which values are spread evenly, in currency."""
PARAMS = EnvironmentParams()
WORLDS: dict[Scenario, EnvironmentParams] = {
    "assumed": PARAMS,
    "none": PARAMS.model_copy(update={"acceptance_effect": 0.0, "annoyance_effect": 0.0}),
    "harmful": PARAMS.model_copy(update={"acceptance_effect": 0.0, "annoyance_effect": 1.5}),
}


@dataclass(frozen=True)
class Customers:
    """N simulated customers: what a policy sees of each (N, 9), and what each is worth (N,)."""

    states: Floats
    values: Floats

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Reactions:
    """What N customers did: whether they accepted the offer, whether they left."""

    accepted: NDArray[np.bool_]
    churned: NDArray[np.bool_]


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


def react(
    rng: np.random.Generator,
    customers: Customers,
    options: NDArray[np.int64],
    scenario: Scenario = "assumed",
) -> Reactions:
    """What the customers do after each was given its option (N,): 0 left alone, 1..4 the offers."""
    contacted = options > 0
    _, refused_risk, accepted_risks = prospects(customers.states, WORLDS[scenario]).risk
    offered = (np.arange(len(customers)), np.maximum(options - 1, 0))
    accept, accepted_risk = _acceptance(customers, scenario)[offered], accepted_risks[offered]
    accepted = contacted & (rng.random(len(customers)) < accept)
    risk = np.where(contacted, refused_risk, customers.states[:, RISK])
    return Reactions(accepted, rng.random(len(customers)) < np.where(accepted, accepted_risk, risk))


def net_gain(customers: Customers, options: NDArray[np.int64], reactions: Reactions) -> Floats:
    """(N,) the customer's value if they stayed, minus the discount if they accepted it."""
    discount = np.array([0.0, *PARAMS.discounts])[options] * reactions.accepted
    return np.asarray(customers.values * (~reactions.churned - discount))


def expected_net(customers: Customers, scenario: Scenario = "assumed") -> Floats:
    """(N, 5) the expectation of `net_gain` for each option: the truth that estimates are held
    against."""
    _, refused_risk, accepted_risk = prospects(customers.states, WORLDS[scenario]).risk
    accept = _acceptance(customers, scenario)
    stays = 1 - accept * accepted_risk - (1 - accept) * refused_risk[:, None]
    net = np.empty((len(customers), OPTIONS))
    net[:, 0] = 1 - customers.states[:, RISK]
    net[:, 1:] = stays - accept * np.array(PARAMS.discounts)
    return net * customers.values[:, None]


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


def _acceptance(customers: Customers, scenario: Scenario) -> Floats:
    accept = customers.states[:, ACCEPT]
    return np.zeros_like(accept) if scenario == "none" else accept
