"""A contact that was never made, as a retention team reports it over real HTTP."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.api.test_campaign import client, home, posted, server

__all__ = ["client", "home", "server"]  # fixtures


def report(client: httpx.Client, row: dict[str, str], kind: str, **changes: Any) -> httpx.Response:
    """What became of a contact of the list."""
    event = {
        "event_id": f"{kind}-{row['decision_id']}",
        "customer_id": row["customer_id"],
        "decision_id": row["decision_id"],
        "kind": kind,
        "occurred_at": datetime.now(UTC).isoformat(),
    }
    return client.post("/feedback", json=event | changes)


def handed_over(client: httpx.Client) -> list[dict[str, str]]:
    """The rows of a day's list that the sending system has taken."""
    plan = posted(client, "/campaign/plan", days=3)
    posted(client, "/campaign/plan/approve", plan_id=plan["plan_id"])
    later = plan["days"][2]  # by the company's clock, whatever the day is elsewhere
    listed = client.get("/campaign/plan/list", params={"day": later}).text
    rows = list(csv.DictReader(io.StringIO(listed, newline="")))
    assert posted(client, "/campaign/plan/handed-over", day=later)["new"] == len(rows) == 8
    posted(client, "/campaign/plan/cancel", plan_id=plan["plan_id"])  # the other days' promises
    return rows


def excluded(client: httpx.Client) -> set[str]:
    """Whom a plan for the same days leaves out, by the cooldown alone."""
    plan = posted(client, "/campaign/plan", days=3)
    found = client.get("/campaign/plan/excluded", params={"plan_id": plan["plan_id"]}).json()
    assert {row["rule"] for row in found["customers"]} <= {"cooldown"}
    return {row["customer_id"] for row in found["customers"]}


def test_the_next_plan_has_whom_nobody_contacted(client: httpx.Client) -> None:
    """Planned, handed over, reported as not sent, planned again. Once is enough, twice is no more,
    and who was reached after all is left alone again."""
    rows = handed_over(client)
    held = excluded(client)
    assert held == {row["customer_id"] for row in rows}
    gone, names = rows[:3], {row["customer_id"] for row in rows[:3]}
    sent = report(client, gone[0], "sent")
    assert sent.status_code == 200, sent.text
    at = datetime.now(UTC).isoformat()
    for duplicate in (False, True):
        answers = [report(client, row, "not_sent", occurred_at=at) for row in gone]
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.json()["duplicate"] for answer in answers} == {duplicate}
        assert excluded(client) == held - names
    plan = client.get("/campaign/plan/contacts", params={"count": 500}).json()["contacts"]
    again = {row["customer_id"]: row for row in plan if row["customer_id"] in names}
    assert again
    assert all(row["decision_id"] not in {r["decision_id"] for r in gone} for row in again.values())
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert report(client, gone[1], "sent", occurred_at=later).status_code == 200
    assert excluded(client) == held - names | {gone[1]["customer_id"]}


def test_a_single_decision_knows_of_no_contact_that_never_was(client: httpx.Client) -> None:
    """`POST /predict` is filled with none, and the customer's history has none."""
    row, other = handed_over(client)[:2]
    assert report(client, row, "not_sent").status_code == 200

    def known(customer: str) -> tuple[list[str], int]:
        answer = posted(client, "/predict", **SAMPLE_REQUEST | {"customer_id": customer})
        history = client.get(f"/customers/{customer}/contacts").json()
        added = answer["metadata"]["contact_history"]["from_ledger"]
        return added, len(history["contacts"])

    contacted, none = known(other["customer_id"]), known(row["customer_id"])
    assert (contacted[1], none[1]) == (1, 0)
    assert "days_since_contact" in contacted[0]
    assert "days_since_contact" not in none[0]


def test_the_document_names_the_kind(client: httpx.Client) -> None:
    schema = client.get("/openapi.json").json()["components"]["schemas"]["FeedbackEvent"]
    assert "not_sent" in schema["properties"]["kind"]["enum"]
    assert "never made" in schema["properties"]["kind"]["description"]
