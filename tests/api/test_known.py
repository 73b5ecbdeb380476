"""What the ledger knows of a customer, in the answers of `POST /predict`."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from churn_assets.campaign.contacts.history import Kind
from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.api.test_campaign import client, home, posted, sent, server, told

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


@pytest.mark.parametrize(
    ("kind", "warning"), [("opted_out", "holds an opt-out"), ("churned", "has left")]
)
def test_who_isn_t_to_be_contacted_is_warned_of(
    client: httpx.Client, home: Path, kind: Kind, warning: str
) -> None:
    """Why: `contact: true` and a message came without a word, but for a flag in a corner."""
    before = posted(client, "/predict", **SAMPLE_REQUEST)
    told(home, sent(SAMPLE_REQUEST["customer_id"], 60, kind))
    alone = posted(client, "/predict", **SAMPLE_REQUEST)
    rows = posted(client, "/predict/batch", customers=[SAMPLE_REQUEST, {}])["results"]
    for answer in (alone, rows[0]["answer"]):
        metadata = answer["metadata"]
        assert metadata["contact_history"][kind] is True
        assert metadata["warnings"][:-1] == before["metadata"]["warnings"]
        assert warning in metadata["warnings"][-1]
    assert rows[1]["answer"] is None
    told(home, sent(SAMPLE_REQUEST["customer_id"], 1, "opted_in"))
    back = posted(client, "/predict", **SAMPLE_REQUEST)["metadata"]
    assert back["warnings"] == before["metadata"]["warnings"]
