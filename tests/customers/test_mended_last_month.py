"""Rows mended in another version of a table: they take nobody else's place."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from churn_assets.customers.quality.report import QualityReport
from churn_assets.customers.reading.table import NOTES
from tests.customers.conftest import CONTRACT, Checked, Rows, as_csv, made_rows

BOTH = CONTRACT.replace("path: history.csv", "path: [history.csv, mended.csv]")
STAY = (
    "history: {} of 3 rows of mended.csv were mended in another version of history.csv: other rows "
    "stand in their places now, which are kept; remove mended.csv from the table's path"
)


def mended(folder: Path, *changes: dict[str, str]) -> None:
    """The file of refused rows, each with its change, as mended.csv."""
    with (folder / "refused" / "history.refused.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == len(changes)
    changed = [row | change for row, change in zip(rows, changes, strict=True)]
    (folder / "mended.csv").write_text(as_csv(changed))


def three_mended(checked: Checked, folder: Path) -> Rows:
    """Customers of whom those of rows 5, 9 and 400 had no months, and have in mended.csv."""
    rows = made_rows()
    spoilt = [row | {"Months": "?"} if i in (4, 8, 399) else row for i, row in enumerate(rows)]
    (folder / "history.csv").write_text(as_csv(spoilt))
    assert checked().refused == 3
    mended(folder, *[{"Months": "7"}] * 3)
    again = checked(BOTH)
    assert (again.tables[0].used, again.problems, again.notes) == (400, [], checked().notes)
    return rows


def used(report: QualityReport) -> int:
    return report.tables[0].used


def test_a_good_row_of_the_next_export_is_never_lost(checked: Checked, tmp_path: Path) -> None:
    """Why: nine customers were left out, and the check said that there were no problems."""
    rows = three_mended(checked, tmp_path)
    left = [row for i, row in enumerate(rows) if i not in (0, 4, 8, 399)]  # they are gone, and one
    (tmp_path / "history.csv").write_text(as_csv(left))
    report = checked(BOTH)
    assert used(report) == len(left) + 3
    assert report.problems == [STAY.format(3)]  # the last one's place is beyond the end
    assert checked().problems == []


def test_where_both_are_there_the_cause_is_named(checked: Checked, tmp_path: Path) -> None:
    """Customers of the mended rows, elsewhere in the new table and otherwise: more than rows that
    differ."""
    rows = three_mended(checked, tmp_path)
    (tmp_path / "history.csv").write_text(as_csv(rows[1:] + made_rows(401)[-1:]))
    problems = checked(BOTH).problems
    assert STAY.format(3) in problems
    assert "history: 3 ids are in rows that differ" in problems


def test_one_who_is_still_in_that_place_is_replaced_and_told(
    checked: Checked, tmp_path: Path
) -> None:
    """The company's system has the months now: no row is lost, and somebody may look."""
    three_mended(checked, tmp_path)
    (tmp_path / "history.csv").write_text(as_csv(made_rows()))
    report = checked(BOTH)
    assert (used(report), report.problems) == (400, [])
    assert (
        "history: 3 rows of mended.csv stand for rows of history.csv that aren't refused now; if "
        "that file is newer than mended.csv, remove mended.csv from the table's path"
    ) in report.notes


def test_without_an_id_a_good_row_stays(checked: Checked, tmp_path: Path) -> None:
    without = CONTRACT.replace("  id: Account\n", "")
    rows = made_rows()
    rows[4]["Months"] = "?"
    (tmp_path / "history.csv").write_text(as_csv(rows))
    assert checked(without).refused == 1
    mended(tmp_path, {"Months": "7"})
    both = without.replace("path: history.csv", "path: [history.csv, mended.csv]")
    assert (used(checked(both)), checked(both).problems) == (400, [])
    (tmp_path / "history.csv").write_text(as_csv(made_rows(400, seed=1)))
    report = checked(both)
    assert used(report) == 401
    assert "1 of 1 rows of mended.csv were mended in another version" in report.problems[0]


@pytest.mark.parametrize("spoilt", ["", "'A10004"])
def test_a_row_whose_id_was_mended_takes_its_place(
    spoilt: str, checked: Checked, tmp_path: Path
) -> None:
    rows = made_rows()
    rows[4]["Account"] = spoilt
    (tmp_path / "history.csv").write_text(as_csv(rows))
    assert checked().refused == 1
    mended(tmp_path, {"Account": "A10004"})
    report = checked(BOTH)
    assert (used(report), report.refused, report.problems) == (400, 0, [])


def test_one_id_in_rows_that_differ_is_mended_by_another_id(
    checked: Checked, tmp_path: Path
) -> None:
    """Neither row is wrong alone: both are refused, and one of them gets its own id."""
    rows = made_rows()
    rows[8]["Account"] = rows[4]["Account"]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    assert checked().refused == 2
    mended(tmp_path, {}, {"Account": "A10008"})
    report = checked(BOTH)
    assert (used(report), report.refused, report.problems) == (400, 0, [])


@pytest.mark.parametrize("name", ["more.csv", "again.csv"])
def test_what_was_mended_wrongly_is_mended_again(
    name: str, checked: Checked, tmp_path: Path
) -> None:
    """Its place is in the first mended file, wherever the second stands in the path."""
    rows = made_rows()
    rows[4]["Months"] = rows[8]["Months"] = "?"
    (tmp_path / "history.csv").write_text(as_csv(rows))
    checked()
    mended(tmp_path, {"Months": "7"}, {"Months": "!"})
    assert checked(BOTH).refused == 1
    text = (tmp_path / "refused" / "history-2.refused.csv").read_text()
    assert text.splitlines()[1].startswith("mended.csv:2,")
    (tmp_path / name).write_text(text.replace("!", "7"))
    files = ", ".join(sorted(["mended.csv", name]))
    report = checked(BOTH.replace("history.csv, mended.csv", f"history.csv, {files}"))
    assert (used(report), report.refused, report.problems) == (400, 0, [])


def test_a_file_under_the_old_name_replaces_nothing_of_itself(
    checked: Checked, tmp_path: Path
) -> None:
    """The notes of a file of refused rows that was given the table's name name itself."""
    rows = [dict(zip(NOTES, ("history.csv:5", ""), strict=True)) | row for row in made_rows()]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    assert (used(checked()), checked().problems) == (400, [])


def test_the_snapshot_tells_one_months_row_from_another(checked: Checked, tmp_path: Path) -> None:
    """The same customer in the same place, a month later, is another row."""
    dated = CONTRACT.replace("  horizon_months", "  snapshot: Seen\n  horizon_months")
    rows = [row | {"Seen": "2026-01-31"} for row in made_rows()]
    spoilt = [row | {"Months": "?"} if i == 4 else row for i, row in enumerate(rows)]
    (tmp_path / "history.csv").write_text(as_csv(spoilt))
    assert checked(dated).refused == 1
    mended(tmp_path, {"Months": "7"})
    (tmp_path / "history.csv").write_text(as_csv([r | {"Seen": "2026-02-28"} for r in rows]))
    report = checked(dated.replace("path: history.csv", "path: [history.csv, mended.csv]"))
    assert used(report) == 401
    assert "history: 1 of 1 rows of mended.csv were mended in another version" in " ".join(
        report.problems
    )
