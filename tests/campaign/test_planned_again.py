"""Whom a plan handed over and nobody contacted is planned for again: `not_sent` in the ledger."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.feed import LedgerFeed
from churn_assets.campaign.contacts.importing import import_rows
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.contacts.log import campaign_rows
from churn_assets.campaign.contacts.opening import LateLedger
from churn_assets.campaign.status import status_of
from churn_assets.campaign.workflow import Campaigns
from churn_assets.cli.campaign_status import show_status
from churn_assets.serving.events import FeedbackEvent
from churn_assets.serving.feedback import open_feedback_log
from churn_assets.storage.local import LocalArtifactStore
from tests.campaign.test_status import approved, lines, told
from tests.campaign.test_workflow import NOW, TODAY, TOMORROW, Desk, customers_of, desk

__all__ = ["desk"]  # a fixture

MORNING = NOW + timedelta(days=1)
Rows = list[dict[str, Any]]


def handed_over(campaigns: Campaigns) -> Rows:
    """The contacts of a day's list that is handed over."""
    approved(campaigns, NOW)
    rows = campaigns.export(None, TODAY, NOW).rows
    assert campaigns.hand_over(None, TODAY, NOW, "Eva").new == len(rows) == 8
    return rows


def never(row: dict[str, Any], hours: float = 5, **changes: Any) -> Event:
    """A report that a contact of the list was never made."""
    event = told(row["customer_id"], "not_sent", NOW + timedelta(hours=hours))
    return event.model_copy(update={"decision_id": row["decision_id"]} | changes)


@pytest.mark.parametrize("named", [True, False])
def test_who_was_not_contacted_is_planned_for_again(desk: Desk, named: bool) -> None:
    """Within the cooldown of a contact that never was, and handed over as anybody else; the others
    are left to their cooldown."""
    campaigns = desk(days=1)
    rows = handed_over(campaigns)
    held, _ = campaigns.draft(MORNING, "the schedule")
    assert held.report["excluded"] == {"cooldown": 8}
    by_value = sorted(rows, key=lambda row: row["expected_value"], reverse=True)
    gone, name = by_value[:3], {} if named else {"decision_id": None}
    campaigns.ledger.record([never(row, **name) for row in gone])
    plan, new = campaigns.draft(MORNING, "the schedule")
    assert (new, plan.report["excluded"]) == (True, {"cooldown": 5})
    assert {row["customer_id"] for row in gone} <= {*customers_of(plan)}
    campaigns.approve(plan.plan_id, "Eva", MORNING)
    done = campaigns.hand_over(None, TOMORROW, MORNING, "Eva")  # asks the ledger once more
    assert (done.new, done.dropped) == (8, {})
    again = campaigns.ledger.histories()
    assert all(len(again[row["customer_id"]].contacts) == 1 for row in gone)


def test_a_list_that_was_thrown_away_is_planned_for_again_on_its_day(desk: Desk) -> None:
    """Its places are there again, and its contacts are in no list of the old plan."""
    campaigns = desk()
    rows = handed_over(campaigns)
    noon = NOW + timedelta(hours=4)
    held = campaigns.plan(noon, "Ana", curves=False)
    assert customers_of(held, TODAY) == []
    paid = sum(row["expected_cost"] for row in rows)
    assert held.report["paid"] == pytest.approx(paid, abs=0.01)
    assert paid > 0
    campaigns.ledger.record([never(row, 3) for row in rows])
    old = str(campaigns.approved())
    assert campaigns.export(old, TODAY, noon).rows == []
    plan = campaigns.plan(noon, "Ana", curves=False)
    assert len(customers_of(plan, TODAY)) == 8
    assert (plan.report["paid"], plan.report["excluded"]) == (0, {})
    campaigns.approve(plan.plan_id, "Eva", noon)
    assert campaigns.hand_over(plan.plan_id, TODAY, noon, "Eva").new == 8


def test_a_months_budget_has_the_money_back(desk: Desk) -> None:
    campaigns = desk(month_budget=900.0)
    rows = handed_over(campaigns)

    def spent() -> float:
        found: float = status_of(campaigns, MORNING, 2)["month"]["spent"]
        return found

    before = spent()
    assert before > 0
    campaigns.ledger.record([never(row) for row in rows[1:]])
    assert 0 < spent() < before / 2
    campaigns.ledger.record([never(rows[0])])
    assert spent() == 0


def test_a_day_says_how_many_were_never_made(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are neither sent nor waited for, and cost nothing; who opted out did so after a contact
    that was made."""
    campaigns = desk()
    rows = handed_over(campaigns)
    names = [row["customer_id"] for row in rows]
    sent = NOW + timedelta(hours=4)
    campaigns.ledger.record(
        [
            *(told(name, "sent", sent) for name in names[:4]),
            *(never(row) for row in rows[2:6]),
            told(names[4], "opted_out", sent + timedelta(days=1)),
        ]
    )
    line = lines(campaigns, MORNING)[TODAY.isoformat()]
    assert (line["planned"], line["handed_over"], line["list"]) == (8, 8, "handed over")
    assert (line["sent"], line["not_sent"], line["unreported"], line["opted_out"]) == (2, 4, 2, 0)
    made = [*rows[:2], *rows[6:]]
    assert line["expected"] == pytest.approx(sum(r["expected_cost"] for r in made), abs=0.01)
    assert line["taken"] == sum(row["channel"] == "call" for row in made)
    nothing = {"other_discounts": 0, "discounts_of_strangers": 0, "month": None}
    show_status({"days": [line], **nothing})
    shown = capsys.readouterr().out
    assert "Handed over and reported as not sent: 4" in shown
    assert "Handed over and not reported as sent: 2" in shown


def test_a_file_and_a_caller_may_tell_the_same(
    store: LocalArtifactStore, tmp_path: Path, desk: Desk
) -> None:
    """By `churn campaign import` as by `POST /feedback` (and so `churn outcomes import`), in one of
    these ways or in both, twice."""
    campaigns = desk()
    row, other = handed_over(campaigns)[:2]
    at = (NOW + timedelta(hours=5)).isoformat()
    fact = {"customer_id": row["customer_id"], "kind": "not_sent", "occurred_at": at}
    late = LateLedger("", tmp_path)
    with closing(LedgerFeed(open_feedback_log(store, tmp_path), late)) as feed, closing(late):
        for said in ({}, {"decision_id": row["decision_id"]}, {"channel": row["channel"]}):
            for _ in range(2):
                done = import_rows([fact | said], late.opened(), ZoneInfo("UTC"), MORNING)
                assert not done.refused
            name = "-".join(["e", *said])
            event = FeedbackEvent.model_validate(fact | said | {"event_id": name})
            for outcome in ("stored", "duplicate"):
                assert feed.record(event.event_id, event.model_dump_json()) == outcome
            histories = late.opened().histories()
            assert histories[row["customer_id"]].contacts == ()
            assert len(histories[row["customer_id"]].not_sent) == 1
            assert len(histories[other["customer_id"]].contacts) == 1


def test_an_older_ledger_takes_it(tmp_path: Path) -> None:
    """The table's columns are as they were."""
    ledger = Ledger.open("", tmp_path)
    event = told("A", "sent", NOW).model_copy(update={"decision_id": "D"})
    ledger.record([event])
    ledger.close()
    again = Ledger.open("", tmp_path)
    again.record([never({"customer_id": "A", "decision_id": "D"})])
    assert again.histories()["A"].contacts == ()
    again.close()


def learnt(*told: tuple[str, int, str | None]) -> Rows:
    """The rows of a campaign log, of what was reported (kind, day of March, decision)."""
    events = [
        {
            "event_id": f"e{i}",
            "customer_id": "C1",
            "kind": kind,
            "occurred_at": datetime(2026, 3, day, tzinfo=UTC).isoformat(),
            "offer_percentage": 5,
            "decision_id": decision,
        }
        for i, (kind, day, decision) in enumerate(told)
    ]
    customers = {"C1": {"partner": None, "monthly_charges": 70.0}}
    return campaign_rows(json.loads(json.dumps(events)), customers, MORNING + timedelta(30)).rows


def test_nothing_is_learnt_of_a_contact_that_was_never_made() -> None:
    """It is no row and no history; an answer to it, or another try, brings it back."""
    sent, no, yes = ("sent", 1, "D"), ("not_sent", 2, "D"), ("accepted", 3, "D")
    later = (("sent", 20, "E"), ("accepted", 21, "E"))
    told = ("contacts_this_period", "days_since_contact")
    assert [[row[n] for n in told] for row in learnt(sent, no, *later)] == [[0, None]]
    assert [[row[n] for n in told] for row in learnt(sent, *later)] == [[1, 19]]
    assert learnt(sent, no, ("accepted", 3, None)) == []
    assert learnt(sent, ("not_sent", 2, None), yes) == learnt(sent, yes)
    assert learnt(sent, no, yes) == learnt(sent, yes)
    assert learnt(sent, yes, ("not_sent", 4, "D"), *later) == learnt(sent, yes, *later)
    tried = learnt(sent, no, ("sent", 10, "D"), ("accepted", 11, "D"), *later)
    assert [[row[n] for n in told] for row in tried] == [[0, None], [1, 10]]
