"""What a decision is expected to bring: `decision_outcomes(states, values, params) -> Outcomes`.

Each option is one contact now (or none) and no contact after it: closed forms, so the numbers can
be checked by hand. Later contacts only add to them.
"""

from dataclasses import dataclass

import numpy as np

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.dynamics import Array
from churn_assets.decision.mdp.observation import ACCEPT, COOLDOWN, RISK, validate_states
from churn_assets.domain.statistics import logit, sigmoid


@dataclass(frozen=True)
class Outcomes:
    """Columns: 0 = not contacting, 1..4 = contact with offer 0, 5, 10, 15 %.

    expected_value: (N, 5) expected reward minus that of not contacting, in currency; column 0 is 0.
    retention: (N, 5) P(still a customer at the end of the period), in [0, 1].
    expected_cost: (N, 5) expected discount paid, in currency.
    """

    expected_value: Array
    retention: Array
    expected_cost: Array


def decision_outcomes(states: Array, values: Array, params: EnvironmentParams) -> Outcomes:
    """Expected outcome of not contacting and of each offer.

    Args:
        states: (N, 9), see `observation.py`.
        values: (N,) yearly value of each customer in currency (12 x monthly charge), >= 0.
        params: the environment that the policy was made for.

    Raises:
        ValueError: bad states or values; the message names them.
    """
    states = validate_states(states)
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (len(states),) or not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(f"values: expected {len(states)} finite numbers >= 0, one per state")
    retention = expected_retention(states, params)
    cost = np.zeros_like(retention)
    cost[:, 1:] = states[:, ACCEPT] * np.asarray(params.discounts)
    gain = retention - retention[:, :1] - cost
    gain[:, 1:] -= params.contact_cost
    return Outcomes(gain * values[:, None], retention, cost * values[:, None])


def expected_retention(states: Array, params: EnvironmentParams) -> Array:
    """(N, 5) P(still there at the end of the period) for not contacting and for each offer."""
    accepted_risk, refused_risk = risks_after_contact(states, params)
    accept = states[:, ACCEPT]
    retention = np.empty((len(states), 5))
    retention[:, 0] = 1 - states[:, RISK]
    retention[:, 1:] = 1 - accept * accepted_risk[:, None] - (1 - accept) * refused_risk[:, None]
    return retention


def risks_after_contact(states: Array, params: EnvironmentParams) -> tuple[Array, Array]:
    """(N,) churn risk after an accepted and after a refused contact."""
    score = logit(states[:, RISK])
    annoyed = params.annoyance_effect * states[:, COOLDOWN]
    accepted = sigmoid(score - params.acceptance_effect + annoyed)
    return accepted, sigmoid(score + params.annoyance_effect)
