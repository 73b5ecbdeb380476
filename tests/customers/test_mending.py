"""Refused rows: mended in their file and named beside the table, they take their place again."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from churn_assets.customers.reading.table import NOTES
from tests.customers.conftest import CONTRACT, Checked, as_csv, made_rows


def test_refused_rows_can_be_mended_and_read_again(checked: Checked, tmp_path: Path) -> None:
    """The file of refused rows, mended and named beside the table, takes their place."""
    rows = made_rows()
    rows[4]["Months"], rows[8]["Plan"] = "?", "Pluss"
    lines = as_csv(rows).splitlines(keepends=True)
    lines[20] = 'A10019,"Plus,7,20.00,1,yes,no\n'  # a quote that isn't closed
    (tmp_path / "history.csv").write_text("".join(lines))
    first = checked()
    assert first.refused == 3
    file = first.tables[0].refused_file
    assert file is not None
    with file.open(newline="") as opened:
        header, *refused = list(csv.reader(opened))
    assert header == [*NOTES, *rows[0]]
    assert [row[:2] for row in refused] == [
        ["history.csv:5", "Months: is not a number"],
        ["history.csv:9", "Plan: is none of basic, plus, max"],
        ["history.csv:20", "has a quote that is not closed, or not doubled within a cell"],
    ]
    refused[0][4], refused[1][3] = "12", "Plus"
    refused[2][2:] = ["A10019", "Plus", "7", "20.00", "1", "yes", "no"]
    with (tmp_path / "mended.csv").open("w", newline="") as out:
        csv.writer(out).writerows([header, *refused])
    again = checked(CONTRACT.replace("path: history.csv", "path: [history.csv, mended.csv]"))
    assert (again.refused, again.problems, again.tables[0].used) == (0, [], 400)


def test_a_file_of_refused_rows_is_never_overwritten(checked: Checked, tmp_path: Path) -> None:
    """Somebody may have mended half of it."""
    rows = made_rows()
    rows[4]["Months"] = "?"
    (tmp_path / "history.csv").write_text(as_csv(rows))
    first = checked().tables[0].refused_file
    assert first is not None
    assert checked().tables[0].refused_file == first  # the same rows, the same file
    mended = first.read_text().replace("?", "7")
    first.write_text(mended)
    second = checked().tables[0].refused_file
    assert second == first.with_name("history-2.refused.csv")
    assert first.read_text() == mended


def test_a_row_mended_wrongly_is_refused_again(checked: Checked, tmp_path: Path) -> None:
    """It is counted once, and not silently lost with the row whose place it takes."""
    rows = made_rows()
    rows[4]["Months"] = "?"
    (tmp_path / "history.csv").write_text(as_csv(rows))
    file = checked().tables[0].refused_file
    assert file is not None
    (tmp_path / "mended.csv").write_text(file.read_text().replace(",?,", ",!,"))
    again = checked(CONTRACT.replace("path: history.csv", "path: [history.csv, mended.csv]"))
    assert again.refused == 1
    assert again.tables[0].refusals[0].examples == (("mended.csv:1", "!"),)


@pytest.mark.parametrize("path", ["*/part.csv", "a/*/part.csv"])
def test_files_of_one_name_are_told_apart(path: str, checked: Checked, tmp_path: Path) -> None:
    """A row mended takes the place of the one refused, not of another file's of that number; and
    the file of mended rows lies wherever it likes."""
    rows = made_rows()
    rows[4]["Months"] = "?"
    for number, year in enumerate(("2024", "2025")):
        folder = tmp_path / path.rpartition("*")[0] / year
        folder.mkdir(parents=True)
        (folder / "part.csv").write_text(as_csv(rows[200 * number : 200 * (number + 1)]))
    first = checked(CONTRACT.replace("history.csv", f"'{path}'")).tables[0]
    assert [file.name for file in first.files] == ["2024/part.csv", "2025/part.csv"]
    assert first.refusals[0].examples == (("2024/part.csv:5", "?"),)
    assert first.refused_file is not None
    text = first.refused_file.read_text()
    assert text.splitlines()[1].startswith("2024/part.csv:5,")
    mended = tmp_path / "mended" / "rows.csv"
    mended.parent.mkdir()
    mended.write_text(text.replace(",?,", ",12,"))
    again = checked(CONTRACT.replace("history.csv", f"['{path}', mended/rows.csv]")).tables[0]
    assert (again.rows, again.used, again.refused) == (401, 400, 0)
    assert [file.name for file in again.files][2] == "rows.csv"
