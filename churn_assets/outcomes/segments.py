"""The effect of contacting in bands of risk and of value, valid at every look."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.domain.statistics import Floats
from churn_assets.outcomes import inference

RISK_BANDS = (0.0, 0.2, 0.5, 1.0)
VALUE_BANDS = 3


def segments(
    covariates: Floats, treated: NDArray[np.bool_], churned: Floats, scores: Floats, plan: int
) -> list[dict[str, Any]]:
    """The effect on net value a customer of each band, with intervals that hold together for all
    bands and at all looks (a confidence sequence of a level that they share alike: Bonferroni).

    Bands are those of what was known before the draw; one with too few customers is left out.
    `shown`: the interval is on one side of 0, and there are enough customers who left and stayed.

    Args:
        covariates: (N, 2) risk and yearly value. treated: (N,). churned: (N,) 0/1.
        scores: (N,) `inference.doubly_robust_scores` of the net value, as outcomes became known.
        plan: as for `inference.confidence_sequence`, of all N.
    """
    rows: list[dict[str, Any]] = []
    bands = _bands(covariates)
    for name, members in bands:
        count, inside = int(members.sum()), treated[members]
        if min(inside.sum(), (~inside).sum()) < inference.FEWEST:
            continue
        planned = max(1, round(plan * count / len(scores)))
        level = inference.LEVEL / len(bands)
        sequence = inference.confidence_sequence(scores[members], planned, level)
        lower, upper = float(sequence.lower[-1]), float(sequence.upper[-1])
        enough = inference.enough_of_both(churned[members], inside, covariates[members, 1])[-1]
        rows.append(
            {
                "segment": name,
                "customers": count,
                "net": float(sequence.value[-1]),
                "net_lower": lower,
                "net_upper": upper,
                "shown": bool(enough and (lower > 0 or upper < 0)),
            }
        )
    return rows


def _bands(covariates: Floats) -> list[tuple[str, NDArray[np.bool_]]]:
    risk, value = covariates.T
    found = []
    for low, high in pairwise(RISK_BANDS):
        inside = (low <= risk) & (risk <= high if high == 1 else risk < high)
        found.append((f"churn risk {low:.0%} to {high:.0%}", inside))
    # Where customers pay a few fixed prices, two bounds may be one: nobody is in two bands.
    bounds = np.unique(np.quantile(value, np.linspace(0, 1, VALUE_BANDS + 1)[1:-1]))
    band = np.searchsorted(bounds, value, side="right")
    each = [band == number for number in np.unique(band)]
    ends = [(value[members].min(), value[members].max()) for members in each]
    names = [f"value {low:,.0f} to {high:,.0f}" for low, high in ends]
    if len({*names}) < len(names):
        names = [f"value {low:,.2f} to {high:,.2f}" for low, high in ends]
    return found + list(zip(names, each, strict=True))
