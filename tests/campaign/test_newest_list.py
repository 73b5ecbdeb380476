"""Contacts at the hand-over that only an earlier list of the day had, not its newest."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.contacts.taken import TAKEN
from churn_assets.cli.campaign import _show_hand_over
from tests.campaign.test_sending import Approved, approved
from tests.campaign.test_workflow import NOW, TODAY, Desk, desk, sent

__all__ = ["approved", "desk"]  # fixtures
SAID = "of them only an earlier list of the day had, not the newest"


def test_who_the_newest_list_left_out_is_counted(
    approved: Approved, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two customers opted out between two exports: both were recorded as contacted in silence."""
    campaigns = approved()
    first = [row["customer_id"] for row in campaigns.export(None, TODAY, NOW).rows]
    outs = [sent(who, NOW).model_copy(update={"kind": "opted_out"}) for who in first[:2]]
    campaigns.ledger.record(outs)
    later = NOW + timedelta(minutes=5)
    assert len(campaigns.export(None, TODAY, later).rows) == len(first) - 2
    done = campaigns.hand_over(None, TODAY, later, "Ana")
    assert (done.new, done.not_in_newest_list) == (len(first), 2)
    _show_hand_over(done)
    assert f"2 {SAID}" in capsys.readouterr().out
    again = campaigns.hand_over(None, TODAY, later, "Ana")  # said of what is written
    assert (again.new, again.not_in_newest_list) == (0, 0)


def test_who_is_in_the_newest_list_again_is_not(
    approved: Approved, capsys: pytest.CaptureFixture[str]
) -> None:
    """They opted out and in; and a list of another day says nothing of this one's."""
    campaigns = approved()
    first = [row["customer_id"] for row in campaigns.export(None, TODAY, NOW).rows]
    out = sent(first[0], NOW).model_copy(update={"kind": "opted_out"})
    campaigns.ledger.record([out])
    campaigns.export(None, TODAY, NOW)
    back = {"kind": "opted_in", "event_key": "in", "occurred_at": NOW + timedelta(minutes=1)}
    campaigns.ledger.record([out.model_copy(update=back)])
    later = NOW + timedelta(minutes=5)
    assert len(campaigns.export(None, TODAY, later).rows) == len(first)
    campaigns.export(None, TODAY + timedelta(days=1), later)
    done = campaigns.hand_over(None, TODAY, later, "Ana")
    assert (done.new, done.not_in_newest_list) == (len(first), 0)
    _show_hand_over(done)
    assert SAID not in capsys.readouterr().out


def test_the_lists_of_an_earlier_version_s_ledger_say_nothing(
    approved: Approved, desk: Desk, tmp_path: Path
) -> None:
    """Its table has no such column; it is added, and what was taken is handed over."""
    campaigns = approved()
    count = len(campaigns.export(None, TODAY, NOW).rows)
    with campaigns.ledger.writing() as connection:
        connection.execute(sa.text(f"ALTER TABLE {TAKEN.name} DROP COLUMN left_out"))
    campaigns.ledger.close()
    assert Ledger.open("", tmp_path).steps(str(campaigns.approved()))
    done = desk().hand_over(None, TODAY, NOW, "Ana")
    assert (done.new, done.not_in_newest_list) == (count, 0)
