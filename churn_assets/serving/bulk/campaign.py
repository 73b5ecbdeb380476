"""What a table's decisions bring and cost in all, and what the same customers could bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from churn_assets.serving.assessment import Assessments

PRICES = np.concatenate([[0.0], np.geomspace(0.05, 100.0, 39)])

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """Of some customers' decisions, in currency.

    The frontier is what the same customers could be made to bring at each level of spend: at a
    price p of a currency unit of discount, every customer gets the option with the largest retained
    value - (1 + p) x cost. Sweeping p traces the frontier of all allocations of one contact a
    customer (Everett 1963, generalised Lagrange multipliers).

    retained: what the contacts keep of the customers' worth, by the reward that the decisions are
        made by: `expected_value` before the discounts are paid (a contact's own cost is off it).
    frontier_spend, frontier_retained: one for each of `PRICES`.
    """

    customers: int
    contacts: int
    value: float
    spend: float
    retained: float
    expected_value: float
    frontier_spend: Floats
    frontier_retained: Floats

    @classmethod
    def of(cls, assessed: Assessments) -> Self:
        """The sums over one batch."""
        values, outcomes = assessed.values, assessed.outcomes
        cost = outcomes.expected_cost
        retained = outcomes.expected_value + cost
        every = np.arange(len(values))
        frontier = np.empty((2, len(PRICES)))
        for i, price in enumerate(PRICES):
            best = (outcomes.expected_value - price * cost).argmax(axis=1)
            frontier[:, i] = cost[every, best].sum(), retained[every, best].sum()
        return cls(
            customers=len(values),
            contacts=int(assessed.decisions.contact.sum()),
            value=float(values.sum()),
            spend=float(assessed.expected_cost.sum()),
            retained=float(retained[every, assessed.option].sum()),
            expected_value=float(assessed.expected_value.sum()),
            frontier_spend=frontier[0],
            frontier_retained=frontier[1],
        )


class Campaign:
    """All customers' sums, added up batch by batch."""

    def __init__(self, budget_share: float) -> None:
        self.budget_share = budget_share
        self.sums = dict.fromkeys(
            ("customers", "contacts", "value", "spend", "retained", "expected_value"), 0.0
        )
        self.frontier_spend = np.zeros(len(PRICES))
        self.frontier_retained = np.zeros(len(PRICES))

    def add(self, some: Sums) -> None:
        """Count another batch."""
        for name in self.sums:
            self.sums[name] += getattr(some, name)
        self.frontier_spend += some.frontier_spend
        self.frontier_retained += some.frontier_retained

    def report(self) -> dict[str, Any]:
        """The sums in currency, and the Pareto curve from no spend upwards."""
        curve = sorted(
            {
                (round(spend, 2), round(retained, 2))
                for spend, retained in zip(
                    self.frontier_spend.tolist(), self.frontier_retained.tolist(), strict=True
                )
            }
        )
        return {
            "customers": int(self.sums["customers"]),
            "contacts": int(self.sums["contacts"]),
            "customer_value": self.sums["value"],
            "expected_spend": self.sums["spend"],
            "budget": self.budget_share * self.sums["value"],
            "expected_retained_revenue": self.sums["retained"],
            "expected_value": self.sums["expected_value"],
            "pareto": [{"spend": spend, "retained": retained} for spend, retained in curve],
        }
