"""The decision log says from when each contact of a plan may be sent, so that an answer which names
no decision is of the same contact there as in the ledger."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.eligibility import Terms, opening
from churn_assets.campaign.people import Person
from churn_assets.campaign.planning.plan import Plan
from churn_assets.domain.contact_rules import ContactRules
from churn_assets.messages.shield.rules import QuietHours
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.joining import join
from churn_assets.serving.decision_log import parts
from churn_assets.storage.local import LocalArtifactStore
from tests.campaign.test_eligibility import CHANNELS, DAYS
from tests.campaign.test_workflow import NOW, TODAY, Desk, customers_of, desk, people

__all__ = ["desk"]  # a fixture


def logged(store: LocalArtifactStore, plan: Plan) -> dict[str, dict[str, Any]]:
    """Decision id -> what the log has of a plan's decisions."""
    rows = parts.read(store).to_pylist()
    return {r["decision_id"]: r for r in rows if r["decision_id"].startswith(f"{plan.plan_id}:")}


def test_the_log_has_from_when_each_list_lets_its_contacts_be_sent(
    desk: Desk, store: LocalArtifactStore, tmp_path: Path
) -> None:
    """By day, channel and zone; who isn't contacted has no day."""
    first, second, *_ = customers_of(desk().planner(NOW).plan(curves=False))
    zones = f"{first},,America/Los_Angeles,\n{second},,Asia/Tokyo,\n"
    campaigns = desk(people=people(tmp_path, zones))
    plan = campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    found = logged(store, plan)
    days = sorted({row["day"] for row in plan.contacts.to_pylist()})
    assert len(days) > 2
    listed = {
        row["decision_id"]: datetime.fromisoformat(row["send_not_before"])
        for day in days
        for row in campaigns.export(None, day, NOW).rows
    }
    assert {name.rsplit(":", 1)[1] for name in listed} >= {first, second}
    told = {name: row["contact_from"] for name, row in found.items() if row["contact"]}
    assert told == listed
    assert {row["contact_from"] for row in found.values() if not row["contact"]} == {None}


def test_log_and_ledger_credit_the_same_contact(desk: Desk, store: LocalArtifactStore) -> None:
    """Contacted today; three days later a plan has another contact for a later day. Who accepts in
    between, and names no decision, accepts what was sent."""
    rules = {"cooldown_days": 4}
    campaigns = desk(rules=rules, days=2, budget=1e6)
    before = campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    campaigns.hand_over(None, TODAY, NOW, "Eva")
    later = NOW + timedelta(days=3)
    campaigns = desk(rules=rules, budget=1e6)
    after = campaigns.plan(later, "Ana", curves=False)
    campaigns.approve(None, "Eva", later)
    new = {r["customer_id"]: r for r in after.contacts.to_pylist() if r["day"] > later.date()}
    both = [customer for customer in customers_of(before, TODAY) if customer in new]
    assert both
    log = parts.read(store).to_pandas()
    mine = log["decision_id"].str.rsplit(":", n=1).str[0].isin([before.plan_id, after.plan_id])
    for customer in both:
        told = {"customer_id": customer, "kind": "accepted", "occurred_at": later.isoformat()}
        campaigns.ledger.record([Event.model_validate(told | {"event_key": f"e{customer}"})])
        history = campaigns.ledger.histories([customer])[customer]
        [credited] = [c.decision_id for c in history.contacts if c.answer == "accepted"]
        event = told | {"event_id": "e", "decision_id": None, "offer_percentage": None}
        table = join(log[mine], [event], OutcomesConfig(), later + timedelta(days=60)).table
        assert table.loc[table["accepted"], "decision_id"].tolist() == [credited]
        assert credited == f"{before.plan_id}:{customer}"


@pytest.mark.parametrize(
    ("zone", "channel", "day", "expected"),
    [
        ("Europe/Madrid", "email", 1, "2026-03-11T07:00:00+00:00"),
        ("Europe/Madrid", "call", 1, "2026-03-11T08:00:00+00:00"),
        ("Asia/Tokyo", "email", 1, "2026-03-10T23:00:00+00:00"),
        (None, "email", 1, "2026-03-11T07:00:00+00:00"),
        ("Europe/Madrid", "email", 0, "2026-03-10T10:00:00+00:00"),  # it is open already
        ("Asia/Tokyo", "email", 0, "2026-03-10T12:00:00+00:00"),  # no half hour of it is left
        ("Europe/Madrid", "letter", 1, "2026-03-11T12:00:00+00:00"),  # no channel any more
    ],
)
def test_from_when_a_contact_may_be_sent(
    zone: str | None, channel: str, day: int, expected: str
) -> None:
    now = datetime(2026, 3, 10, 10 if zone != "Asia/Tokyo" else 12, tzinfo=UTC)
    quiet = QuietHours(start=22, end=8)
    terms = Terms(ContactRules(), CHANNELS, DAYS, frozenset(), quiet, ["Europe/Madrid"], now)
    contact = {"customer_id": "A", "channel": channel, "day": DAYS[day]}
    assert opening([contact], {"A": Person(zone=zone)}, terms) == [datetime.fromisoformat(expected)]


def test_a_log_of_an_earlier_version_is_read_without_its_days(tmp_path: Path) -> None:
    """Files that were written before the column was there, beside newer ones."""
    store = LocalArtifactStore(tmp_path / "store")
    when = datetime(2026, 3, 10, 8, tzinfo=UTC)
    old = {"decision_id": "P:A", "time": when, "customer_id": "A", "contact": True}
    table = pa.Table.from_pylist([old], parts.SCHEMA).drop_columns(["contact_from"])
    content = io.BytesIO()
    pq.write_table(table, content)
    store.write_pointer(f"{parts.FOLDER}/2026-03-10/080000-0.parquet", content.getvalue())
    row = old | {"decision_id": "Q:B", "contact_from": when + timedelta(days=5)}
    parts.append(store, [tuple(row.get(name) for name in parts.SCHEMA.names)])
    parts.compact(store, date(2026, 3, 10))
    found = {row["decision_id"]: row["contact_from"] for row in parts.read(store).to_pylist()}
    assert found == {"P:A": None, "Q:B": when + timedelta(days=5)}
