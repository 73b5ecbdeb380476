"""Contacts of the company's own system in the ledger: once each; what can't be read is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.importing import import_rows
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.customers.reading.imports import Imported

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")
ANSWERED = ("sent", "refused")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Empty; in a file of this test's."""
    return Ledger.open("", tmp_path)


def told(ledger: Ledger, *rows: dict[str, Any]) -> Imported:
    """What an import of these rows comes to."""
    return import_rows(rows, ledger, MADRID, NOW)


def row(**changes: Any) -> dict[str, Any]:
    """A contact."""
    return {"customer_id": "A1", "occurred_at": "2026-03-01T10:00:00+01:00"} | changes


def test_importing_again_changes_nothing(ledger: Ledger) -> None:
    """With ids of the company's and without; a line that a file has twice is one contact."""
    rows = [row(channel="call", offer_percentage=10), row(customer_id="B2", event_id="crm-1")]
    assert told(ledger, *rows, rows[0]) == (2, 1, [], 0)
    assert told(ledger, *rows) == (0, 2, [], 0)
    [contact] = ledger.histories(["A1"])["A1"].contacts
    assert (contact.when, contact.channel, contact.offer_percentage, contact.planned) == (
        datetime(2026, 3, 1, 9, tzinfo=UTC),
        "call",
        10,
        False,
    )


@pytest.mark.parametrize("cell", ["15", "15 %", "15%", " 15\u00a0% ", "15.0", "15,0", "15,0 %"])
def test_an_offer_as_its_company_writes_it(ledger: Ledger, cell: str) -> None:
    """Why: `churn outcomes import` took the same cells, and this refused their rows."""
    assert told(ledger, row(offer_percentage=cell)) == (1, 0, [], 0)
    [contact] = ledger.histories(["A1"])["A1"].contacts
    assert contact.offer_percentage == 15


@pytest.mark.parametrize("cell", ["% 15", "15 %%", "15,5 %", "%", "101 %", "15 kr", "nan", "inf"])
def test_what_is_no_offer_is_refused(ledger: Ledger, cell: str) -> None:
    """And named as it was."""
    [(_, why)] = told(ledger, row(offer_percentage=cell)).refused
    assert why.startswith("offer_percentage: ")


def test_the_same_instant_is_the_same_contact(ledger: Ledger) -> None:
    """However its time is written."""
    assert told(ledger, row()).stored == 1
    same = [row(occurred_at=t) for t in ("2026-03-01T09:00:00Z", "2026-03-01 10:00")]
    assert told(ledger, *same) == (0, 2, [], 0)
    assert told(ledger, row(channel="email")).stored == 1  # another way, another contact


def test_a_file_that_names_decisions_from_now_on_brings_nothing_twice(ledger: Ledger) -> None:
    """What an earlier version read of it stays; another decision than before is another event."""
    assert told(ledger, row(event_id="crm-1")).stored == 1
    assert told(ledger, row(event_id="crm-1", decision_id="P:A1")) == (0, 1, [], 0)
    assert told(ledger, row(event_id="crm-2", decision_id="P:A1")).stored == 1
    again = told(ledger, row(event_id="crm-2", decision_id="P:B2"))
    assert again.refused == [(1, "another event has the id crm-2; it stays")]
    assert ledger.events(["import:crm-2"])["import:crm-2"].decision_id == "P:A1"


@pytest.mark.parametrize(
    ("written", "when"),
    [
        ("2026-03-01", datetime(2026, 3, 1, 11, tzinfo=UTC)),
        ("2026-03-01T08:30", datetime(2026, 3, 1, 7, 30, tzinfo=UTC)),
        ("2026-03-01 08:30:00-05:00", datetime(2026, 3, 1, 13, 30, tzinfo=UTC)),
    ],
)
def test_times_as_systems_write_them(ledger: Ledger, written: str, when: datetime) -> None:
    """Without an offset in the company's zone; a date alone is its noon, so the day stays."""
    assert told(ledger, row(occurred_at=written)).stored == 1
    assert ledger.histories()["A1"].contacts[0].when == when


def test_answers_of_bare_dates_are_their_contacts(ledger: Ledger) -> None:
    """Both are at noon then, and of twenty customers' rows no key decides which came first."""
    ids = [f"C{i}" for i in range(20)]
    rows = [row(customer_id=i, occurred_at="2026-03-01", kind=k) for i in ids for k in ANSWERED]
    assert told(ledger, *rows).stored == 40
    answers = [h.contacts[0].answer for h in ledger.histories(ids).values()]
    assert answers == ["refused"] * 20


def test_refused_rows_are_named_and_stop_nobody(ledger: Ledger) -> None:
    """Each with its number and what is wrong; values are not repeated."""
    done = told(
        ledger,
        row(),
        row(customer_id="no such\tid"),
        row(occurred_at="yesterday"),
        row(occurred_at="2026-03-20"),
        row(occurred_at="0001-01-01"),
        {"customer_id": "C3"},
        row(kind="shouted"),
        row(offer_percentage=101),
        row(customer_id="D4", event_id="crm-9"),
        row(customer_id="E5", event_id="crm-9"),
        row(channel="call\x00"),
    )
    assert (done.stored, done.known) == (2, 0)
    assert [number for number, _ in done.refused] == [2, 3, 4, 5, 6, 7, 8, 10, 11]
    said = dict(done.refused)
    assert said[2].startswith("customer_id: ")
    assert said[3].startswith("occurred_at: write date and time in ISO 8601")
    assert said[4] == said[5] == "occurred_at: must lie between 2000-01-01 and a day from now"
    assert said[6] == "occurred_at: Field required"
    assert said[11] == "channel: must be printable text"
    assert said[10] == "another event has the id crm-9; it stays"
    assert "no such\tid" not in " ".join(said.values())


def test_an_event_that_says_something_else_stays_as_it_was(ledger: Ledger) -> None:
    """The company's id names one event for ever."""
    told(ledger, row(event_id="crm-1", channel="call"))
    again = told(ledger, row(event_id="crm-1", channel="email"))
    assert again == (0, 0, [(1, "another event has the id crm-1; it stays")], 0)
    assert ledger.histories()["A1"].contacts[0].channel == "call"


def test_who_was_erased_does_not_come_back_with_the_next_import(ledger: Ledger) -> None:
    """A file that grows has them every night; what happens after the erasure is theirs again."""
    rows = [row(), row(customer_id="B2"), row(kind="accepted", event_id="crm-1")]
    assert told(ledger, *rows) == (3, 0, [], 0)
    ledger.erase("A1")
    later = row(occurred_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    done = import_rows([*rows, later], ledger, MADRID, datetime.now(UTC))
    assert done == (1, 1, [], 2)
    assert len(ledger.histories()["A1"].contacts) == 1


def test_what_happened_as_a_customer_was_erased_is_erased_with_them(ledger: Ledger) -> None:
    """The same instant counts as before it."""
    ledger.erase("A1")
    at = ledger.erased(["A1"])["A1"].at
    rows = [row(occurred_at=(at + timedelta(microseconds=n)).isoformat()) for n in (0, 1)]
    assert import_rows(rows, ledger, MADRID, datetime.now(UTC)) == (1, 0, [], 1)


@pytest.mark.parametrize(
    ("kinds", "objects"),
    [(["opted_out"], True), (["opted_in", "opted_out"], True), (["opted_out", "opted_in"], False),
     (["sent"], False)],
)  # fmt: skip
def test_a_no_of_before_an_erasure_counts_though_its_row_is_left_out(
    ledger: Ledger, kinds: list[str], *, objects: bool
) -> None:
    """The erasure may have come before the night's file did."""
    ledger.erase("A1")
    rows = [row(kind=k, occurred_at=f"2026-03-0{day}") for day, k in enumerate(kinds, start=1)]
    assert told(ledger, *rows[::-1]) == (0, 0, [], len(rows))
    assert ledger.erased(["A1"])["A1"].opted_out is objects
    assert ledger.histories() == {}


def test_a_complaint_outlives_the_erasure(ledger: Ledger) -> None:
    """Its time alone, under the digest: the latest that is known, of a row that is left out too."""
    told(ledger, row(kind="complained"), row(kind="complained", occurred_at="2026-02-01"))
    ledger.erase("A1")
    first = datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert not ledger.is_empty()
    assert ledger.histories() == {}
    assert ledger.histories(["A1", "B2"]) == {"A1": History(complained=first)}
    told(ledger, row(kind="complained", occurred_at="2026-01-01"))
    ledger.erase("A1")
    assert ledger.erased(["A1"])["A1"].complained == first
    told(ledger, row(kind="complained", occurred_at="2026-03-05T10:00:00Z"))
    assert ledger.erased(["A1"])["A1"].complained == datetime(2026, 3, 5, 10, tzinfo=UTC)


def test_complaints_and_opt_outs_come_in_too(ledger: Ledger) -> None:
    """What eligibility asks of the ledger."""
    told(ledger, row(kind="complained"), row(kind="opted_out"))
    history = ledger.histories()["A1"]
    assert history.opted_out
    assert history.complained == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert history.contacts == ()
