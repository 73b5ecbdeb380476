"""Checks of what happened after decisions: the table, and everything that is watched.

Only the table's schema blocks: nothing may be concluded, or learnt, from a broken one. What is
watched warns or fails in red, and stops nothing: the release in service has passed its own checks,
and a person decides what follows. Before there is anything to judge by, a check passes and says so.
"""

from __future__ import annotations

import dagster as dg
import pandas as pd
from pandera.errors import SchemaErrors

from checks.attach import check_on
from churn_assets.orchestration.resources import StoreResource
from churn_assets.outcomes.schemas import outcomes_of
from churn_assets.release.offers import offers_by_release
from churn_assets.stages.spec import Report
from churn_assets.storage.protocol import Artifact

SEVERITY = {"warn": dg.AssetCheckSeverity.WARN, "error": dg.AssetCheckSeverity.ERROR}
WATCHED = {
    "as_many_customers_are_active_as_lately": "No tenth fewer customers are active than on some "
    "day of the last 30: the table wasn't exported by half.",
    "customers_are_like_those_learnt_from": "Today's customers are as those that the models learnt "
    "from: by column, and to a classifier.",
    "scores_are_as_before": "Risk and acceptance of the customers decided on lately are as before.",
    "risk_came_true": "As many of those left alone have left as the risk said.",
    "acceptance_came_true": "As many of those contacted have accepted as decisions said.",
    "performance_is_expected_to_hold": "Before outcomes are known: the scores promise no worse "
    "ranking than the release measured.",
    "contacts_keep_to_control_group_and_cap": "Nobody of the control group was written to, nobody "
    "more often than the cap.",
    "spend_keeps_pace_with_the_budget": "Discounts are no more than what is due of the budget.",
    "fall_backs_are_rare": "The policy decides, the shield passes the messages, and nothing stands "
    "in for a component.",
    "logged_propensities_are_frequencies": "Things happened as often as the log's probabilities "
    "say.",
}
"""What is watched -> the fact that the check holds."""


@dg.asset_check(asset="campaign_outcomes", blocking=True)
def outcomes_have_their_schema(
    store: StoreResource, campaign_outcomes: Artifact
) -> dg.AssetCheckResult:
    """Every row is within the schema; nobody of the control group is contacted."""
    opened = store.open()
    table = pd.read_parquet(opened.get(campaign_outcomes) / "outcomes.parquet")
    try:
        outcomes_of(offers_by_release(opened).values()).validate(table, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases.groupby(["column", "check"], dropna=False).size()
        shown = cases.rename("rows").reset_index().to_markdown(index=False)
        return dg.AssetCheckResult(
            passed=False,
            description=f"{len(error.failure_cases):,} values are outside the schema",
            metadata={"failures": dg.MetadataValue.md(shown)},
        )
    return dg.AssetCheckResult(passed=True, metadata={"rows": len(table)})


def judge(name: str, report: Report) -> dg.AssetCheckResult:
    """The check's result: what the report found of one thing."""
    [finding] = [found for found in report["findings"] if found["name"] == name]
    figures = {key: value for key, value in finding["figures"].items() if _is_plain(value)}
    return dg.AssetCheckResult(
        passed=finding["state"] in ("ok", "unknown"),
        severity=SEVERITY.get(finding["state"], dg.AssetCheckSeverity.WARN),
        description=finding["sentence"],
        metadata={"state": finding["state"], **figures},
    )


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float | str)


def _watched(name: str, about: str) -> dg.AssetChecksDefinition:
    return check_on(
        "drift_report",
        lambda store, artifact: judge(name, store.report(artifact)),
        name=name,
        about=about,
        blocking=False,
    )


drift_checks = [_watched(name, about) for name, about in WATCHED.items()]
