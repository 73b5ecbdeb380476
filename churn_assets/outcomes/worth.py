"""What of a customer's yearly value is kept, by whether they left within the horizon.

Policies are made for a world in which a retained customer counts the bills of `persistence` months
under the hazard that is left (`decision/mdp/dynamics.py:loss_at`). An outcome is known long before
those bills are: after 30 days, of customers of whom 3 % leave a month, next to nobody has left, and
a discount has been promised for a year. Counted as the value of who is still there, a contact that
lowers the hazard for good would look like a loss. So what it did to churn within the horizon is
taken to last as long as the policy's world takes it to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.dynamics import loss_at
from churn_assets.domain.statistics import Floats
from churn_assets.domain.value import MONTHS_OF_VALUE


@dataclass(frozen=True)
class Worth:
    """How leaving counts.

    Attributes:
        world: that the policy was made for; of it `persistence`, `discount_rate`, `period_days`.
        horizon_days: within which leaving was looked for.
    """

    world: EnvironmentParams
    horizon_days: float

    @classmethod
    def of(cls, world: EnvironmentParams, table: pd.DataFrame) -> Self:
        """With the horizon of `campaign_outcomes`."""
        if table.empty:
            return cls(world, world.period_days)
        first = table.iloc[0]
        return cls(world, (first["known_at"] - first["time"]) / pd.Timedelta(days=1))

    @property
    def sentence(self) -> str:
        """For whoever reads the gain."""
        if self.world.persistence is None:
            return f"Whoever stays counts {MONTHS_OF_VALUE} monthly charges."
        return (
            f"Whoever stays counts the bills expected of them in {self.world.persistence} months, "
            "to which what contacting did to churn is taken to last."
        )

    def kept(self, table: pd.DataFrame) -> Floats:
        """(N,) currency, of columns `customer_value`, `churned` and `churn_risk` (within the
        world's period, as it was before the decision).

        In a world without `persistence`: the value of who stayed. Else, with the risk r, loss L and
        churn probability q within the horizon, value x (1 - L(r) - L'(r) / q'(r) x (churned - q)).
        The difference of two groups' means is then that of 1 - L to first order; 1 - L is convex in
        r, so that a gain is told too small rather than too large. Of a horizon longer than a period
        a leaver counts at most as much as of one period: beyond, leaving says little of the hazard.
        """
        value = table["customer_value"].to_numpy(np.float64)
        churned = table["churned"].to_numpy(np.float64)
        if self.world.persistence is None:
            return value * (1 - churned)
        risk = table["churn_risk"].to_numpy(np.float64)
        periods = self.horizon_days / self.world.period_days
        leaves = 1 - (1 - risk) ** periods
        with np.errstate(divide="ignore"):  # who leaves for certain
            steepness = periods * (1 - risk) ** (periods - 1)
        steepness = np.maximum(steepness, min(periods, 1.0))
        of_leaving = loss_slope(risk, self.world) / steepness
        kept: Floats = value * (1 - loss_at(risk, self.world) - of_leaving * (churned - leaves))
        return kept


PLAIN = Worth(EnvironmentParams(), EnvironmentParams().period_days)
"""Whoever stays counts their yearly value."""


def loss_slope(risk: Floats, world: EnvironmentParams) -> Floats:
    """(N,) derivative of `loss_at`: the share of the yearly value that a point of churn within a
    period costs. With bills u^(m+1) d^m for m = 0 … P - 1, u = 1 - r and d = 1 / (1 + discount
    rate), it is the sum of (m + 1) (u d)^m / 12."""
    if world.persistence is None:
        return np.ones_like(risk)
    going_on = (1 - risk) / (1 + world.discount_rate)
    slope, power = np.zeros_like(risk), np.ones_like(risk)
    for month in range(world.persistence):
        slope += (month + 1) * power
        power *= going_on
    return slope / MONTHS_OF_VALUE
