"""What a plan says that somebody has to look at: in its report, wherever that is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from churn_assets.campaign.assets import campaign_plan
from churn_assets.campaign.errors import CampaignError
from churn_assets.campaign.planning.plan import Planner
from churn_assets.campaign.planning.warnings import (
    FEW_GONE,
    NOBODY_GAINS,
    NOBODY_NAMED,
    gone_of,
    warnings_of,
)
from churn_assets.customers.counted import ACTIVE, note
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import Artifact
from tests.campaign.test_workflow import NOW, Desk, desk

__all__ = ["desk"]  # a fixture

UNKNOWN = (
    "1 of 2 ids of the suppression list are of no customer in the latest predictions or the "
    "history, as '{}': are they written as in the customers' own table?"
)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A suppression list, one of whose ids lost its zeros."""
    file = tmp_path / "no.csv"
    file.write_text("customer_id\nT00002\nT3\n", encoding="utf-8")
    return file


def test_a_plan_says_which_listed_ids_no_customer_has(desk: Desk, listed: Path) -> None:
    """Kept with the plan, so that whoever looks at it later is told, too; and a list without such
    ids is nothing to look at."""
    campaigns = desk(rules={"suppression_list": listed})
    assert campaigns.plan(NOW, "Ana", curves=False).report["warnings"] == [UNKNOWN.format("T3")]
    assert campaigns.show()[0].report["warnings"] == [UNKNOWN.format("T3")]
    listed.write_text("customer_id\nT00002\n", encoding="utf-8")
    assert campaigns.plan(NOW, "Ana", curves=False).report["warnings"] == []
    listed.write_text("customer_id\nT2\n", encoding="utf-8")
    assert campaigns.plan(NOW, "Ana", curves=False).report["warnings"] == [NOBODY_NAMED]


def test_who_was_erased_is_on_the_list_by_right(desk: Desk, listed: Path) -> None:
    """Whoever erased a customer keeps the "no" on the list: it is no misspelling, and the id must
    come back into no report."""
    campaigns = desk(rules={"suppression_list": listed})
    campaigns.ledger.erase("T3")
    assert campaigns.plan(NOW, "Ana", curves=False).report["warnings"] == []


def test_a_draft_says_what_is_wrong_with_the_list_as_it_is_now(desk: Desk, listed: Path) -> None:
    """By the schedule: its contacts are the same, and its warnings aren't."""
    campaigns = desk(rules={"suppression_list": listed})
    campaigns.draft(NOW, "the schedule")
    minute = NOW + timedelta(minutes=1)
    assert not campaigns.draft(minute, "the schedule")[1]
    listed.write_text("customer_id\nT00002\nT4\n", encoding="utf-8")
    again, new = campaigns.draft(minute, "the schedule")
    assert (new, again.report["warnings"]) == (True, [UNKNOWN.format("T4")])


def test_a_history_that_is_lost_stops_no_plan(
    desk: Desk, listed: Path, store: LocalArtifactStore
) -> None:
    """Whose the ids are can't be told then, which is said."""
    lost = Artifact(name="customer_history", sha256="0" * 64)
    store.write_pointer(asset_pointer(lost.name), lost.model_dump_json().encode())
    try:
        (said,) = desk(rules={"suppression_list": listed}).plan(NOW, "Ana").report["warnings"]
    finally:
        store.delete_pointer(asset_pointer(lost.name))
    assert said.startswith("whether the ids of the suppression list are of customers couldn't be")
    assert "customer_history" in said


def test_the_nightly_plan_says_it(
    desk: Desk, listed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In the asset's metadata and log, and not where there is nothing to look at. Ids aren't in
    them: no erasure reaches what Dagster keeps."""
    context = dg.build_asset_context()

    def planned() -> dict[str, Any]:
        made = campaign_plan(context, lambda: desk(rules={"suppression_list": listed}))
        assert isinstance(made, dg.MaterializeResult)
        return dict(made.metadata or {})

    told = planned()
    assert told["warnings"] == 1
    logged = "".join(capfd.readouterr())
    assert f"1 to look at first: churn campaign show {told['plan_id']}" in logged
    assert "T3" not in str(told) + logged
    listed.write_text("customer_id\nT00002\n", encoding="utf-8")
    assert "warnings" not in planned()


def test_ids_are_looked_up_only_where_some_are_customers() -> None:
    """A list that names nobody is said to; reading everybody's history besides tells no more."""
    assert warnings_of(0, pytest.fail, None) == [NOBODY_NAMED]
    assert warnings_of(None, pytest.fail, None) == []
    assert warnings_of(1, lambda: "some", None) == ["some"]


DEAR = {"email": {"contacts_a_day": 20, "cost": 1e6}}
"""A channel by which nobody gains."""


def test_a_release_that_finds_nobody_worth_contacting_says_so(desk: Desk) -> None:
    """An empty plan was made, approved and sent without a word, night after night."""
    plan = desk(channels=DEAR).plan(NOW, "Ana", curves=False)
    assert plan.report["warnings"] == [NOBODY_GAINS]
    assert NOBODY_GAINS not in desk().plan(NOW, "Ana", curves=False).report["warnings"]


def test_a_plan_without_a_contact_is_not_approved(desk: Desk) -> None:
    """One line says why; whatever was approved before stays in force."""
    campaigns = desk()
    before = campaigns.plan(NOW, "Ana", curves=False).plan_id
    campaigns.approve(before, "Ana", NOW)
    campaigns.cancel(before, "Ana")  # or its promises would be the next one's
    empty = desk(channels=DEAR).plan(NOW, "Ana", curves=False)
    assert not empty.contacts.num_rows
    with pytest.raises(CampaignError, match="has no contact, so there is nothing to") as raised:
        campaigns.approve(empty.plan_id, "Ana", NOW)
    assert "\n" not in str(raised.value)
    assert "finds nobody worth contacting" in str(raised.value)
    assert campaigns.show(empty.plan_id)[1] == "draft"


def test_a_draft_of_which_nothing_can_be_sent_is_not_approved(desk: Desk) -> None:
    """Approved, its contacts were decisions in the log that nobody could carry out."""
    campaigns = desk()
    draft = campaigns.plan(NOW, "Ana", curves=False).plan_id
    hours = timedelta(hours=campaigns.config.max_age_hours)
    with pytest.raises(CampaignError, match=r"hours old, and .* are allowed: plan again"):
        campaigns.approve(draft, "Ana", NOW + hours + timedelta(minutes=1))
    assert campaigns.show(draft)[1] == "draft"
    campaigns.approve(draft, "Ana", NOW + hours)
    campaigns.approve(draft, "Ana", NOW + 2 * hours)  # again: it is approved


def test_customers_who_may_not_be_contacted_are_no_sign_of_the_release(
    desk: Desk, tmp_path: Path
) -> None:
    """A plan is empty, too, where the rules leave everybody out."""
    campaigns = desk(rules={"minimum_tenure": 10_000}, channels=DEAR)
    plan = campaigns.plan(NOW, "Ana", curves=False)
    assert NOBODY_GAINS not in plan.report["warnings"]


def test_promises_that_a_half_exported_table_loses_are_said(desk: Desk) -> None:
    """They vanished without a word: "contacts of 1,921 customers", where there had been 4,358."""
    campaigns = desk()
    before = campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(before.plan_id, "Ana", NOW)
    whole = campaigns.planner(NOW + timedelta(hours=1))
    assert whole.warnings == []
    promised = before.contacts["customer_id"].to_pylist()
    table = whole.sources.table

    def without(lost: list[str]) -> Planner:
        there = pc.invert(pc.is_in(table["customer_id"], pa.array(lost)))
        sources = replace(whole.sources, table=table.filter(there))
        return Planner(sources, campaigns.config, whole.now)

    half = without(promised[::2])
    report = half.plan(curves=False).report
    (said,) = report["warnings"]
    lost = len(promised[::2])
    assert said.startswith(f"{lost} of {len(promised)} contacts that were promised aren't in this")
    assert f"{table.num_rows - lost:,} now" in said
    assert "don't approve this plan" in said
    assert report["promised"] + report["promised_later"] == len(promised) - lost
    assert without(promised[:FEW_GONE]).warnings != []
    assert without(promised[: FEW_GONE - 1]).warnings == []  # some leave every day


def test_a_table_that_lost_rows_is_said_where_nothing_was_promised(desk: Desk) -> None:
    """Whoever approves the first plan after a broken export sees both counts."""
    campaigns = desk()
    note(campaigns.store, ACTIVE, "small", 8_000, NOW - timedelta(days=1))
    assert campaigns.plan(NOW, "Ana", curves=False).report["warnings"] == []
    note(campaigns.store, ACTIVE, "small", 4_000, NOW)
    (said,) = campaigns.plan(NOW, "Ana", curves=False).report["warnings"]
    assert said.startswith("Only 4,000 customers are active, and 8,000 were on")


def test_a_small_share_of_many_promises_is_nothing_to_look_at() -> None:
    """The larger the company, the more leave in a day."""
    ids = [str(i) for i in range(1_000)]
    assert gone_of(ids, set(ids[99:])) is None
    assert gone_of(ids, set(ids[100:])) is not None
    assert gone_of([], set(ids)) is None
