"""Closed forms of the retention environment, shared by simulator, oracle, rules and serving.

With a memoryless period end (probability q = 1 / period_days a day) and a daily churn hazard h,

    P(churn within the period) = h / (h + q (1 - h)),

so odds(h) = q x odds(risk): a shift of logit(risk) multiplies the daily churn odds, and the value
of never contacting is 1 - risk from any state (discount costs and looking aside).

Where the retention effect works only for a share of those who accept, or a retained customer's
bills are counted under the hazard that is left, that value is 1 - `loss`: see `after_answers`.
"""

import math
from functools import lru_cache, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.domain.statistics import sigmoid
from churn_assets.domain.value import MONTHS_OF_VALUE

Array = NDArray[np.float64]
Whole = NDArray[np.integer[Any]] | Array
"""Whole numbers, as integers or (in a state) as floats."""
ROUNDED = 1e-6
"""Spend units by which a share of the allowance may be off: the ledger's has nine places."""


def highest(values: Array) -> Array:
    """(...) the maximum over a last axis of few, column by column: `max` goes row by row there, and
    takes twenty times as long."""
    best: Array = reduce(np.maximum, np.moveaxis(values, -1, 0))
    return best


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


def risk_shift(
    acceptances: Whole, annoyances: Whole, params: EnvironmentParams, bare: Whole | int = 0
) -> Array:
    """Rise of logit(churn risk) in a period with so many acceptances and annoyances, where every
    acceptance has its effect.

    An annoyance is a refused contact, or an accepted one that came within the cooldown. `bare` of
    the acceptances were of a contact without a discount.
    """
    effect = params.acceptance_effect * (acceptances - bare) + params.bare_effect * bare
    return np.asarray(params.annoyance_effect * annoyances - effect, dtype=np.float64)


def after_answers(
    score: Array,
    acceptances: Whole,
    annoyances: Whole,
    params: EnvironmentParams,
    bare: Whole | int = 0,
) -> tuple[Array, Array]:
    """Churn risk as it is seen after the answers, and expected loss if nothing more is done.

    The arrays broadcast. Each acceptance works with probability `effect_share`, and nobody sees
    whether it did: the risk is the mean over the numbers that did, and so is the loss.

    Args:
        score: logit of the churn risk before the answers.

    Returns:
        The risk; and the loss, the share of the yearly value that won't come in: the risk itself
        where a retained customer counts twelve bills (`persistence` is None).
    """
    if params.effect_share == 1 or not np.any(acceptances):
        risk = risk_after_answers(score, acceptances, annoyances, params, bare)
        return risk, loss_at(risk, params)
    paid, bare = np.asarray(acceptances - bare), np.asarray(bare)
    risk, loss = np.zeros(()), np.zeros(())
    for of_paid in range(int(paid.max()) + 1):
        for of_bare in range(int(bare.max()) + 1):
            chance = _binomial(paid, of_paid, params) * _binomial(bare, of_bare, params)
            shift = risk_shift(np.array(of_paid + of_bare), annoyances, params, of_bare)
            one = sigmoid(score + shift)
            risk, loss = risk + chance * one, loss + chance * loss_at(one, params)
    return risk, loss


def risk_after_answers(
    score: Array,
    acceptances: Whole,
    annoyances: Whole,
    params: EnvironmentParams,
    bare: Whole | int = 0,
) -> Array:
    """The risk of `after_answers` alone: the loss takes longer than all the rest."""
    if params.effect_share == 1 or not np.any(acceptances):
        return sigmoid(score + risk_shift(acceptances, annoyances, params, bare))
    return after_answers(score, acceptances, annoyances, params, bare)[0]


def loss_at(risk: Array, params: EnvironmentParams) -> Array:
    """Share of the yearly value that is lost in expectation at a churn risk that is certain.

    With `persistence` P, one minus (1 - risk) x (1 + g + ... + g^(P-1)) / 12 for g = (1 - risk) /
    (1 + discount rate): the first bill comes at the period's end, each later one a month after.
    """
    if params.persistence is None:
        return risk
    going_on = (1 - risk) / (1 + params.discount_rate)
    bills = (1 - going_on**params.persistence) / (1 - going_on)
    loss: Array = 1 - (1 - risk) * bills / MONTHS_OF_VALUE
    return loss


def _binomial(trials: Whole, successes: int, params: EnvironmentParams) -> Array:
    """P(so many of the acceptances worked); 0 where there were fewer."""
    share = params.effect_share
    most = int(np.max(trials))
    ways = np.ones(most + 1)
    for place in range(most + 1):
        ways[place] = math.comb(place, successes)
    counts = np.asarray(trials, dtype=np.int64)
    failed = np.maximum(counts - successes, 0)
    chance: Array = ways[counts] * share**successes * (1 - share) ** failed
    return chance


def start_histories(params: EnvironmentParams) -> tuple[NDArray[np.int64], Array]:
    """(H, 3) contacts, spend units and days since contact that episodes begin with; (H,) weights.

    A share 1 - history_share has a clean sheet. The rest is spread evenly over the numbers of
    contacts 0 .. contact_cap and, for each, over all spends and days: what is left of the allowance
    is what a caller says, whose own offers may have used some of it. With no contact in this
    period, the days are those since the last period's contact.
    """
    contacts, spends, days = (
        np.arange(count)
        for count in (params.contact_cap + 1, spend_levels(params), params.cooldown_days + 1)
    )
    begun = np.stack(np.meshgrid(contacts, spends, days, indexing="ij"), axis=-1).reshape(-1, 3)
    rows = np.concatenate([[(0, 0, params.cooldown_days)], begun])
    weights = np.full(len(rows), params.history_share / len(begun))
    weights[0] = 1 - params.history_share
    return rows, weights


@lru_cache(maxsize=256)
def spend_levels(params: EnvironmentParams) -> int:
    """Number of distinct amounts spent on a customer: 0, 1, ... units up to the allowance."""
    return round(params.budget_allowance / params.spend_unit) + 1


def units_left(budget_remaining: Array, params: EnvironmentParams) -> Array:
    """(...) whole spend units in what is left of the allowance, a share that may be rounded."""
    left: Array = np.floor(budget_remaining * (spend_levels(params) - 1) + ROUNDED)
    return left


@lru_cache(maxsize=256)
def offer_units(params: EnvironmentParams) -> NDArray[np.int64]:
    """(4,) each offer's discount in spend units; read-only."""
    units = np.round(np.asarray(params.discounts) / params.spend_unit).astype(np.int64)
    units.setflags(write=False)
    return units
