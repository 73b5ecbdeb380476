"""From the time that a contract's label counts to the environment's period: the one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def risk_of_a_period(risk: Array, horizon_days: float | None, period_days: float) -> Array:
    """P(churn within a period of the environment), from P(churn within the contract's horizon).

    At a constant hazard whoever stays for the horizon H with probability 1 - p stays for a period
    of T days with (1 - p)^(T / H). A risk within three months of 0.3 is one within 30 days of 0.11.

    Args:
        risk: (N,) what the risk model says, in [0, 1].
        horizon_days: days in which leaving counts in the model's label; None, or as long as the
            period: the risk is the period's already, to the last bit.
        period_days: mean length of a period.
    """
    if horizon_days is None or horizon_days == period_days:
        return risk
    return -np.expm1(np.log1p(-risk) * (period_days / horizon_days))
