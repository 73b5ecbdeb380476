"""What was delivered reached a customer: the ledger counts it once, whatever else was reported."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from churn_assets.campaign.contacts.event import PLANNED, Event
from churn_assets.campaign.contacts.feed import LedgerFeed
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.opening import LateLedger
from churn_assets.serving.feedback import open_feedback_log
from churn_assets.storage.local import LocalArtifactStore

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def reported(
    home: Path, told: Sequence[tuple[str, float, str | None]], plan: bool = False
) -> History:
    """What the ledger has of a customer after these reports: kind, hours after the start, and
    decision."""
    late, store = LateLedger("", home), LocalArtifactStore(home / "store")
    with closing(LedgerFeed(open_feedback_log(store, home), late)) as feed, closing(late):
        if plan:
            late.opened().record(
                [Event(event_key=f"{PLANNED}P:A", customer_id="A", kind="sent", occurred_at=START)]
            )
        for i, (kind, hours, decision) in enumerate(told):
            at = (START + timedelta(hours=hours)).isoformat()
            event = {"customer_id": "A", "kind": kind, "occurred_at": at, "decision_id": decision}
            assert feed.record(f"e{i}", json.dumps({"event_id": f"e{i}"} | event)) == "stored"
        return late.opened().histories(["A"]).get("A", History())


@pytest.mark.parametrize("plan", [True, False])
def test_a_contact_of_which_only_its_delivery_is_told_counts(plan: bool, tmp_path: Path) -> None:
    """Why: who reports what arrived, and not what was sent, had decisions of the API that no cap,
    no cooldown and no fatigue knew of, while outcomes counted them."""
    history = reported(tmp_path, [("delivered", 1, "P:A")], plan)
    assert [contact.decision_id for contact in history.contacts] == ["P:A"]
    assert [contact.confirmed for contact in history.contacts] == [plan]
    assert history.fields(START + timedelta(days=1), 7)["contacts_this_period"] == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("plan", [True, False])
def test_sent_and_delivered_are_one_contact(
    plan: bool, order: tuple[int, ...], tmp_path: Path
) -> None:
    told = [("sent", 1.0, "P:A"), ("delivered", 30.0, "P:A")]
    assert len(reported(tmp_path, [told[i] for i in order], plan).contacts) == 1


def test_a_delivery_that_names_no_decision_is_no_second_contact(tmp_path: Path) -> None:
    """Of which contact it is, nobody can tell."""
    told = [("sent", 1.0, None), ("delivered", 30.0, None)]
    assert len(reported(tmp_path, told).contacts) == 1


@pytest.mark.parametrize(("hours", "contacts"), [(1.0, 1), (10.0, 1), (24.9, 1), (25.0, 2)])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_delivery_that_names_its_decision_is_of_what_was_sent_that_day(
    hours: float, contacts: int, order: tuple[int, ...], tmp_path: Path
) -> None:
    """The sender knows no decisions, the service that reports arrivals does: two contacts counted
    against the cap. One is left, made when it was sent, and answers find it by its decision."""
    told = [("sent", 1.0, None), ("delivered", hours, "P:A")]
    found = reported(tmp_path, [*(told[i] for i in order), ("accepted", 40.0, "P:A")])
    assert len(found.contacts) == contacts
    assert found.contacts[0].when == START + timedelta(hours=1)
    assert found.contacts[-1].decision_id == "P:A"
    assert found.contacts[-1].answer == "accepted"


def test_two_contacts_of_a_day_stay_two(tmp_path: Path) -> None:
    """A delivery is of one that was sent; what was sent with a decision is a contact of its own."""
    both = [("sent", 1.0, None), ("sent", 3.0, "P:A"), ("delivered", 4.0, "P:A")]
    assert len(reported(tmp_path / "a", both).contacts) == 2
    twice = [("sent", 1.0, None), ("sent", 2.0, None), ("delivered", 3.0, "P:A")]
    assert len(reported(tmp_path / "b", twice).contacts) == 2
    other = [("sent", 1.0, None), ("delivered", 2.0, "P:A"), ("delivered", 3.0, "P:B")]
    assert len(reported(tmp_path / "c", other).contacts) == 2


@pytest.mark.parametrize(("hours", "counts"), [(1.0, False), (3.0, True)])
def test_the_last_word_holds(hours: float, counts: bool, tmp_path: Path) -> None:
    """A mail that came back wasn't sent; what was delivered after that was another try. So
    outcomes have it."""
    told = [("not_sent", 2.0, "P:A"), ("delivered", hours, "P:A")]
    assert bool(reported(tmp_path, told, plan=True).contacts) == counts
