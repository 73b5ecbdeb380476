"""What approved plans have promised, and what a new plan makes of it: `Promises`."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import product

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

CONTACTS = pa.schema(
    [
        ("decision_id", pa.string()),
        ("customer_id", pa.string()),
        ("day", pa.date32()),
        ("channel", pa.string()),
        ("offer_percentage", pa.int8()),
        ("expected_value", pa.float64()),
        ("expected_cost", pa.float64()),
        ("churn_risk", pa.float64()),
        ("accept_prob", pa.float64()),
        ("promised", pa.bool_()),
        ("propensity", pa.float64()),
        ("cost_of_percent", pa.float64()),  # as `Event` has it; plans of earlier versions don't
    ]
)


@dataclass(frozen=True)
class Promises:
    """Contacts that are promised, columns as in `CONTACTS`.

    Attributes:
        now: on the days of the plan that is made; they use its money and places.
        later: on days after it; they stay as they are, and their customers are left to them.
    """

    now: pa.Table
    later: pa.Table

    @classmethod
    def of(cls, promised: pa.Table, days: Sequence[date], customers: Collection[str]) -> Promises:
        """Those to customers that are still there, marked as promises."""
        rows = [
            row | {"promised": True}
            for row in promised.to_pylist()
            if row["day"] >= days[0] and row["customer_id"] in customers
        ]
        now, later = (
            pa.Table.from_pylist([r for r in rows if (r["day"] > days[-1]) is after], CONTACTS)
            for after in (False, True)
        )
        return cls(now, later)

    @property
    def customers(self) -> set[str]:
        """Who is promised something."""
        both = (self.now["customer_id"], self.later["customer_id"])
        return {customer for column in both for customer in column.to_pylist()}

    def without(self, excluded: Collection[str]) -> Promises:
        """Less those of the plan's days to customers whom a rule leaves out on all of them. What
        is promised for later is tried on every rule when its day has come."""
        keep = [c not in excluded for c in self.now["customer_id"].to_pylist()]
        return replace(self, now=self.now.filter(pa.array(keep, pa.bool_())))

    def value_and_cost(self) -> tuple[float, float]:
        """What the promises of the plan's days bring and cost."""
        names = ("expected_value", "expected_cost")
        value, cost = (math.fsum(self.now[name].to_pylist()) for name in names)
        return value, cost

    def places(self, days: Sequence[date], channels: Sequence[str]) -> NDArray[np.int64]:
        """(days x channels,) contacts that they make on the plan's days."""
        slots = zip(self.now["day"].to_pylist(), self.now["channel"].to_pylist(), strict=True)
        return places_taken(slots, days, channels)


def places_taken(
    slots: Iterable[tuple[date, str | None]],
    days: Sequence[date],
    channels: Sequence[str],
) -> NDArray[np.int64]:
    """(days x channels,) how many of these contacts fall on each day and channel of a plan."""
    at: dict[tuple[date, str | None], int] = {
        slot: i for i, slot in enumerate(product(days, channels))
    }
    taken = np.zeros(len(at), dtype=np.int64)
    for slot in slots:
        if slot in at:
            taken[at[slot]] += 1
    return taken
