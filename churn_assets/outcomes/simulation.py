"""Simulated reactions whose truth is known, to test what is concluded from outcomes.

Nothing here is measured: customers react as the decision environment assumes
(`decision.config.EnvironmentParams`), not at all, or badly.

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

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.observation import ACCEPT, RISK
from churn_assets.decision.mdp.outcomes import prospects
from churn_assets.domain.statistics import Floats

Scenario = Literal["assumed", "none", "harmful"]
OPTIONS = 5
"""Not contacting, then the four offers."""
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


def expected_net(customers: Customers, scenario: Scenario = "assumed") -> Floats:
    """(N, 5) for each option the expectation of the value of who stays, less the discount of who
    accepts it: the truth that estimates are held against."""
    _, refused_risk, accepted_risk = prospects(customers.states, WORLDS[scenario]).risk
    accept = _acceptance(customers, scenario)
    stays = 1 - accept * accepted_risk - (1 - accept) * refused_risk[:, None]
    net = np.empty((len(customers), OPTIONS))
    net[:, 0] = 1 - customers.states[:, RISK]
    net[:, 1:] = stays - accept * np.array(PARAMS.discounts)
    return net * customers.values[:, None]


def _acceptance(customers: Customers, scenario: Scenario) -> Floats:
    accept = customers.states[:, ACCEPT]
    return np.zeros_like(accept) if scenario == "none" else accept
