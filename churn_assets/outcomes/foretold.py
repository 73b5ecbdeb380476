"""What decisions foretold of their contacts, held against what contacting brought.

A decision says what its contact is worth over making none, in the world that its policy was made
for: by the risk, by how customers respond to offers, and by how much a contact changes who leaves.
The last two are assumed until they were measured, and a plan's sum is as good as they are.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from numpy.typing import NDArray

from churn_assets.domain.statistics import Floats
from churn_assets.domain.value import amount

MORE = "more than it brought: fewer leave than was told, accept it, or stay for it"
LESS = "less than it brought"
FITS = "which what it brought doesn't contradict"


def foretold_of(table: pd.DataFrame, sent: pd.Series[bool]) -> pd.Series[float]:
    """Currency that each decision of `joining.without_ids` foretold of its contact, if that was
    `sent`; NaN where it wasn't, or nobody reported it: of contacts that only an answer tells of,
    those that brought nothing are missing."""
    return table["expected_value"].where(sent & table["contact"].astype(bool))


def held_against(
    foretold: Floats, treated: NDArray[Any], lower: float, upper: float, currency: str
) -> dict[str, Any]:
    """What was foretold per treated customer, contacted or not, beside the gain per customer.

    Args:
        foretold: (N,) currency, the sum of a customer's contacts; 0 where none was sent.
        treated: (N,) bool.
        lower, upper: the interval of the gain that is valid at every look.

    Returns:
        `value`, currency, and a `sentence`; nothing where no contact was reported as sent.
    """
    of_treated = foretold[treated]
    if not of_treated.any():
        return {}
    value = float(of_treated.mean())
    how = MORE if value > upper else LESS if value < lower else FITS
    return {
        "value": value,
        "sentence": f"Decisions foretold {amount(value, currency)} a customer, {how}.",
    }
