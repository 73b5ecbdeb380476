"""Champion and challenger on what really happened: the difference of their policies, by DR.

Both policies are judged on the champion's logged decisions, with what it saw of the customers: the
log has no other. So this compares policies; the models beside them are compared by their own
figures. The difference is of the same decisions, so that what both would do alike cancels out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.policy import load_params, load_policy
from churn_assets.domain.statistics import Z95
from churn_assets.outcomes.off_policy import (
    UnsupportedTargetError,
    fitted_rewards,
    require_support,
)
from churn_assets.outcomes.policies import OPTIONS, logged_by, options_of
from churn_assets.outcomes.worth import PLAIN, Worth
from churn_assets.release.bundle import read_manifest
from churn_assets.storage.current import asset_pointer, current_artifact
from churn_assets.storage.protocol import ArtifactStore

FIGURE = "outcomes.net"
FEWEST = 1_000
"""Logged decisions with a known outcome below which nothing is compared."""


def compare_releases(
    store: ArtifactStore, champion: Path, challenger: Path
) -> dict[str, Any] | None:
    """A row of the comparison of two releases; None where the log can't tell.

    Args:
        champion, challenger: folders of the releases.

    Raises:
        ArtifactError: the outcomes are there, but can't be had.
    """
    if store.read_pointer(asset_pointer("campaign_outcomes")) is None:
        return None
    outcomes = store.get(current_artifact(store, "campaign_outcomes"))
    table = pd.read_parquet(outcomes / "outcomes.parquet")
    return compare_policies(
        table,
        load_policy(champion / "policy"),
        load_policy(challenger / "policy"),
        read_manifest(champion).release_id,
        Worth.of(load_params(champion / "policy"), table),
    )


def compare_policies(
    table: pd.DataFrame,
    champion: Policy,
    challenger: Policy,
    release_id: str,
    worth: Worth = PLAIN,
) -> dict[str, Any] | None:
    """The row: net gain per customer of each, and whether the challenger is shown to be worse.

    Args:
        table: `campaign_outcomes`.
        release_id: the champion's, of whose decisions the log is.
        worth: how leaving counts.

    Returns:
        As a row of `promotion.compare`, with the difference's 95 % interval; None where fewer than
        `FEWEST` decisions are known, or the challenger does what was never, or hardly, tried, or
        others contacted too many of those who tell.
    """
    logged = logged_by(table, champion, release_id, worth)
    if logged is None or len(logged.log) < FEWEST:
        return None
    log, states = logged.log, logged.states
    expected = fitted_rewards(log, states)
    residuals = log.rewards - log.chosen(expected)
    values = []
    for name, policy in (("champion", champion), ("challenger", challenger)):
        target = np.eye(OPTIONS)[options_of(policy, states)]
        try:
            weights = logged.weights(name, policy)
            require_support(name, log, target, weights)
        except UnsupportedTargetError:
            return None
        values.append((target * expected).sum(1) + weights * residuals)
    difference = values[1] - values[0]
    reach = Z95 * float(difference.std(ddof=1) / np.sqrt(len(log)))
    gain = float(difference.mean())
    return {
        "figure": FIGURE,
        "champion": float(values[0].mean()),
        "challenger": float(values[1].mean()),
        "tolerance": reach,
        "worse": gain + reach < 0,
        "lower": gain - reach,
        "upper": gain + reach,
        "decisions": len(log),
    }
