"""What a period costs a company: the money of all its customers together, from clean sheets.

Its expectation is what every policy is priced by; but it is a sum of chances, which comes out above
or below that.
"""

import math
from typing import Any

import numpy as np

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.evaluation.simulation import play
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers, systematic_sample
from churn_assets.domain.statistics import Z95


def period_spend(
    policy: Policy,
    base: Customers,
    params: EnvironmentParams,
    customers: int,
    episodes: int,
) -> dict[str, Any]:
    """Spend of one period of the whole base from clean sheets, as a share of the budget.

    The expectation is exact, on so many `customers` who stand for equal shares of the base's value.
    The deviation is that of a sum over independent customers, each with the variance of
    their own simulated periods; the sum of thousands is taken as normal.

    Returns:
        `ratio`; `deviation`, `lower` and `upper` (95 %) of what one period may cost, in the same
        unit; `p_over`: P(it costs more than the budget).

    Raises:
        ValueError: so few episodes that no customer was played twice.
    """
    clean = params.clean
    some = systematic_sample(base, customers)
    ratio = evaluate(policy, some, clean).mean("spend") / params.budget_limit
    played = play(policy, base, clean, episodes, seed=1)
    share = played.discounts / played.value
    times = np.bincount(played.customer, minlength=len(base))
    mean = np.bincount(played.customer, share, len(base)) / np.maximum(times, 1)
    squares = np.bincount(played.customer, (share - mean[played.customer]) ** 2, len(base))
    seen = times > 1
    if not seen.any():
        raise ValueError(f"episodes: of {episodes}, no customer of {len(base)} was played twice")
    weight = base.weight
    variance = (weight[seen] ** 2 * squares[seen] / (times[seen] - 1)).sum()
    variance *= (weight**2).sum() / (weight[seen] ** 2).sum()  # for those played once at most
    deviation = math.sqrt(variance) / params.budget_limit
    return {
        "customers": len(base),
        "ratio": ratio,
        "deviation": deviation,
        "lower": ratio - Z95 * deviation,
        "upper": ratio + Z95 * deviation,
        "p_over": _chance_above_one(ratio, deviation),
    }


def _chance_above_one(mean: float, deviation: float) -> float:
    """P(a normal figure exceeds 1)."""
    if deviation == 0:
        return float(mean > 1)
    return 0.5 * math.erfc((1 - mean) / (deviation * math.sqrt(2)))
