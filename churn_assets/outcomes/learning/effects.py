"""What an acceptance and an annoyance do to the churn risk, from treated against control.

The decision environment says: an acceptance lowers logit(risk) by E, a refused contact raises it by
A. Who accepts differs from who refuses, so comparing those two would credit the offer with what
made them accept. Only the draw is random. So the churn of customers who were contacted is held
against that of the control group, with the *predicted* acceptance a in place of the answer:

    P(churn | left alone) = sigmoid(l),                        l = α + β logit(risk) + γ z
    P(churn | contacted)  = a sigmoid(l − E) + (1 − a) sigmoid(l + A)

z are what else a contact is chosen by (the customer's value, their acceptance), standardised, and γ
~ N(0, 0.5²) each: a plan doesn't say whom of the control group it would have contacted, so those it
did contact are held against all of it, among whom the risk may be off otherwise.

E and A are told apart by customers who differ in a. Where a contact without a discount is assumed
to do less, it does that share of E (`Churn.strength`): the share stays assumed. The prior is what
is assumed, E ~ N(2.5, 1.25²) and A ~ N(0.05, 0.25²) in the default world: that contacting does
nothing lies two standard deviations away, so some hundred contacts outweigh it where the truth is
another. The risk is that of a period of the environment; where leaving counts within n periods
(`Churn.periods`), it is 1 − (1 − P)ⁿ that is held against it: what a contact does lasts. Estimate
and interval are the posterior's mode and curvature; both are kept at 0 or above, as the world has
them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.domain.measured import Figure
from churn_assets.domain.statistics import Floats, sigmoid
from churn_assets.outcomes.learning.response import figure

SPREAD = np.array([1.0, 0.5, 1.25, 0.25])
"""Prior standard deviations of α, β, E and A."""
SPREAD_ABOUT = 0.5
"""Of each γ."""
BOUNDS = ((-5.0, 5.0), (0.0, 3.0), (0.0, 6.0), (0.0, 3.0))
STEP = 1e-4
TINY = 1e-12


class Churn(NamedTuple):
    """N customers whose outcome is known: the control group, and those who were contacted.

    contacted: (N,) bool. logit: (N,) log-odds of the churn risk at the decision. accept: (N,)
    P(accept) of the offer made; strength: (N,) the share of the effect that accepting it has, 1
    of any discount; both of no meaning for the control group. churned: (N,) bool, within `periods`
    periods. about: (N, K) standardised numbers that customers are chosen by besides; None: none.
    """

    contacted: NDArray[np.bool_]
    logit: Floats
    accept: Floats
    strength: Floats
    churned: NDArray[np.bool_]
    periods: float = 1.0
    about: Floats | None = None

    @property
    def others(self) -> Floats:
        """(N, K) `about`, also where there is nothing."""
        return np.empty((len(self.logit), 0)) if self.about is None else self.about


def fitted_effects(churn: Churn, assumed: EnvironmentParams) -> tuple[Figure, Figure]:
    """The effect of an acceptance and of an annoyance.

    Args:
        assumed: the world before any outcome.
    """
    from scipy.optimize import minimize  # here: slow to load, and needed only with outcomes

    more = churn.others.shape[1]
    prior = np.zeros(4 + more)
    prior[:4] = 0.0, 1.0, assumed.acceptance_effect, assumed.annoyance_effect
    bounds = (*BOUNDS, *[(-5.0, 5.0)] * more)
    found = minimize(
        _loss_and_slope, prior, args=(churn, prior), jac=True, method="L-BFGS-B", bounds=bounds
    )
    variance = np.diag(np.linalg.inv(_curvature(found.x, churn, prior)))
    effects = [
        figure(float(prior[i]), float(found.x[i]), float(variance[i]), float(SPREAD[i] ** 2))
        for i in (2, 3)
    ]
    kept = [one.model_copy(update={"lower": max(0.0, one.lower)}) for one in effects]
    return kept[0], kept[1]


def _loss_and_slope(theta: Floats, churn: Churn, prior: Floats) -> tuple[float, Floats]:
    """Minus the log posterior at (α, β, E, A, γ...), and its gradient (4 + K,)."""
    alpha, beta, effect, annoyance = theta[:4]
    score = alpha + beta * churn.logit + churn.others @ theta[4:]
    alone, by_score_alone = _leaving(score, churn.periods)
    taken, by_effect = _leaving(score - churn.strength * effect, churn.periods)
    refused, by_annoyance = _leaving(score + annoyance, churn.periods)
    accept = np.where(churn.contacted, churn.accept, 0.0)
    chance = np.where(churn.contacted, accept * taken + (1 - accept) * refused, alone)
    chance = np.clip(chance, TINY, 1 - TINY)
    slope = np.where(churn.churned, -1 / chance, 1 / (1 - chance))
    by_taken, by_refused = accept * by_effect, (1 - accept) * by_annoyance
    by_score = np.where(churn.contacted, by_taken + by_refused, by_score_alone)
    gradient = np.array(
        [
            slope @ by_score,
            slope @ (by_score * churn.logit),
            -(slope[churn.contacted] @ (churn.strength * by_taken)[churn.contacted]),
            slope[churn.contacted] @ by_refused[churn.contacted],
            *((slope * by_score) @ churn.others),
        ]
    )
    spread = np.append(SPREAD, np.full(len(theta) - 4, SPREAD_ABOUT))
    off = (theta - prior) / spread
    likelihood = np.where(churn.churned, np.log(chance), np.log1p(-chance)).sum()
    return float(-likelihood + (off**2).sum() / 2), gradient + off / spread


def _leaving(score: Floats, periods: float) -> tuple[Floats, Floats]:
    """(N,) P(leaving within `periods`) at the log-odds of leaving in one, and its slope by them."""
    once = sigmoid(score)
    stays = (1 - once) ** periods
    return 1 - stays, periods * once * stays


def _curvature(theta: Floats, churn: Churn, prior: Floats) -> Floats:
    """(4 + K, 4 + K) second derivatives of minus the log posterior, by differences of its slope."""
    columns = []
    for step in STEP * np.eye(len(theta)):
        above = _loss_and_slope(theta + step, churn, prior)[1]
        below = _loss_and_slope(theta - step, churn, prior)[1]
        columns.append((above - below) / (2 * STEP))
    whole = np.array(columns)
    return (whole + whole.T) / 2
