"""How the acceptance of each offer differs from what the accept model says, from outcomes.

    logit P(accept | customer, offer k) = m + c + d_k + s_m (m − its mean) + s_r z_r + s_b z_b

    c ~ N(0, 1),   d_k ~ N(0, 0.5²),   each slope s ~ N(0, 0.5²)

m is the model's log-odds, z_r and z_b the customer's risk and bill, standardised
(`predictors.scoring.corrected`). The offsets c + d_k say how often each offer is accepted, the
slopes by whom: where the ranking of customers that the model brings from elsewhere is wrong here,
s_m takes it back, and risk and bill put another in its place.

All seven are the most probable ones given the outcomes (Newton's method on the posterior, which is
concave), their intervals those of its curvature. So outcomes and model are mixed by what they know,
never by a switch: an outcome adds p (1 − p) to the information on its offer, the model counts 0.8
of it, as five outcomes or so would, and 4 on a slope, as twenty would; an offer that was hardly
tried takes what the others have in common (c). What neither model, risk nor bill tells apart stays
the model's until a campaign log replaces it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from churn_assets.domain.measured import SLOPES, Figure, Slope
from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.domain.statistics import Z95, Floats, sigmoid
from churn_assets.predictors.scoring.corrected import FARTHEST

COMMON, OWN, SLOPE = 1.0, 0.5, 0.5
"""Standard deviations of what all offers have in common, of each one's own, and of a slope."""
PRIOR = np.zeros((OFFER_LEVELS + len(SLOPES), OFFER_LEVELS + len(SLOPES)))
PRIOR[:OFFER_LEVELS, :OFFER_LEVELS] = COMMON**2 + OWN**2 * np.eye(OFFER_LEVELS)
PRIOR[OFFER_LEVELS:, OFFER_LEVELS:] = SLOPE**2 * np.eye(len(SLOPES))
LEAST_SLOPE = -0.9
"""Of the model's own log-odds: a tenth of them is left, so that the next outcomes can still tell
what the model itself said."""
LEAST_SCALE = 1e-3
ROUNDS = 100


class Responses(NamedTuple):
    """N contacts with a known answer.

    level: (N,) the offer, 0..3. logit: (N,) the model's log-odds of its acceptance, without any
    earlier correction. known: (N, 2) `corrected.about` the customers. accepted: (N,) bool.
    """

    level: NDArray[np.int64]
    logit: Floats
    known: Floats
    accepted: NDArray[np.bool_]


class Fitted(NamedTuple):
    """The four offsets, of offers 0, 5, 10, 15 %, and the slopes, in the order of `SLOPES`."""

    offsets: tuple[Figure, ...]
    slopes: tuple[Slope, ...]


def fitted_response(responses: Responses) -> Fitted:
    """What the answers say, the model's knowledge included."""
    raw = np.column_stack([responses.logit, responses.known])
    centres, scales = np.zeros(len(SLOPES)), np.ones(len(SLOPES))
    if len(raw):
        centres, scales = raw.mean(0), np.maximum(raw.std(0), LEAST_SCALE)
        scales[0] = 1.0
    terms = (raw - centres) / scales
    terms[:, 1:] = np.clip(terms[:, 1:], -FARTHEST, FARTHEST)
    design = np.hstack([np.eye(OFFER_LEVELS)[responses.level], terms])
    found, spread = posterior(design, responses.logit, responses.accepted)
    found[OFFER_LEVELS] = max(found[OFFER_LEVELS], LEAST_SLOPE)
    figures = [
        figure(0.0, float(found[k]), float(spread[k, k]), float(PRIOR[k, k]))
        for k in range(len(found))
    ]
    return Fitted(
        tuple(figures[:OFFER_LEVELS]),
        tuple(
            Slope(slope=each, centre=float(centre), scale=float(scale))
            for each, centre, scale in zip(figures[OFFER_LEVELS:], centres, scales, strict=True)
        ),
    )


def posterior(design: Floats, logit: Floats, accepted: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The most probable coefficients (K,) of a design (N, K), and their covariance (K, K)."""
    precision = np.linalg.inv(PRIOR)
    found = np.zeros(len(PRIOR))
    for _ in range(ROUNDS):
        chance = sigmoid(logit + design @ found)
        missed = design.T @ (accepted - chance)
        known = (design.T * (chance * (1 - chance))) @ design
        curvature = known + precision
        step = np.linalg.solve(curvature, missed - precision @ found)
        found = found + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-10:
            break
    return found, np.linalg.inv(curvature)


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
