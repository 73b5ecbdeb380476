"""`churn campaign` on a ledger that was restored from an older copy: separate processes."""

from __future__ import annotations

import csv
import json
import shutil
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from churn_assets.campaign.contacts.feed import LedgerFeed
from churn_assets.campaign.contacts.opening import LateLedger
from churn_assets.serving.feedback import FILE, SqliteFeedbackLog
from tests.api.server import running
from tests.cli.conftest import Churn
from tests.cli.test_campaign import LATER, approved, ready

__all__ = ["approved", "ready"]  # fixtures


def test_who_unsubscribed_since_is_in_no_list(
    approved: str, churn: Churn, ready: Path, tmp_path: Path
) -> None:
    """Why: they headed the next day's list, and nothing said so."""
    exported = churn("campaign", "export", str(tmp_path / "before.csv"), "--day", LATER)
    assert exported.stderr == ""
    with (tmp_path / "before.csv").open(encoding="utf-8", newline="") as opened:
        customer = next(csv.DictReader(opened))["customer_id"]
    shutil.copy(ready / "ledger.sqlite3", tmp_path / "copy")
    event = {"event_id": "no", "customer_id": customer, "kind": "unsubscribed"}
    told = json.dumps(event | {"occurred_at": datetime.now(UTC).isoformat()})
    try:
        with (
            closing(LateLedger("", ready)) as ledger,
            closing(LedgerFeed(SqliteFeedbackLog(ready / FILE), ledger)) as feed,
        ):
            feed.record("no", told)
        shutil.copy(tmp_path / "copy", ready / "ledger.sqlite3")
        again = churn("campaign", "export", str(tmp_path / "after.csv"), "--day", LATER)
        assert "the contact ledger lacked 1 event of the feedback log" in again.stderr
        assert customer not in (tmp_path / "after.csv").read_text(encoding="utf-8")
        assert churn("campaign", "export", str(tmp_path / "a.csv"), "--day", LATER).stderr == ""
        shutil.copy(tmp_path / "copy", ready / "ledger.sqlite3")
        with running(ready) as server:  # a service at its start, too
            assert "lacked 1 event of the feedback log" in server.log.read_text()
        with closing(LateLedger("", ready)) as ledger:
            assert ledger.opened().histories([customer])[customer].opted_out_since
    finally:
        for file in ready.glob(f"{FILE}*"):
            file.unlink()
