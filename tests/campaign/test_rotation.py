"""The control group is drawn anew while contacts are promised: both groups count from the first
plan after it, and money that is accepted is neither lost nor counted twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from churn_assets.domain.experiment import CONTROL, ExperimentConfig, draw_in_force, group_of
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.drawn import customers_of
from churn_assets.outcomes.joining import join, without_ids
from churn_assets.serving.decision_log import parts
from churn_assets.storage.local import LocalArtifactStore
from tests.campaign.test_workflow import NOW, TODAY, TOMORROW, Desk, desk

__all__ = ["desk"]  # a fixture

RUNNING = ExperimentConfig(enabled=True, control_share=0.4)
ROTATED = RUNNING.model_copy(update={"rotation_dates": (TOMORROW,)})
MORNING = NOW + timedelta(days=1)
KNOWN = NOW + timedelta(days=100)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ROTATED, ROTATED),
        (ExperimentConfig(), RUNNING),
        (RUNNING, ROTATED.model_copy(update={"control_share": 0.1})),
    ],
    ids=["rotation date", "on", "share and rotation date"],
)
def test_both_groups_count_from_the_first_plan_after_a_draw(
    desk: Desk, store: LocalArtifactStore, before: ExperimentConfig, after: ExperimentConfig
) -> None:
    """A plan before the draw, one on each of the two days after it; every contact that is sent is
    accepted, and the answer names its decision."""
    desk(before).plan(NOW, "Ana", curves=False)
    promised = desk(before).approve(None, "Eva", NOW)
    desk(before).hand_over(None, TODAY, NOW, "Eva")
    sent, plans = dict[str, str](), [promised]
    for days in (1, 2):
        now = NOW + timedelta(days=days)
        campaigns = desk(after)
        campaigns.plan(now, "Ana", curves=False)
        plans.append(campaigns.approve(None, "Eva", now))
        listed = campaigns.export(None, now.date(), now)
        sent |= {row["customer_id"]: row["decision_id"] for row in listed.rows}
        campaigns.hand_over(None, now.date(), now, "Eva")
    kept = {customer for customer, decided in sent.items() if decided.startswith(promised)}
    assert kept  # promised before the draw, and made after it
    events = [accepted(customer, decided) for customer, decided in sent.items()]
    log = parts.read(store).to_pandas()
    log = log[log["decision_id"].str.rsplit(":", n=1).str[0].isin(plans)]
    table = join(log, events, OutcomesConfig(), KNOWN).table
    draw = draw_in_force(after, MORNING)
    found = customers_of(without_ids(table), draw)
    assert len(found) == log["customer_id"].nunique() == 90
    assert set(found["time"]) == {pd.Timestamp(MORNING)}
    control = {c for c in log["customer_id"] if group_of(c, after, MORNING) == CONTROL}
    assert (found["group"] == "control").sum() == len(control)
    assert not found["contaminated"].any()
    given = table.set_index("decision_id")["spend"]
    assert found["spend"].sum() == pytest.approx(given[list(sent.values())].sum())
    assert given.sum() == pytest.approx(found["spend"].sum()) != 0
    contacts = table[table["contact"]].groupby("customer_id").size()
    assert (contacts[list(kept)] == 1).all()  # a promise is one, in whatever plans it is


def accepted(customer: str, decided: str) -> dict[str, Any]:
    """Two days after the draw, at an hour at which every list of the test has gone out."""
    return {
        "event_id": f"accepted-{decided}",
        "customer_id": customer,
        "kind": "accepted",
        "occurred_at": (NOW + timedelta(days=2, hours=12)).isoformat(),
        "decision_id": decided,
    }


def test_a_draw_that_stays_has_no_second_decision_about_a_promise(
    desk: Desk, store: LocalArtifactStore
) -> None:
    campaigns = desk(RUNNING)
    campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    again = campaigns.plan(MORNING, "Ana", curves=False)
    campaigns.approve(None, "Eva", MORNING)
    promised = {row["customer_id"] for row in again.contacts.to_pylist() if row["promised"]}
    decided = parts.read(store).to_pylist()
    mine = {r["customer_id"] for r in decided if r["decision_id"].startswith(again.plan_id)}
    assert promised
    assert promised.isdisjoint(mine)
