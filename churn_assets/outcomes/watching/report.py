"""`drift_report`: everything that is watched, in one look; and why to train again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.observation import FATIGUE
from churn_assets.decision.policy import load_params
from churn_assets.outcomes.watching import conduct, inputs, performance
from churn_assets.outcomes.watching.finding import Finding
from churn_assets.release.bundle import Manifest, canonical_json

SCORES = ("churn_risk", *(f"accept_prob_{level}" for level in range(4)))
RETRAINING = {
    "customers_are_like_those_learnt_from": "the customers have changed",
    "scores_are_as_before": "the scores have changed",
    "risk_came_true": "the risk doesn't come true",
    "performance_is_expected_to_hold": "the ranking is expected to be worse than released",
}
"""Findings that another training may mend -> the reason in words."""


@dataclass(frozen=True)
class Serving:
    """What is known of the release in service.

    Attributes:
        release_id: None before the first.
        params: the world that its policy was made for.
        auc: that its risk model measured out of fold, or None.
        stand_ins: what stands in for a component, as sentences.
        outcomes: how many outcomes it was trained with.
    """

    release_id: str | None = None
    params: EnvironmentParams = field(default_factory=EnvironmentParams)
    auc: float | None = None
    stand_ins: Sequence[str] = ()
    outcomes: int = 0

    @classmethod
    def of(cls, manifest: Manifest, folder: Path) -> Serving:
        """From a release's manifest and its folder."""
        figures = manifest.report
        return cls(
            release_id=manifest.release_id,
            params=load_params(folder / "policy"),
            auc=figures.get("risk", {}).get("auc_oof"),
            stand_ins=tuple(manifest.stand_ins.values()),
            outcomes=figures.get("measured", {}).get("outcomes", 0),
        )


def watch(
    outcomes: pd.DataFrame,
    tables: tuple[Path, Path] | None,
    serving: Serving,
    budget: float | None,
    retrain_outcomes: int,
    now: datetime,
) -> dict[str, Any]:
    """The report as JSON: `findings` (`Finding.as_dict` each) and `retrain`, the reasons to.

    Args:
        outcomes: `campaign_outcomes`.
        tables: folders of `customer_history` and `active_customers`; None before they are there.
        budget: money for discounts in a period, from the latest predictions; None: not known.
        retrain_outcomes: so many known outcomes more than the release learnt from are a reason.
    """
    findings = [
        inputs.customers_drift(*tables)
        if tables
        else Finding(
            "customers_are_like_those_learnt_from",
            "unknown",
            "No customers are materialized yet, so there are none to compare.",
        ),
        inputs.scores_drift(*_scores(outcomes, serving.params.period_days, now)),
        performance.came_true(outcomes),
        performance.expected_to_hold(outcomes, serving.auc),
        conduct.contacts_kept(outcomes, serving.params, now),
        conduct.spend_paced(outcomes, serving.params, budget, now),
        conduct.fall_backs(outcomes, serving.stand_ins, serving.params, now),
        conduct.propensities_hold(outcomes),
    ]
    known = int(outcomes["known"].sum())
    reasons = [
        RETRAINING[f.name]
        for f in findings
        if f.state == "error"
        and f.name in RETRAINING
        # What was found of an earlier release, another training may have mended already.
        and f.figures.get("release_id", serving.release_id) == serving.release_id
    ]
    if known - serving.outcomes >= retrain_outcomes:
        reasons.append(f"{retrain_outcomes:,} new outcomes")
    return {
        "release_id": serving.release_id,
        "time": now.isoformat(timespec="seconds"),
        "outcomes_known": known,
        "findings": [finding.as_dict() for finding in findings],
        "retrain": reasons,
    }


def says_the_same(report: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether a report says nothing that one of the same day (UTC) didn't, but another hour."""
    if report["time"][:10] != before["time"][:10]:
        return False
    return canonical_json(report | {"time": ""}) == canonical_json(before | {"time": ""})


def _scores(
    outcomes: pd.DataFrame, days: float, now: datetime
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of the newest release's first contacts, a row a customer: before the last `days`, and
    in them. Those met in the middle of a period are left out: contacts have moved their scores."""
    if outcomes.empty:
        nobody = pd.DataFrame(columns=list(SCORES), dtype=float)
        return nobody, nobody
    mine = outcomes[outcomes["release_id"] == outcomes["release_id"].iloc[-1]]
    seen = pd.DataFrame(
        [row[: len(SCORES)] for row in mine["observation"]], mine.index, list(SCORES)
    )
    fresh = [len(row) <= FATIGUE or row[FATIGUE] == 0 for row in mine["observation"]]
    lately = mine.index.isin(conduct.recent(mine, days, now).index)
    parts = [
        mine[np.array(fresh, bool) & part].drop_duplicates("customer") for part in (~lately, lately)
    ]
    return seen.loc[parts[0].index], seen.loc[parts[1].index]
