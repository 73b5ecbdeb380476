"""How the acceptance of each offer differs from what the accept model says, from outcomes.

    logit P(accept | customer, offer k) = the model's + c + d_k,   c ~ N(0, 1),   d_k ~ N(0, 0.5²)

The offsets are the most probable ones given the outcomes (Newton's method on the posterior, which
is concave), their intervals those of its curvature. So outcomes and model are mixed by what they
know: an outcome adds p (1 − p) to the information on its offer, the model counts 0.8 of it, as five
outcomes or so would; an offer that was hardly tried takes what the others have in common (c). The
ranking of customers within an offer stays the model's: to replace that takes thousands of outcomes
an offer, and is what a campaign log is for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from churn_assets.domain.measured import Figure
from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.domain.statistics import Z95, Floats, sigmoid

COMMON, OWN = 1.0, 0.5
"""Standard deviations of what all offers have in common, and of each one's own."""
PRIOR = COMMON**2 * np.ones((OFFER_LEVELS, OFFER_LEVELS)) + OWN**2 * np.eye(OFFER_LEVELS)
ROUNDS = 100


class Responses(NamedTuple):
    """N contacts with a known answer.

    level: (N,) the offer, 0..3. logit: (N,) the model's log-odds of its acceptance, without any
    earlier correction. accepted: (N,) bool.
    """

    level: NDArray[np.int64]
    logit: Floats
    accepted: NDArray[np.bool_]


def fitted_offsets(responses: Responses) -> tuple[Figure, ...]:
    """The four offsets, of offers 0, 5, 10, 15 %."""
    precision = np.linalg.inv(PRIOR)
    offsets = np.zeros(OFFER_LEVELS)
    for _ in range(ROUNDS):
        chance = sigmoid(responses.logit + offsets[responses.level])
        missed = _by_level(responses.level, responses.accepted - chance)
        known = _by_level(responses.level, chance * (1 - chance))
        curvature = np.diag(known) + precision
        step = np.linalg.solve(curvature, missed - precision @ offsets)
        offsets = offsets + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-10:
            break
    spread = np.linalg.inv(curvature)
    return tuple(
        figure(0.0, float(offsets[k]), float(spread[k, k]), float(PRIOR[k, k]))
        for k in range(OFFER_LEVELS)
    )


def figure(assumed: float, used: float, variance: float, prior: float) -> Figure:
    """A figure from its posterior's mode and variance, and its prior's variance."""
    reach = Z95 * float(np.sqrt(variance))
    return Figure(
        assumed=assumed,
        used=used,
        lower=used - reach,
        upper=used + reach,
        share_measured=float(np.clip(1 - variance / prior, 0.0, 1.0)),
    )


def _by_level(level: NDArray[np.int64], values: Floats) -> Floats:
    return np.asarray(np.bincount(level, weights=values, minlength=OFFER_LEVELS), np.float64)
