"""Dates that begin with their day or their month: as a contract says, and as cells tell."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from churn_assets.customers.contract.model import ContractError
from churn_assets.customers.contract.tables import DateOrder
from churn_assets.customers.fields import schema_of
from churn_assets.customers.quality.columns import date as date_sql
from churn_assets.customers.reading.dates import date_in
from churn_assets.customers.schema import CustomerSchema
from tests.customers.conftest import CONTRACT, Checked, Rows, as_csv, made_rows
from tests.customers.test_check import kinds
from tests.customers.test_guesses import decided, monthly
from tests.customers.test_inspect import inspected, renamed
from tests.customers.test_leaving import ending, spread
from tests.customers.test_typed_tables import contract, written

ORDERS: dict[DateOrder, str] = {"dd/mm/yyyy": "%d/%m/%Y", "mm/dd/yyyy": "%m/%d/%Y"}
UNSAID = (
    "is no date as they are written here: name format: {date: dd/mm/yyyy} or {date: mm/dd/yyyy}"
)
PARTS = {
    "identity": {
        "id": "Account",
        "snapshot": "Seen",
        "churned": {"end_date": "End"},
        "horizon_months": 1,
    },
    "tenure": {"since": "Joined"},
}


def rewritten(rows: Rows, form: str, *columns: str) -> Rows:
    """The rows with the dates of some columns written so."""
    return [
        row | {c: date.fromisoformat(row[c]).strftime(form) for c in columns if row[c]}
        for row in rows
    ]


def joined(rows: Rows) -> Rows:
    """The rows with the date since when each is a customer."""
    return [row | {"Joined": f"20{10 + int(row['Months']) % 12}-05-17"} for row in rows]


@pytest.mark.parametrize("order", [None, *ORDERS])
def test_a_cell_is_the_same_date_in_a_table_and_in_a_file(order: DateOrder | None) -> None:
    """What checks read by SQL, `churn predict` reads; the other ways stay readable."""
    always = dict.fromkeys(
        ("2025-09-01", "2025-09-01T08:00:00Z", "01.09.2025", "01.09.2025 00:00", "1.9.2025 8:30",
         "01.09.2025 23:59:59", "01.09.2025, 14:30", "01.09.2025 14:30:00.000"), (9, 1),
    )  # fmt: skip
    said = {None: None, "dd/mm/yyyy": (9, 1), "mm/dd/yyyy": (1, 9)}[order]
    slashed = ("01/09/2025", "1/9/2025", "01-09-2025", "01/09/2025 14:30", "1/9/2025 12:00:00 AM")
    never = ("01/09/25", "01/09-2025", "2025/09/01", "01/09/2025x", "31/02/2025", "00/01/2025",
             "01/09/2025 25:30", "13/13/2025", "", "x", "01-09-25", "01.09.25", "9.3.26",
             "25-09-01", "25-09-01 08:00:00", "025-09-01", "01.09.025", "1-9-25",
             "01.09.2025 25:30", "31.02.2025 00:00", "01.09.25 00:00",
             "01.09.2025 00:00x")  # fmt: skip
    expected = {**always, **dict.fromkeys(slashed, said), **dict.fromkeys(never)}
    for cell, day in expected.items():
        row = duckdb.sql("SELECT ? AS c", params=[cell])
        [(read,)] = row.project(date_sql("c", order)).fetchall()
        wanted = None if day is None else date(2025, *day)
        assert (read, date_in(cell, order)) == (wanted, wanted), cell


@pytest.mark.parametrize(
    ("order", "form"), [*ORDERS.items(), (None, "%d.%m.%Y %H:%M"), (None, "%d.%m.%Y %H:%M:%S")]
)
def test_snapshot_end_and_since_are_read_as_the_contract_says(
    order: DateOrder | None, form: str, tmp_path: Path
) -> None:
    """The same table comes of them as of ISO dates."""
    rows = joined(ending(spread()))
    (tmp_path / "iso").mkdir()
    iso = written(tmp_path / "iso", contract(**PARTS), rows)
    table = {"path": "history.csv", "format": {"date": order}}
    agreed = contract(**PARTS, tables={"history": table})
    found = written(tmp_path, agreed, rewritten(rows, form, "Seen", "End", "Joined"))
    pd.testing.assert_frame_equal(found, iso)
    assert schema_of(agreed).written.date == order  # so a release carries it


def test_without_the_format_a_refusal_says_what_to_write(checked: Checked, tmp_path: Path) -> None:
    """Whether 01/09/2025 is in January or September nobody guesses."""
    rows = rewritten(joined(made_rows()), "%d/%m/%Y", "Joined")
    (tmp_path / "history.csv").write_text(as_csv(rows))
    since = CONTRACT.replace("tenure: {months: Months}", "tenure: {since: Joined}")
    assert kinds(checked(since)) == {("Joined", UNSAID): 400}
    for order, left in (("dd/mm/yyyy", {}), ("mm/dd/yyyy", {"is no date as mm/dd/yyyy": 400})):
        table = f"{{path: history.csv, format: {{date: {order}}}}}"
        report = checked(since.replace("{path: history.csv}", table))
        assert {said: rows for (_, said), rows in kinds(report).items()} == left
    assert report.tables[0].files[0].written.endswith(", dates mm/dd/yyyy")
    with pytest.raises(ContractError, match=r"format\.date"):
        checked(since.replace("{path: history.csv}", table.replace(order, "yyyy/mm/dd")))


def test_rows_before_a_day_are_left_out_by_such_dates(checked: Checked, tmp_path: Path) -> None:
    """And where the rule reads none of them, that is a problem: it would leave out nobody."""
    rows = [row | {"Until": "31/12/2019" if i % 2 else ""} for i, row in enumerate(made_rows())]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    rule = "leave_out: [{column: Until, before: 2020-01-02, reason: left long ago}]"
    table = f"{{path: history.csv, {rule}}}"
    report = checked(CONTRACT.replace("{path: history.csv}", table))
    assert report.problems == [
        "history: leave_out reads no date in Until (31/12/2019) and leaves no such row out: "
        "name format: {date: dd/mm/yyyy} or {date: mm/dd/yyyy}"
    ]
    other = table.replace("{path", "{format: {date: mm/dd/yyyy}, path")
    assert checked(CONTRACT.replace("{path: history.csv}", other)).problems == [
        "history: leave_out reads no date in Until (31/12/2019) and leaves no such row out: it is "
        "none as mm/dd/yyyy"
    ]
    table = table.replace("{path", "{format: {date: dd/mm/yyyy}, path")
    report = checked(CONTRACT.replace("{path: history.csv}", table))
    assert (report.problems, report.tables[0].left_out) == ([], {"left long ago": 200})


def test_dates_that_became_a_feature_are_a_problem(checked: Checked, tmp_path: Path) -> None:
    """Why: a column of snapshots passed for a category, and each row for a customer."""
    days = ("01/09/2025", "01/10/2025", "01/11/2025")
    rows = [row | {"Seen": days[i % 3]} for i, row in enumerate(made_rows())]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    for more in ("", f", levels: [{', '.join(days)}]"):
        report = checked(f"{CONTRACT}  Seen: {{kind: category, label: seen{more}}}\n")
        assert report.problems == [
            "history: the feature Seen looks like dates (01/09/2025): name it as a snapshot, "
            "end_date or since, and name format: {date: dd/mm/yyyy} or {date: mm/dd/yyyy}; or "
            "leave it out"
        ]
    report = checked()
    assert report.problems == []
    assert any(note.startswith("history: Seen looks like dates") for note in report.notes)
    report = checked(f"{CONTRACT}left_out: {{Seen: the day of the export}}\n")
    assert not any("looks like dates" in said for said in (*report.problems, *report.notes))


@pytest.mark.parametrize(("order", "form"), ORDERS.items())
def test_a_day_above_twelve_tells_the_order(
    order: DateOrder, form: str, checked: Checked, tmp_path: Path
) -> None:
    """Of any column of the table: the draft then says what it says of ISO dates, and holds."""
    rows = rewritten(monthly(), form, "snapshot_date", "cancelled_on")
    found = inspected(tmp_path, rows)
    assert f"    format: {{date: {order}}}\n" in found.contract
    assert found.written[0].endswith(f", dates {order}")
    roles = ("customer_no", "snapshot_date", "cancelled_on")
    assert [found.guesses[name] for name in roles] == ["id", "snapshot", "label"]
    assert "tables.history.format" not in decided(found)
    report = checked(found.contract)
    known = sum(row["snapshot_date"] < "2026-04-30" for row in monthly())
    assert (report.problems, report.tables[0].used) == ([], known)  # nobody leaves after 15 May
    assert sum(report.tables[0].left_out.values()) == len(rows) - known


def test_a_date_since_when_is_drafted(tmp_path: Path) -> None:
    """As one that is written 2026-01-31 is."""
    rows = rewritten(joined(renamed(made_rows())), "%d-%m-%Y 00:00", "Joined")
    for row in rows:
        del row["Months"]
    found = inspected(tmp_path, rows)
    assert "\ntenure: {since: Joined}\n" in found.contract
    assert "    format: {date: dd/mm/yyyy}\n" in found.contract


def test_days_up_to_twelve_tell_nothing(checked: Checked, tmp_path: Path) -> None:
    """Snapshots of each month's first: a person says; until then a check refuses them all."""
    days = {"2026-01-31": "01/02/2026", "2026-02-28": "01/03/2026", "2026-03-31": "01/04/2026",
            "2026-04-30": "01/05/2026"}  # fmt: skip
    rows = [
        {k: days.get(cell, cell) for k, cell in row.items()}
        | {"Churn": "yes" if row["cancelled_on"] else "no"}
        for row in monthly()
    ]
    for row in rows:
        del row["cancelled_on"]
    found = inspected(tmp_path, rows)
    asked = decided(found)["tables.history.format"]
    assert asked.endswith("No cell of snapshot_date tells")
    assert f"    # DECIDE format: {{date: dd/mm/yyyy}}   # {asked}\n" in found.contract
    assert (found.guesses["customer_no"], found.guesses["snapshot_date"]) == ("id", "snapshot")
    assert "dates" not in found.written[0]
    assert kinds(checked(found.contract))[("snapshot_date", UNSAID)] == len(rows)
    decision = found.contract.replace("# DECIDE format", "format")
    assert checked(decision).refused == 0


def test_both_orders_in_a_table_are_asked_about(tmp_path: Path) -> None:
    """Two systems made it: neither order reads all of it."""
    rows = rewritten(joined(renamed(made_rows())), "%d/%m/%Y", "Joined")
    rows = [row | {"Called": "12/31/2025"} for row in rows]
    question = decided(inspected(tmp_path, rows))["tables.history.format"]
    assert question.endswith("Cells tell both")


def test_points_and_dates_are_asked_about_in_one_line(tmp_path: Path) -> None:
    """A table has one format: what is known of it and what isn't stand together."""
    rows = rewritten(joined(renamed(made_rows())), "%d/%m/%Y", "Joined")
    rows = [row | {"Monthly Fee": f"1.{100 + i}"} for i, row in enumerate(rows)]
    found = inspected(tmp_path, rows).contract
    assert "    format: {date: dd/mm/yyyy}   # DECIDE: add decimal: '.'? have numbers" in found
    rows = [row | {"Joined": "01/02/2020" if i % 2 else "01/03/2021"} for i, row in enumerate(rows)]
    found = inspected(tmp_path, rows).contract
    assert "    # DECIDE format: {decimal: '.', date: dd/mm/yyyy}   # have numbers" in found


def test_an_earlier_release_says_nothing_of_dates() -> None:
    """Its file of the schema lacks the key, and is read as before."""
    schema = schema_of(contract())
    stored = schema.model_dump()
    assert "date" not in stored["written"]  # nor does a new one's, or it would be made anew
    assert CustomerSchema.model_validate(stored) == schema


def test_a_year_of_two_digits_is_no_date(checked: Checked, tmp_path: Path) -> None:
    """26 March of the year 9 is what 09-03-26 was read as, and the customer's for 2,000 years."""
    rows = joined(ending(spread()))
    rows[3] |= {"Joined": "09-03-26"}
    rows[4] |= {"Joined": "09.03.26"}
    rows[5] |= {"Joined": "08/02/21"}
    rows[6] |= {"End": "09-03-26"}
    rows[7] |= {"Seen": "09-03-26"}
    (tmp_path / "history.csv").write_text(as_csv(rows))
    for form in (None, *ORDERS):
        table = {"path": "history.csv", "format": {"date": form}}
        report = checked(contract(**PARTS, tables={"history": table}).model_dump_json())
        assert report.refused == 5
        assert kinds(report) == {
            ("Joined", "is no date: write 2026-01-31"): 3,
            ("End", "is no date: write 2026-01-31"): 1,
            ("Seen", "is no date: write 2026-01-31"): 1,
        }
        refusals = {kind.column: kind for kind in report.tables[0].refusals}
        assert refusals["Joined"].examples[0] == ("history.csv:4", "09-03-26")
