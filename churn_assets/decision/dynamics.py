"""Closed forms of the retention environment, shared by simulator, oracle, rules and serving.

With a memoryless period end (probability q = 1 / period_days a day) and a daily churn hazard h,

    P(churn within the period) = h / (h + q (1 - h)),

so odds(h) = q x odds(risk): a shift of logit(risk) multiplies the daily churn odds, and the value
of never contacting is 1 - risk from any state (discount costs and looking aside).
"""

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams

Array = NDArray[np.float64]
PROBABILITY_FLOOR = 1e-6
"""Probabilities are kept this far from 0 and 1 before a logit is taken."""


def logit(probability: Array) -> Array:
    """log(p / (1 - p)), with p kept within [1e-6, 1 - 1e-6]."""
    clipped = np.clip(probability, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return np.log(clipped / (1 - clipped))


def sigmoid(logits: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * logits))


def daily_survival(risk: Array, params: EnvironmentParams) -> Array:
    """P(neither churn nor period end within one day), for P(churn within the period) = `risk`."""
    end = 1 / params.period_days
    stay = (1 - risk) / (1 - risk * (1 - end))
    return stay * (1 - end)


def affordable(budget_remaining: Array, params: EnvironmentParams) -> NDArray[np.bool_]:
    """(..., 4): whether each offer's discount fits into what is left of the allowance."""
    left = np.asarray(budget_remaining)[..., None] * params.budget_allowance
    return np.asarray(params.discounts) <= left + 1e-9
