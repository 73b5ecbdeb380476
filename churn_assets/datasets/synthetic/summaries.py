"""What a table's rows have in common: shares of levels, how columns go together, and drift."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

SMALLEST_CELL = 10
"""What fewer rows have is not published: a summary of so few would say who they are."""
SENIOR_AGE = 65  # from here on the accept model takes a contact for a senior citizen


def described(
    table: pd.DataFrame, names: Sequence[str], edges: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """Marginals and links of the named columns, numbers in bands, of levels that are not rare."""
    banded = pd.DataFrame({name: bands_of(table[name], edges.get(name)) for name in names})
    marginals = {name: shares(banded[name]) for name in names}
    banded = pd.DataFrame(
        {name: banded[name].where(banded[name].isin(marginals[name])) for name in names}
    )
    return {
        "marginals": marginals,
        "links": {
            first: {
                second: round(cramers_v(banded[first], banded[second]), 3)
                for second in names[position + 1 :]
            }
            for position, first in enumerate(names[:-1])
        },
    }


def bands_of(values: "pd.Series[Any]", edges: Sequence[float] | None) -> "pd.Series[str]":
    """Each value as text; with edges, the band `edge+` that a number is in."""
    if edges is None:
        return values.astype(str)
    at = np.searchsorted(edges, values.to_numpy(dtype=np.float64), side="right") - 1
    return pd.Series([f"{edges[max(position, 0)]:g}+" for position in at], index=values.index)


def shares(values: "pd.Series[str]") -> dict[str, float]:
    """Share of each level that has `SMALLEST_CELL` rows, to four decimals."""
    counts = values.value_counts().sort_index()
    counts = counts[counts >= SMALLEST_CELL]
    return {str(level): round(count / len(values), 4) for level, count in counts.items()}


def cramers_v(first: "pd.Series[str]", second: "pd.Series[str]") -> float:
    """Cramér's V of two columns of categories (N,): 0 if independent, 1 if one gives the other.

    Rows in which one of them is null don't count.
    """
    counts = pd.crosstab(first, second).to_numpy(dtype=np.float64)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    chi = float(((counts - expected) ** 2 / expected).sum())
    return float(np.sqrt(chi / counts.sum() / max(min(counts.shape) - 1, 1)))


def drift(table: pd.DataFrame) -> dict[str, list[float | None]]:
    """By tenths of the bank's contacts in order of time: share of yes, of all and of seniors.

    None where there are fewer than `SMALLEST_CELL` seniors.
    """
    tenth = np.arange(len(table)) * 10 // len(table)
    yes, senior = table["y"] == "yes", table["age"] >= SENIOR_AGE

    def rates(rows: "pd.Series[bool]") -> list[float | None]:
        found = [yes[rows & (tenth == part)] for part in range(10)]
        return [
            round(float(part.mean()), 4) if len(part) >= SMALLEST_CELL else None for part in found
        ]

    return {"all": rates(yes | ~yes), "seniors": rates(senior)}
