"""Closed forms of the retention environment, shared by simulator, oracle, rules and serving.

With a memoryless period end (probability q = 1 / period_days a day) and a daily churn hazard h,

    P(churn within the period) = h / (h + q (1 - h)),

so odds(h) = q x odds(risk): a shift of logit(risk) multiplies the daily churn odds, and the value
of never contacting is 1 - risk from any state (discount costs and looking aside).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams

Array = NDArray[np.float64]
Whole = NDArray[np.integer[Any]] | Array
"""Whole numbers, as integers or (in a state) as floats."""


def daily_survival(risk: Array, params: EnvironmentParams) -> Array:
    """P(neither churn nor period end within one day), for P(churn within the period) = `risk`."""
    end = 1 / params.period_days
    stay = (1 - risk) / (1 - risk * (1 - end))
    return stay * (1 - end)


def affordable(budget_remaining: Array, params: EnvironmentParams) -> NDArray[np.bool_]:
    """(..., 4): whether each offer's discount fits into what is left of the allowance."""
    left = np.asarray(budget_remaining)[..., None] * params.budget_allowance
    return np.asarray(params.discounts) <= left + 1e-9


def reluctance(contacts: Whole, days: Whole, params: EnvironmentParams) -> Array:
    """Fall of logit(acceptance) after `contacts` this period, `days` after the last of them."""
    fresh = 1 - np.minimum(days, params.cooldown_days) / params.cooldown_days
    fall: Array = params.fatigue_reluctance * contacts + params.cooldown_reluctance * fresh
    return fall


def risk_shift(acceptances: Whole, annoyances: Whole, params: EnvironmentParams) -> Array:
    """Rise of logit(churn risk) in a period with so many acceptances and annoyances.

    An annoyance is a refused contact, or an accepted one that came within the cooldown.
    """
    rise: Array = params.annoyance_effect * annoyances - params.acceptance_effect * acceptances
    return rise


def start_histories(params: EnvironmentParams) -> tuple[NDArray[np.int64], Array]:
    """(H, 3) contacts, spend units and days since contact that episodes begin with; (H,) weights.

    A share 1 - history_share has a clean sheet. The rest is spread evenly over the numbers of
    contacts 0 .. contact_cap and, for each, over all spends and days that can go with it; with no
    contact in this period, the days are those since the last period's contact.
    """
    rows, weights = [(0, 0, params.cooldown_days)], [1 - params.history_share]
    levels = spend_levels(params)
    dearest = round(params.discounts[-1] / params.spend_unit)
    for contacts in range(params.contact_cap + 1):
        spends = range(min(dearest * contacts, levels - 1) + 1)
        group = [(contacts, s, d) for s in spends for d in range(params.cooldown_days + 1)]
        rows += group
        weights += [params.history_share / (params.contact_cap + 1) / len(group)] * len(group)
    return np.array(rows, dtype=np.int64), np.array(weights)


def spend_levels(params: EnvironmentParams) -> int:
    """Number of distinct amounts spent on a customer: 0, 1, ... units up to the allowance."""
    return round(params.budget_allowance / params.spend_unit) + 1


def offer_units(params: EnvironmentParams) -> NDArray[np.int64]:
    """(4,) each offer's discount in spend units."""
    return np.round(np.asarray(params.discounts) / params.spend_unit).astype(np.int64)
