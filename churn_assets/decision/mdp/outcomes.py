"""What a decision is expected to bring: `decision_outcomes(states, values, params) -> Outcomes`.

Each option is one contact now (or none) and no contact after it: closed forms, so the numbers can
be checked by hand. Later contacts only add to them.
"""

from dataclasses import dataclass

import numpy as np

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.dynamics import Array, after_answers, loss_at
from churn_assets.decision.mdp.observation import ACCEPT, COOLDOWN, RISK, validate_states
from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.domain.statistics import logit


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
    found = prospects(states, params)
    accept = states[:, ACCEPT]
    retention = _kept(accept, *found.risk)
    kept = _kept(accept, *found.loss)
    cost = np.zeros_like(retention)
    cost[:, 1:] = accept * np.asarray(params.discounts)
    gain = kept - kept[:, :1] - cost
    gain[:, 1:] -= params.contact_cost
    return Outcomes(gain * values[:, None], retention, cost * values[:, None])


def expected_retention(states: Array, params: EnvironmentParams) -> Array:
    """(N, 5) P(still there at the end of the period) for not contacting and for each offer."""
    return _kept(states[:, ACCEPT], *prospects(states, params).risk)


def expected_worth(states: Array, params: EnvironmentParams) -> Array:
    """(N, 5) share of the value that is kept in expectation: by not contacting, by each offer."""
    return _kept(states[:, ACCEPT], *prospects(states, params).loss)


def _kept(accept: Array, alone: Array, refused: Array, accepted: Array) -> Array:
    """(N, 5) one minus what is lost in expectation, without a contact and with each offer."""
    lost = np.empty((len(accept), 1 + OFFER_LEVELS))
    lost[:, 0], lost[:, 1:] = alone, accept * accepted + (1 - accept) * refused[:, None]
    return 1 - lost


@dataclass(frozen=True)
class Prospects:
    """Where a contact leads, if none follows it.

    risk, loss: each of the customer left alone (N,), after a refusal (N,), and after each offer was
        accepted (N, 4); see `dynamics.after_answers`.
    """

    risk: tuple[Array, Array, Array]
    loss: tuple[Array, Array, Array]


_ACCEPTED = np.array([0, *np.ones(OFFER_LEVELS)])
_BARE = np.array([0, 1, *np.zeros(OFFER_LEVELS - 1, np.int64)])
"""Acceptances, and how many of them are without a discount: after a refusal, after each offer."""


def prospects(states: Array, params: EnvironmentParams) -> Prospects:
    """What one contact leads to from states (N, 9).

    What is shown as churn risk counts as certain. It is, unless the effect works only for a share
    of those who accept, and the customer has accepted before.
    """
    alone, bare = states[:, RISK], _BARE if params.counts_bare_apart else 0
    annoyed = np.repeat(states[:, COOLDOWN, None], len(_ACCEPTED), axis=1)
    annoyed[:, 0] = 1
    risk, loss = after_answers(logit(alone[:, None]), _ACCEPTED, annoyed, params, bare)
    return Prospects(
        (alone, risk[:, 0], risk[:, 1:]), (loss_at(alone, params), loss[:, 0], loss[:, 1:])
    )
