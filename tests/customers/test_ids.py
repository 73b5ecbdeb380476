"""Whether the ids of the active customers are written as the history's are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.customers.conftest import CONTRACT, Checked, Rows, as_csv, made_rows
from tests.customers.test_leaving import ending, spread, told

ACTIVE = "history: {path: history.csv}\n  active: {path: active.csv}"
OF_SNAPSHOTS = told(1).replace("history: {path: history.csv}", ACTIVE)
OF_NONE = CONTRACT.replace("history: {path: history.csv}", ACTIVE)


def active(ids: list[str]) -> Rows:
    rows = [{k: v for k, v in row.items() if k != "Cancelled"} for row in made_rows(len(ids))]
    return [row | {"Account": i} for row, i in zip(rows, ids, strict=True)]


def said_of(
    folder: Path, checked: Checked, contract: str, history: Rows, now: list[str]
) -> tuple[str, str]:
    """What the check wants mended of ids, and what it notes."""
    (folder / "history.csv").write_text(as_csv(history))
    (folder / "active.csv").write_text(as_csv(active(now)))
    report = checked(contract)
    problems, notes = ([s for s in of if "alike" in s] for of in (report.problems, report.notes))
    return "; ".join(problems), "; ".join(notes)


def notes(folder: Path, checked: Checked, contract: str, history: Rows, now: list[str]) -> str:
    """What the check notes of ids, of which it wants none mended."""
    problems, noted = said_of(folder, checked, contract, history, now)
    assert not problems
    return noted


@pytest.mark.parametrize("zeros_in", ["history", "active"])
def test_ids_that_lost_their_zeros_are_to_be_mended(
    zeros_in: str, checked: Checked, tmp_path: Path
) -> None:
    """A spreadsheet made 1 of 000001: nobody of the history was active, and it was only noted."""
    rows, zeros = ending(spread()), zeros_in == "history"
    for row in rows:
        number = int(row["Account"][1:])
        row["Account"] = f"{number:08}" if zeros else str(number)
    now = [f"{n}" if zeros else f"{n:08}" for n in range(10_001, 10_320, 3)]
    said, noted = said_of(tmp_path, checked, OF_SNAPSHOTS, rows, now)
    pair = "'10001' and '00010001'" if zeros else "'00010001' and '10001'"
    assert f"active: {len(now)} of {len(now)} ids differ from the history's by leading" in said
    assert f"zeros alone, as {pair}: are they the same" in said
    assert noted == ""


def test_active_customers_whom_no_snapshot_had_are_noted(checked: Checked, tmp_path: Path) -> None:
    """Most customers of today were there last month: other ids are another system's."""
    rows = ending(spread())
    known = [f"A{n}" for n in range(10_001, 10_301, 3)]
    new = [f"Z-{n}" for n in range(100)]
    said = notes(tmp_path, checked, OF_SNAPSHOTS, rows, known[:40] + new[:60])
    assert said == (
        "active: 40 of 100 customers were ever in the history's snapshots: are the ids written "
        "alike? Here they are as 'Z-0', there as 'A10000'"
    )
    assert notes(tmp_path, checked, OF_SNAPSHOTS, rows, known[:50] + new[:50]) == ""
    assert notes(tmp_path, checked, OF_SNAPSHOTS, rows, known) == ""


def test_a_history_without_snapshots_may_be_of_others(checked: Checked, tmp_path: Path) -> None:
    """Of those who left and stayed a year ago, say; with other zeros it's noted there, too."""
    rows = made_rows()
    assert notes(tmp_path, checked, OF_NONE, rows, ["B1", "B2", "B3"]) == ""
    rows[7]["Account"] = "0042"
    assert "1 of 3 ids differ" in notes(tmp_path, checked, OF_NONE, rows, ["B1", "B2", "42"])
    problem, noted = said_of(tmp_path, checked, OF_NONE, rows, ["B1", "42"])
    assert ("1 of 2 ids differ" in problem, noted) == (True, "")


def test_blanks_around_an_id_make_no_other_row(checked: Checked, tmp_path: Path) -> None:
    """Why: rows equal but for them were refused as "is there in rows that differ"."""
    rows = made_rows()
    blanks = [row | {"Account": said.format(row["Account"])}
              for row, said in zip(rows, (" {}", "{} ", "\u00a0{}\t"), strict=False)]  # fmt: skip
    (tmp_path / "history.csv").write_text(as_csv(rows + blanks), encoding="utf-8")
    report = checked()
    [table] = report.tables
    assert (table.used, table.doubled, table.refused, table.conflicting) == (400, 3, 0, 0)
    blanks[0]["Months"] = "71.5"
    (tmp_path / "history.csv").write_text(as_csv(rows + blanks), encoding="utf-8")
    assert checked().tables[0].conflicting == 1
