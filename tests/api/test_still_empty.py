"""A ledger that was found empty isn't taken for empty after this process wrote to it."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from pathlib import Path

import pytest

from api.campaigns import ContactLookup
from churn_assets.campaign.contacts.feed import LedgerFeed
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.contacts.opening import LateLedger
from churn_assets.serving.feedback import FILE, SqliteFeedbackLog
from tests.campaign.test_ledger import NOW


def test_what_it_acknowledged_itself_holds_at_once(tmp_path: Path) -> None:
    """Why: for a second the opt-out that it had just acknowledged wasn't known to its answers."""
    with closing(Ledger.open("", tmp_path)) as made, made.writing():
        pass
    told = {"event_id": "e1", "customer_id": "A1", "kind": "unsubscribed"}
    with closing(LateLedger("", tmp_path)) as ledger:
        lookup = ContactLookup(ledger)
        assert asyncio.run(lookup.of("A1")) is None
        assert asyncio.run(lookup.of("A1")) is None
        with closing(LedgerFeed(SqliteFeedbackLog(tmp_path / FILE), ledger)) as feed:
            feed.record("e1", json.dumps(told | {"occurred_at": NOW.isoformat()}))
        history = asyncio.run(lookup.of("A1"))
        assert history is not None
        assert history.opted_out_since == NOW
        lookup.close()


def test_until_then_nobody_asks_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.campaigns.STILL_EMPTY_SECONDS", 3600.0)
    with closing(Ledger.open("", tmp_path)) as made, made.writing():
        pass
    with closing(LateLedger("", tmp_path)) as ledger:
        lookup = ContactLookup(ledger)
        lookup.many(["A1"])
        lookup.many(["A1"])  # the first one may have made tables
        (tmp_path / "ledger.sqlite3").write_bytes(b"no database")
        assert lookup.many(["A1"]) == {}
        lookup.close()
