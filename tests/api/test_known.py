"""What the ledger knows of a customer, in the answers of `POST /predict`."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from churn_assets.campaign.contacts.event import Kind
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.domain.contact_rules import RULES
from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.api.test_campaign import client, home, posted, sent, server, told

NO_CONTACT = {
    "contact": False,
    "offer_level": 0,
    "offer_percentage": 0,
    "delay_days": 7,
    "estimated_retention_prob": None,
}
__all__ = ["client", "home", "server"]  # fixtures


def test_a_history_that_the_caller_leaves_out_comes_from_the_ledger(
    client: httpx.Client, home: Path
) -> None:
    """As if the caller had given it; the answer says so. What the caller gives wins."""
    customer = SAMPLE_REQUEST["customer_id"]
    told(home, sent(customer, 3), sent(customer, 2, "refused"))
    given = {
        "days_since_contact": 3,
        "contacts_this_period": 1,
        "acceptances_this_period": 0,
        "refusals_this_period": 1,
        "acceptances_in_cooldown": 0,
        "acceptances_without_discount": 0,
        "previous_contacts": 0,
        "previous_outcome": "nonexistent",
        "budget_remaining": 1.0,
    }
    filled = posted(client, "/predict", **SAMPLE_REQUEST)
    by_caller = posted(client, "/predict", **SAMPLE_REQUEST, **given)
    assert filled["metadata"].pop("contact_history") == {
        "from_ledger": sorted(given),
        "from_caller": [],
        "opted_out": False,
        "churned": False,
    }
    assert by_caller["metadata"].pop("contact_history") == {
        "from_ledger": [],
        "from_caller": sorted(given),
        "opted_out": False,
        "churned": False,
    }
    assert filled == by_caller
    other = posted(client, "/predict", **SAMPLE_REQUEST, contacts_this_period=0)
    history = other["metadata"]["contact_history"]
    assert history["from_caller"] == ["contacts_this_period"]
    assert "refusals_this_period" not in history["from_ledger"]
    assert "days_since_contact" in history["from_ledger"]
    earlier = posted(client, "/predict", **SAMPLE_REQUEST, previous_contacts=2)["metadata"]
    assert "previous_outcome" not in earlier["contact_history"]["from_ledger"]


@pytest.mark.parametrize(("kind", "rule"), [("opted_out", "opt_out"), ("churned", "churned")])
def test_nobody_is_advised_to_contact_who_said_no(
    client: httpx.Client, home: Path, kind: Kind, rule: str
) -> None:
    """As in a plan, by the same rule and words; risk and values are as before, and no record is
    kept of what wasn't decided."""
    before = posted(client, "/predict", **SAMPLE_REQUEST)
    assert before["decision"]["contact"]
    told(home, sent(SAMPLE_REQUEST["customer_id"], 60, kind))
    alone = client.post("/predict", json=SAMPLE_REQUEST).json()
    batch = {"customers": [SAMPLE_REQUEST, {}, SAMPLE_REQUEST | {"customer_id": "another"}]}
    known, refused, other = client.post("/predict/batch", json=batch).json()["results"]
    for answer in (alone, known["answer"]):
        metadata = answer["metadata"]
        assert metadata["excluded"] == {"rule": rule, "text": RULES[rule]}
        assert metadata["contact_history"][kind] is True
        assert answer["decision"] | {"estimated_retention_prob": None} == NO_CONTACT
        assert (answer["message"], metadata["expected_value"]) == (None, 0.0)
        assert metadata["churn_risk"] == before["metadata"]["churn_risk"]
        assert metadata["warnings"] == before["metadata"]["warnings"]
        assert "decision_id" not in metadata
    assert refused["answer"] is None
    assert other["answer"]["decision"]["contact"]
    assert "decision_id" in other["answer"]["metadata"]
    told(home, sent(SAMPLE_REQUEST["customer_id"], 1, "opted_in"))
    back = posted(client, "/predict", **SAMPLE_REQUEST)
    assert back["decision"]["contact"]
    assert "excluded" not in back["metadata"]


def test_who_is_asked_for_in_other_capitals_is_advised_no_contact(client: httpx.Client) -> None:
    """Why: of UUIDs in capitals, as some systems write them, 44 of 47 of the control group and most
    of who had opted out were to be contacted, without a word."""
    wait_until_there(client)
    customer = client.get("/customers", params={"count": 1}).json()["customers"][0]["customer_id"]
    other = customer.swapcase() if customer.islower() or customer.isupper() else customer.lower()
    assert other != customer
    for asked, rule in ((customer, None), (other, "other_spelling"), ("quite-another", None)):
        request = SAMPLE_REQUEST | {"customer_id": asked}
        alone = client.post("/predict", json=request).json()
        batch = {"customers": [request, {"customer_id": 7}]}
        [row, _] = client.post("/predict/batch", json=batch).json()["results"]
        for answer in (alone, row["answer"]):
            metadata = answer["metadata"]
            assert metadata.get("excluded", {}).get("rule") == rule
            assert ("decision_id" in metadata) == (rule is None)
            if rule is not None:
                assert answer["decision"] | {"estimated_retention_prob": None} == NO_CONTACT
                assert answer["message"] is None
                assert metadata["excluded"]["text"] == RULES[rule]


def wait_until_there(client: httpx.Client) -> None:
    """Predictions are read after the release."""
    for _ in range(300):
        if client.get("/customers", params={"count": 1}).status_code == 200:
            return
        time.sleep(0.1)
    raise AssertionError("no predictions after 30 s")


def test_an_objection_holds_where_it_is_all_that_the_ledger_has(
    client: httpx.Client, home: Path
) -> None:
    """Why: a ledger without events was taken for empty, and nobody in it was asked for."""
    customer = SAMPLE_REQUEST["customer_id"]
    told(home, sent(customer, 60, "opted_out"))
    ledger = Ledger.open("", home)
    ledger.erase(customer)
    ledger.close()
    answer = posted(client, "/predict", **SAMPLE_REQUEST)
    assert answer["metadata"]["excluded"]["rule"] == "opt_out"
    assert not answer["decision"]["contact"]


def test_a_customer_s_row_says_that_they_said_no_and_since_when(
    client: httpx.Client, home: Path
) -> None:
    """Why: the row of the night says `contact`, and who looks one customer up saw nothing else."""
    path = "/customers/T00001"
    assert "excluded" not in client.get(path).json()
    first, again = sent("T00001", 60, "opted_out"), sent("T00001", 20, "opted_out")
    told(home, sent("T00001", 90, "opted_out"), sent("T00001", 70, "opted_in"), first, again)
    since = first.occurred_at.isoformat()
    opted_out = {"rule": "opt_out", "text": RULES["opt_out"], "since": since}
    assert client.get(path).json()["excluded"] == opted_out
    listed = client.get("/customers", params={"search": "T0000"}).json()["customers"]
    assert {row["customer_id"]: row.get("excluded") for row in listed} == {
        row["customer_id"]: opted_out if row["customer_id"] == "T00001" else None for row in listed
    }
    history = client.get(path + "/contacts").json()
    assert (history["opted_out_since"], history["churned"]) == (since, None)
    assert history["excluded"] == opted_out
    told(home, left := sent("T00001", 10, "churned"))
    excluded = client.get(path).json()["excluded"]
    assert (excluded["rule"], excluded["since"]) == ("churned", left.occurred_at.isoformat())
    assert client.get(path + "/contacts").json()["churned"] == left.occurred_at.isoformat()
    ledger = Ledger.open("", home)
    ledger.erase("T00001")
    ledger.close()
    assert client.get(path).json()["excluded"] == opted_out | {"since": None}
