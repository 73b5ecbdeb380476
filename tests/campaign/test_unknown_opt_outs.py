"""Opt-outs under ids that are nearly a customer's keep nobody out: plans and the status say so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from churn_assets.campaign.status import status_of
from churn_assets.cli.campaign_status import show_status
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import Artifact
from tests.campaign.test_status import told
from tests.campaign.test_workflow import NOW, Desk, desk

__all__ = ["desk"]  # a fixture

SAID = (
    "1 of 2 ids that opted out are of no customer in the latest predictions or the history, as "
    "'t-00003': they are customers' ids but for zeros, capitals or punctuation, so they keep "
    "nobody out"
)
BEFORE = NOW - timedelta(days=1)


def test_a_misspelt_opt_out_is_named(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """As it was written it was taken, and its customer stayed on the list; nothing said so. Once it
    is erased and told as it should be, there is nothing to look at."""
    campaigns = desk()
    campaigns.ledger.record(
        [told("T00002", "opted_out", BEFORE), told("t-00003", "opted_out", BEFORE)]
    )
    assert campaigns.plan(NOW, "Ana", curves=False).report["warnings"] == [SAID]
    report = status_of(campaigns, NOW, 5)
    assert report["unknown_opt_outs"] == SAID
    show_status(report)
    assert SAID in capsys.readouterr().out
    campaigns.ledger.erase("t-00003")
    campaigns.ledger.record([told("T00003", "opted_out", BEFORE)])
    assert campaigns.plan(NOW, "Ana", curves=False).report["warnings"] == []
    assert status_of(campaigns, NOW, 5)["unknown_opt_outs"] is None


def test_who_left_long_ago_is_not_named(desk: Desk) -> None:
    """Why: customers whom the history has no more piled up in every plan's warnings for good, and
    the right opt-outs were to be erased. Nothing is wrong with them."""
    campaigns = desk()
    gone = [told(f"X{n}", "opted_out", BEFORE) for n in range(5)]
    campaigns.ledger.record([told("T00002", "opted_out", BEFORE), *gone])
    assert campaigns.plan(NOW, "Ana", curves=False).report["warnings"] == []
    assert status_of(campaigns, NOW, 5)["unknown_opt_outs"] is None
    campaigns.ledger.record([told("t-00003", "opted_out", BEFORE)])
    said = SAID.replace("1 of 2", "1 of 7")
    assert campaigns.plan(NOW, "Ana", curves=False).report["warnings"] == [said]


def test_who_came_back_and_who_said_nothing_is_not_named(desk: Desk) -> None:
    """Only what should keep somebody out, and doesn't, is to be looked at."""
    campaigns = desk()
    back = told("t-00003", "opted_in", NOW - timedelta(hours=1))
    silent = told("t-00004", "sent", BEFORE)
    campaigns.ledger.record([told("t-00003", "opted_out", BEFORE), back, silent])
    assert campaigns.plan(NOW, "Ana", curves=False).report["warnings"] == []


def test_a_draft_says_what_was_told_since(desk: Desk) -> None:
    """By the schedule: its contacts are the same, and its warnings aren't."""
    campaigns = desk()
    campaigns.draft(NOW, "the schedule")
    minute = NOW + timedelta(minutes=1)
    assert not campaigns.draft(minute, "the schedule")[1]
    campaigns.ledger.record([told("t-00003", "opted_out", BEFORE)])
    again, new = campaigns.draft(minute, "the schedule")
    assert new
    assert again.report["warnings"] == [SAID.replace("1 of 2", "1 of 1")]


def test_where_nobody_can_look_it_up_that_is_said(desk: Desk, store: LocalArtifactStore) -> None:
    """A history that is lost stops neither plan nor status."""
    campaigns = desk()
    campaigns.ledger.record([told("t-00003", "opted_out", BEFORE)])
    lost = Artifact(name="customer_history", sha256="0" * 64)
    store.write_pointer(asset_pointer(lost.name), lost.model_dump_json().encode())
    try:
        (said,) = campaigns.plan(NOW, "Ana", curves=False).report["warnings"]
        assert status_of(campaigns, NOW, 5)["unknown_opt_outs"] == said
    finally:
        store.delete_pointer(asset_pointer(lost.name))
    assert said.startswith("whether the ids that opted out are of customers couldn't be looked up")
