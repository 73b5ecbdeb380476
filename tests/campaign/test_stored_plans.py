"""Plans' files: those of the approved plan outlive every draft, the others go in the end."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from churn_assets.campaign import stored_plans, workflow
from churn_assets.campaign.errors import CampaignError
from churn_assets.campaign.workflow import Campaigns
from churn_assets.orchestration.resources import KEPT_VERSIONS, ArtifactIOManager, StoreResource
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import DamagedArtifactError
from tests.campaign.test_workflow import NOW, TODAY, TOMORROW, Desk, desk

__all__ = ["desk"]  # a fixture


def materialize(campaigns: Campaigns, store: LocalArtifactStore, plan_id: str) -> None:
    """What follows the asset that made a plan."""
    manager = ArtifactIOManager(store=StoreResource(url=store.url, cache=""))
    context = dg.build_output_context(asset_key=dg.AssetKey("campaign_plan"))
    manager.handle_output(context, campaigns.stored(plan_id)[1])


def is_stored(campaigns: Campaigns, store: LocalArtifactStore, plan_id: str) -> bool:
    artifact = campaigns.stored(plan_id)[1]
    return artifact.version in store.versions(artifact.name)


def test_an_approved_plan_outlives_all_drafts(
    desk: Desk, store: LocalArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the schedule and people plan beside it: it is delivered, and later plans keep its
    promises and take its place. Of the drafts the newest stay."""
    monkeypatch.setattr(stored_plans, "KEPT", KEPT_VERSIONS + 1)
    campaigns = desk(deliver_to=str(tmp_path / "out"), days=2)
    first = campaigns.plan(NOW, "Ana", curves=False).plan_id
    campaigns.approve(first, "Eva", NOW)
    drafts = []
    for minute in range(1, KEPT_VERSIONS + 3):
        now = NOW + timedelta(minutes=minute)
        drafts.append(campaigns.plan(now, "Ana", curves=False).plan_id)
        materialize(campaigns, store, drafts[-1])
    assert campaigns.deliver(TODAY, now, "the schedule").handed_over.new == 8
    now += timedelta(minutes=1)
    last = campaigns.plan(now, "Ana", curves=False)
    assert last.report["promised"] > 0
    assert [is_stored(campaigns, store, draft) for draft in drafts] == 2 * [False] + 5 * [True]
    for use in (campaigns.show, lambda plan_id: campaigns.approve(plan_id, "Eva", now)):
        with pytest.raises(CampaignError, match=f"plan {drafts[0]} aren't kept any more.*newest 6"):
            use(drafts[0])
    assert campaigns.approve(last.plan_id, "Eva", now) == last.plan_id
    assert campaigns.show(first)[1] == "replaced"
    assert campaigns.deliver(TOMORROW, now + timedelta(days=1), "the schedule").handed_over.new == 8


def test_a_plan_whose_list_may_be_out_stays_until_its_days_are_over(
    desk: Desk, store: LocalArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who took it away says so in the evening, or after the weekend."""
    monkeypatch.setattr(stored_plans, "KEPT", 1)
    campaigns = desk(days=2)
    first = campaigns.plan(NOW, "Ana", curves=False).plan_id
    campaigns.approve(first, "Eva", NOW)
    assert len(campaigns.export(first, TOMORROW, NOW).rows) == 8
    campaigns.cancel(first, "Eva")
    for days in range(2):
        campaigns.plan(NOW + timedelta(days=days, hours=1), "Ana", curves=False)
        assert campaigns.show(first)[1] == "cancelled"
    assert campaigns.hand_over(first, TOMORROW, NOW + timedelta(days=1), "Ana").new == 8
    campaigns.plan(NOW + timedelta(days=2), "Ana", curves=False)
    assert not is_stored(campaigns, store, first)
    assert [step.step for step in campaigns.ledger.steps(first)][-1] == f"handed over {TOMORROW}"


def test_a_draft_is_not_approved_while_its_files_go(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody plans while somebody else approves an old draft: one of both comes first."""
    monkeypatch.setattr(stored_plans, "KEPT", 1)
    campaigns, others = desk(), desk()
    old = campaigns.plan(NOW, "Ana", curves=False).plan_id
    decisions_of = workflow.decisions_of

    def meanwhile(*given: Any) -> Any:
        others.plan(NOW + timedelta(minutes=1), "the schedule", curves=False)
        return decisions_of(*given)

    monkeypatch.setattr(workflow, "decisions_of", meanwhile)
    with pytest.raises(CampaignError, match=f"plan {old} is replaced: make another one"):
        campaigns.approve(old, "Eva", NOW)
    assert campaigns.approved() is None


def test_an_approved_plan_that_was_lost_is_cancelled(desk: Desk, store: LocalArtifactStore) -> None:
    """Its promises are unknown, so that nothing can be planned beside it: said with what to do."""
    campaigns = desk()
    lost = campaigns.plan(NOW, "Ana", curves=False).plan_id
    campaigns.approve(lost, "Eva", NOW)
    artifact = campaigns.stored(lost)[1]
    store.delete(artifact.name, artifact.version)
    with pytest.raises(DamagedArtifactError, match=f"churn campaign cancel {lost}"):
        campaigns.plan(NOW + timedelta(hours=1), "Ana", curves=False)
    campaigns.cancel(lost, "Eva")
    assert campaigns.plan(NOW + timedelta(hours=1), "Ana", curves=False).report["promised"] == 0


def test_plans_from_before_they_had_names_of_their_own_are_read(
    desk: Desk, store: LocalArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were versions of one artifact; they are approved, kept and removed like others."""
    monkeypatch.setattr(stored_plans, "KEPT", 1)
    campaigns = desk(days=1)
    plan = campaigns.planner(NOW).plan(curves=False)
    plan.save(tmp_path)
    artifact = store.put("campaign_plan", tmp_path)
    content = {
        "artifact": artifact.model_dump(),
        "created": NOW.isoformat(),
        "days": plan.report["days"],
        "made_from": "",
    }
    campaigns.ledger.add_plan(plan.plan_id, json.dumps(content), "Ana")
    campaigns.approve(None, "Eva", NOW)
    later = campaigns.plan(NOW + timedelta(days=1), "Ana", curves=False)
    materialize(campaigns, store, later.plan_id)
    assert campaigns.show(plan.plan_id)[0].contacts == plan.contacts
    assert campaigns.hand_over(plan.plan_id, TODAY, NOW, "Ana").new == 8
    campaigns.cancel(plan.plan_id, "Eva")
    campaigns.plan(NOW + timedelta(days=1, hours=1), "Ana", curves=False)
    assert not is_stored(campaigns, store, plan.plan_id)
