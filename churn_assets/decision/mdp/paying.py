"""For how many customers a contact pays, and the nearest world in which that is enough of them."""

import numpy as np

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.customers import Customers, by_risk_and_acceptance
from churn_assets.decision.mdp.observation import build_states
from churn_assets.decision.mdp.outcomes import decision_outcomes
from churn_assets.decision.mdp.worlds import as_measured
from churn_assets.domain.measured import ENOUGH, Measured, Paying

STEPS = 100
"""Into how many the way from the measured to the assumed world is cut."""
LOOKED_AT = 5_000
"""Customers at most, at even distances by risk and acceptance: a share of 5 % is then known to a
fraction of a per cent, and a million customers take no longer."""
NOTHING = 1e-12
"""Share of the yearly value that is as good as none."""


def deciding(
    measured: Measured, customers: Customers, assumed: EnvironmentParams
) -> tuple[Measured, Paying]:
    """What is measured with the world that the policy is made for, and for how many a contact pays.

    That world is the measured one if a contact pays for enough of the customers there (`ENOUGH`);
    otherwise the nearest to it on the straight line to the assumed one, and the assumed one where
    no world between has enough.

    Args:
        customers: all of the environment's.
        assumed: their world before any outcome, with their own offers.
    """
    some = _some(customers)
    moved = measured
    for step in range(STEPS + 1) if measured.effects else ():
        moved = measured.towards_assumed(step / STEPS)
        if paying_share(some, as_measured(assumed, moved)) >= ENOUGH:
            break
    paying = Paying(
        as_measured=paying_share(some, as_measured(assumed, measured)),
        in_training=paying_share(some, as_measured(assumed, moved)),
    )
    return moved.model_copy(update={"paying": paying}), paying


def paying_share(customers: Customers, params: EnvironmentParams) -> float:
    """Share of the customers for whom one contact, with the best offer and none after it, brings
    more than it costs, where money has no price."""
    count = len(customers)
    start = np.ones(count), np.full(count, np.nan), np.zeros(count)
    states = build_states(customers.risk, customers.accept, *start, params)
    gains = decision_outcomes(states, np.ones(count), params).expected_value[:, 1:]
    return float((gains.max(axis=1) > NOTHING).mean())


def _some(customers: Customers) -> Customers:
    every = -(-len(customers) // LOOKED_AT)
    return customers.take(by_risk_and_acceptance(customers)[::every])
