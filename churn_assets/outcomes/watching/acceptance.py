"""Whether offers are accepted as often as decisions said.

The response to a discount is assumed until answers are learnt from, and every plan's value rests on
it. What tells are contacts that were reported as sent or delivered (of those that only an answer
tells of, who is silent is missing) and that no answer counts for any more; of these each customer's
first in the last days, as for the risk.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from churn_assets.decision.mdp.observation import ACCEPT
from churn_assets.domain.statistics import Floats
from churn_assets.outcomes.reached import answers_known, reached_at
from churn_assets.outcomes.watching.finding import Finding, State
from churn_assets.outcomes.watching.performance import (
    RATIO_ERROR,
    RATIO_WARN,
    lately,
    ratio_to_expected,
    release_of,
)

FEWEST = 50
"""Customers below which nothing is said."""


def accepted_as_told(outcomes: pd.DataFrame) -> Finding:
    """The acceptances of contacts that were made, against the probabilities of their decisions."""
    name = "acceptance_came_true"
    over = outcomes["contact"].astype(bool) & answers_known(outcomes).astype(bool)
    found = lately(
        outcomes[over & reached_at(outcomes).notna()], lambda first: len(first) >= FEWEST
    )
    if len(found) < FEWEST:
        return Finding(
            name,
            "unknown",
            f"Whether offers are accepted as told isn't known yet: of {len(found):,} customers who "
            f"were contacted no answer counts any more; it takes {FEWEST}.",
        )
    accepted = found["accepted"].to_numpy(np.float64)
    if not (accepted.any() or found["refused"].any()):
        said = f"No answer was reported of {len(found):,} customers who were contacted."
        return Finding(name, "unknown", said)
    level, told = found["offer_level"].to_numpy(np.int64), _told(found)
    ratio, low, high = ratio_to_expected(told, accepted)
    off = max(low, 1 / high)  # how far from 1 the interval begins
    state: State = "error" if off > RATIO_ERROR else "warn" if off > RATIO_WARN else "ok"
    figures = {
        "release_id": release_of(found),
        "customers": len(found),
        "accepted": int(accepted.sum()),
        "expected": float(told.sum()),
        "ratio": ratio,
        "ratio_lower": low,
        "ratio_upper": high,
        "by_level": {
            str(k): {
                "customers": int((level == k).sum()),
                "accepted": float(accepted[level == k].mean()),
                "told": float(told[level == k].mean()),
            }
            for k in np.unique(level)
        },
    }
    verdict = "are accepted" if state == "ok" else "are not accepted"
    sentence = (
        f"Offers {verdict} as told: {int(accepted.sum()):,} of {len(found):,} customers who were "
        f"contacted accepted, {told.sum():,.0f} were expected to ({low:.2f} to {high:.2f} times as "
        "many)."
    )
    return Finding(name, state, sentence, figures)


def _told(decisions: pd.DataFrame) -> Floats:
    """(N,) the probability that each decision noted of its offer's acceptance."""
    states = np.stack(decisions["observation"].to_list()).astype(np.float64)
    told: Floats = states[:, ACCEPT][np.arange(len(states)), decisions["offer_level"]]
    return told
