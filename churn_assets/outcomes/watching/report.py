"""`drift_report`: everything that is watched, in one look; and why to train again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from churn_assets.customers.schema import load_schema
from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.policy import load_params
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.first_contacts import first_of_a_period
from churn_assets.outcomes.watching import acceptance, conduct, inputs, performance
from churn_assets.outcomes.watching.finding import Finding
from churn_assets.release.bundle import Manifest, canonical_json
from churn_assets.release.switches.budget_price import BudgetPrice

SCORES = ("churn_risk", *(f"accept_prob_{level}" for level in range(4)))
RETRAINING = {
    "customers_are_like_those_learnt_from": "the customers have changed",
    "scores_are_as_before": "the scores have changed",
    "risk_came_true": "the risk doesn't come true",
}
"""Findings that another training may mend, where they are red -> the reason in words."""
NEW_OUTCOMES = "{:,} new outcomes"
"""The reason where so many outcomes are known that the release didn't learn from."""


@dataclass(frozen=True)
class Serving:
    """What is known of the release in service.

    Attributes:
        release_id: None before the first.
        params: the world that its policy was made for.
        auc: that its risk model measured out of fold, or None.
        stand_ins: what stands in for a component, as sentences.
        outcomes: how many outcomes were known when it was trained.
        learnt: how many of these something was learnt from; None: it is of an earlier version,
            which didn't say.
        made: the day (UTC, as 2027-03-01) on which it was; None: it isn't known.
        label_days: days in which leaving counts in its risk model's label; None: a period.
    """

    release_id: str | None = None
    params: EnvironmentParams = field(default_factory=EnvironmentParams)
    auc: float | None = None
    stand_ins: Sequence[str] = ()
    outcomes: int = 0
    learnt: int | None = None
    made: str | None = None
    label_days: float | None = None

    @classmethod
    def of(cls, manifest: Manifest, folder: Path) -> Serving:
        """From a release's manifest and its folder."""
        figures, schema = manifest.report, load_schema(folder)
        measured = figures.get("measured", {})
        return cls(
            release_id=manifest.release_id,
            params=load_params(folder / "policy"),
            auc=figures.get("risk", {}).get("auc_oof"),
            stand_ins=tuple(manifest.stand_ins.values()),
            outcomes=measured.get("outcomes", 0),
            learnt=measured.get("learnt"),
            made=f"{manifest.created.astimezone(UTC):%Y-%m-%d}",
            label_days=schema.horizon_days if schema else None,
        )

    def horizons(self, outcome_days: float) -> performance.Horizons:
        """Days in which leaving counts: in the logged risk, in outcomes, and in the label."""
        period = self.params.period_days
        return performance.Horizons(period, outcome_days, self.label_days or period)


def watch(
    outcomes: pd.DataFrame,
    tables: tuple[Path, Path] | str,
    serving: Serving,
    budget: float | None,
    config: OutcomesConfig,
    now: datetime,
    month: BudgetPrice | None = None,
    currency: str = "",
    learnable: Callable[[], pd.Series[bool]] | None = None,
    counted: Finding = inputs.NOT_COUNTED,
) -> dict[str, Any]:
    """The report as JSON: `findings` (`Finding.as_dict` each) and `retrain`, the reasons to.

    Args:
        outcomes: `campaign_outcomes`.
        tables: folders of the customers that the release learnt from and of `active_customers`;
            or, in words, why they can't be compared.
        budget: money for discounts in a period, from the latest predictions; None: not known.
        month: the month's budget, where one is followed.
        currency: what amounts in sentences begin with.
        learnable: asks which rows of `outcomes` another training would learn from, once as many
            are known as anything is learnt from; None: all that are known.
        counted: `inputs.customers_counted`.
    """
    horizons, log = serving.horizons(config.horizon_days), conduct.propensities_hold(outcomes)
    findings = [
        counted,
        Finding("customers_are_like_those_learnt_from", "unknown", tables)
        if isinstance(tables, str)
        else inputs.customers_drift(*tables),
        inputs.scores_drift(*_scores(outcomes, serving.params.period_days, now)),
        performance.came_true(outcomes, horizons),
        acceptance.accepted_as_told(outcomes),
        performance.expected_to_hold(outcomes, serving.auc, horizons),
        conduct.contacts_kept(outcomes, serving.params, now),
        conduct.spend_paced(outcomes, serving.params, budget, now, month, currency),
        conduct.fall_backs(outcomes, serving.stand_ins, serving.params, now),
        log,
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
    speaks = _speaks(outcomes, config, learnable)
    ended = outcomes.loc[speaks, "known_at"].dt.strftime("%Y-%m-%d").value_counts(sort=False)
    by_day = {str(day): int(count) for day, count in ended.items()}
    new = _not_learnt(outcomes, speaks, by_day, serving)
    if log.state != "error" and new >= config.retrain_outcomes:
        reasons.append(NEW_OUTCOMES.format(config.retrain_outcomes))
    return {
        "release_id": serving.release_id,
        "made": serving.made,
        "time": now.isoformat(timespec="seconds"),
        "outcomes_known": known,
        "outcomes_learnable": int(speaks.sum()),
        "learnable_by_day": by_day,
        "findings": [finding.as_dict() for finding in findings],
        "retrain": reasons,
        "retrain_outcomes": config.retrain_outcomes,
    }


def _speaks(
    outcomes: pd.DataFrame,
    config: OutcomesConfig,
    learnable: Callable[[], pd.Series[bool]] | None,
) -> pd.Series[bool]:
    """Which outcomes another training would learn from."""
    known = outcomes["known"].astype(bool)
    if config.learn_from is None or known.sum() < config.learn_from:
        return pd.Series(data=False, index=outcomes.index)
    return known if learnable is None else learnable()


def ended_after(by_day: Mapping[str, int], day: str) -> int:
    """How many outcomes of a report's `learnable_by_day` ended after a day, as 2027-03-01: whoever
    trained on that day didn't know them."""
    return sum(count for ended, count in by_day.items() if ended > day)


def _not_learnt(
    outcomes: pd.DataFrame, speaks: pd.Series[bool], by_day: Mapping[str, int], serving: Serving
) -> int:
    """How many outcomes another training would learn from that the release in service didn't.

    What was known to that one taught it nothing where too few of its kind were, or its contact was
    reported as sent only later: once it can be learnt from, it is as new as any. Where the release
    doesn't say how many it learnt from, that is all of the first that were known. As old decisions
    are removed there may be no more than then, so all that ended after it was made count at least.
    """
    later = ended_after(by_day, serving.made) if serving.made else 0
    if serving.learnt is not None:
        return max(later, int(speaks.sum()) - serving.learnt)
    known = outcomes[outcomes["known"]].sort_values("time", kind="stable")
    return max(later, int(speaks[known.index[serving.outcomes :]].sum()))


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
    fresh = first_of_a_period(outcomes, days)[mine.index]
    lately = mine.index.isin(conduct.recent(mine, days, now).index)
    parts = [mine[fresh & part].drop_duplicates("customer") for part in (~lately, lately)]
    return seen.loc[parts[0].index], seen.loc[parts[1].index]
