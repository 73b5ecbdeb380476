"""Files of events as other systems write them: odd rows, twice, at once, and cut off."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.customers.reading.imports import Imported, rows_of
from churn_assets.datasets.errors import DataError
from churn_assets.outcomes.importing import AT_ONCE, record
from churn_assets.serving.events import FeedbackEvent
from churn_assets.serving.feedback import SqliteFeedbackLog
from churn_assets.settings import PROJECT
from tests.processes import held_process

HEADER = "event_id,customer_id,kind,occurred_at,offer_percentage,decision_id"
ROWS = ("e1,C1,accepted,2026-01-05T10:00:00Z,10,", "e2,C2,churned,2026-01-05T10:00:00Z,,")
MANY = 3 * AT_ONCE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three batches of acceptances, each customer's own."""
    rows = [f"e{i},C{i},accepted,2026-01-05T10:00:00Z,5," for i in range(MANY)]
    return written(tmp_path, *rows)


def written(folder: Path, *rows: str) -> Path:
    file = folder / "events.csv"
    file.write_text("\n".join([HEADER, *rows]) + "\n")
    return file


def kept(folder: Path) -> list[str]:
    """Ids of the events, in order."""
    with closing(SqliteFeedbackLog(folder / "feedback.sqlite3")) as log:
        return [json.loads(event)["event_id"] for event in log.events()]


def imported(folder: Path, *rows: str) -> Imported:
    with closing(SqliteFeedbackLog(folder / "feedback.sqlite3")) as log:
        return record(rows_of(FeedbackEvent, written(folder, *rows)), log)


def test_each_odd_row_is_refused_by_its_number_and_reason(tmp_path: Path) -> None:
    """And stops no other: customers nobody decided on, zones and spellings of every kind."""
    tomorrow = datetime.now(UTC) + timedelta(days=3)
    done = imported(
        tmp_path,
        "e1,C1,accepted,2026-01-05T10:00:00+01:00,10,",
        "e1,C1,accepted,2026-01-05T09:00:00Z,10,",  # the same instant: the same event
        "e1,C1,refused,2026-01-05T09:00:00Z,,",
        "e2,nobody-knows-me,churned,2026-01-05T04:30:00-0430,,",
        "e3,C3,accepted,1970-01-01T00:00:00Z,5,",
        "e4,C4,accepted,9999-12-31T23:59:59Z,5,",
        f"e5,C5,delivered,{tomorrow.isoformat()},,",
        "e6,C6,accepted,2026-01-05T10:00:00,5,",  # in which zone?
        "e7,C7,accepted,05.01.2026 10:00,5,",
        "e8,C8,accepted,2026-02-30T10:00:00Z,5,",
        "e9,C9,bought,2026-01-05T10:00:00Z,5,",
        "e10,C10,accepted,2026-01-05T10:00:00Z,7,",
        "e11,C11,accepted,2026-01-05T10:00:00Z,5.5,",
        ",C12,accepted,2026-01-05T10:00:00Z,5,",
        "../../e13,C13,accepted,2026-01-05T10:00:00Z,5,",
        "e14,C14\tor 1=1,accepted,2026-01-05T10:00:00Z,5,",
        "e15,C15,accepted,2026-01-05T10:00:00Z,5,no\tsuch decision",
        "e16,C16,accepted,2026-01-05T10:00:00Z,5.0,0123456789abcdef",
    )
    assert (done.stored, done.known) == (3, 1)
    found = {number: why.split(":")[0] for number, why in done.refused}
    assert found == {
        3: "another event has the id e1; it stays",
        **dict.fromkeys(range(5, 11), "occurred_at"),
        11: "kind",
        12: "offer_percentage",
        13: "offer_percentage",
        14: "event_id",
        15: "event_id",
        16: "customer_id",
        17: "decision_id",
    }
    assert list(found) == sorted(found)
    assert kept(tmp_path) == ["e1", "e2", "e16"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"who,what\nC1,left\n", "no column event_id, customer_id, kind, occurred_at; it has who"),
        (b"event_id;kind;occurred_at\ne1;sent;x\n", "no column customer_id; it has event_id, kind"),
        (b"event_id,kind,kind,occurred_at,customer_id\n", "has more than one column kind"),
        (b"", "it is empty"),
        (b"PK\x03\x04 and more", "an Excel workbook"),
    ],
)
def test_a_file_that_isnt_one_says_so(tmp_path: Path, content: bytes, problem: str) -> None:
    """At once and in one line, not row by row."""
    file = tmp_path / "events.csv"
    file.write_bytes(content)
    with pytest.raises(DataError) as error:
        rows_of(FeedbackEvent, file)
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_half_a_file_says_so(tmp_path: Path) -> None:
    """Its copy was cut off."""
    whole = gzip.compress("\n".join([HEADER, *ROWS * 500]).encode())
    file = tmp_path / "events.csv.gz"
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"events\.csv\.gz cannot be read"):
        rows_of(FeedbackEvent, file)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_text_as_other_systems_write_it(tmp_path: Path, encoding: str, mark: str) -> None:
    """A column that nobody asks for is passed over, whatever is in it."""
    file = tmp_path / "events.csv"
    header, rows = f"{HEADER},town", [f"{row},Köln" for row in ROWS]
    text = "\r\n".join([header, *rows]).replace(",", mark)
    file.write_bytes(f"{text}\r\n".encode(encoding))
    with closing(SqliteFeedbackLog(tmp_path / "feedback.sqlite3")) as log:
        read = rows_of(FeedbackEvent, file)
        assert record(read, log) == Imported(2, 0, [])
        assert read.passed_over == ("town",)
        [first, _] = map(json.loads, log.events())
    assert (first["offer_percentage"], first["decision_id"]) == (10, None)


def test_a_damaged_line_stops_no_other(tmp_path: Path) -> None:
    """A quote that isn't closed, and a cell too many."""
    damaged = ['"e3,C3,sent,2026-01-05T10:00:00Z,,', "e4,C4,sent,2026-01-05T10:00:00Z,,,,,"]
    done = imported(tmp_path, ROWS[0], *damaged, ROWS[1])
    assert (done.stored, done.known) == (2, 0)
    [(first, quote), (second, cells)] = done.refused
    assert (first, second) == (2, 3)
    assert "has a quote that is not closed" in quote
    assert "has 9 cells where the header has 6" in cells
    assert kept(tmp_path) == ["e1", "e2"]


def test_times_of_a_parquet_file(tmp_path: Path) -> None:
    """As columns of times; without a zone nobody knows when it was."""
    when = pd.Series(pd.to_datetime(["2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z"]))
    table = pd.DataFrame({"event_id": ["e1", "e2"], "customer_id": ["C1", "C2"], "kind": "sent"})
    file = tmp_path / "events.parquet"
    with closing(SqliteFeedbackLog(tmp_path / "feedback.sqlite3")) as log:
        table.assign(occurred_at=when.dt.tz_localize(None)).to_parquet(file)
        done = record(rows_of(FeedbackEvent, file), log)
        assert {number: why[:11] for number, why in done.refused} == {
            1: "occurred_at",
            2: "occurred_at",
        }
        table.assign(occurred_at=when).to_parquet(file)
        assert record(rows_of(FeedbackEvent, file), log) == Imported(2, 0, [])


def test_an_import_that_was_killed_is_finished_by_another(file: Path, tmp_path: Path) -> None:
    """In the middle of a batch: whole batches are there, and nothing twice afterwards, neither
    among the events nor in the ledger."""
    with held_process("tests.outcomes.importing_process", str(file), str(tmp_path), "hold") as held:
        held.kill()
        held.wait()
    assert kept(tmp_path) == [f"e{i}" for i in range(AT_ONCE)]
    assert finished(file, tmp_path).communicate()[0] == f"{MANY - AT_ONCE} {AT_ONCE} 0\n"
    assert kept(tmp_path) == [f"e{i}" for i in range(MANY)]
    assert contacts(tmp_path) == MANY


def test_two_imports_at_once_keep_each_event_once(file: Path, tmp_path: Path) -> None:
    both = [finished(file, tmp_path) for _ in range(2)]
    told = [tuple(map(int, process.communicate()[0].split())) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(stored for stored, _, _ in told) == MANY
    assert all(stored + known == MANY and not refused for stored, known, refused in told)
    assert sorted(kept(tmp_path)) == sorted(f"e{i}" for i in range(MANY))
    assert contacts(tmp_path) == MANY


def finished(file: Path, folder: Path) -> subprocess.Popen[str]:
    """A process that imports the whole file."""
    command = [sys.executable, "-m", "tests.outcomes.importing_process", str(file), str(folder)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)


def contacts(folder: Path) -> int:
    """Customers of whom the contact ledger knows one acceptance."""
    ledger = Ledger.open("", folder)
    try:
        return sum(len(history.acceptances) == 1 for history in ledger.histories().values())
    finally:
        ledger.close()
