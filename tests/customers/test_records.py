"""What Dagster's records keep of a company's tables: counts and columns, nobody's id or cell.

Why: an erasure reaches the ledger, lists and stores; an event log keeps what it was told for ever.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from churn_assets.customers.contract.model import load_contract
from churn_assets.customers.quality.said import (
    Said,
    levels,
    recorded,
    recorded_line,
    recorded_problems,
)
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.tables import write_history
from churn_assets.datasets.errors import DataError
from tests.customers.conftest import CONTRACT, Checked, as_csv, made_rows
from tests.customers.test_own_assets import company as company
from tests.customers.test_own_assets import made, run

SEE = "(`churn customers check` shows which)"


SUMS = CONTRACT.replace("{months: Months}", "{months: '[Months] * 3'}").replace(
    "{monthly: Monthly Fee,", "{monthly: '[Monthly Fee] - 5',"
)
"""The contract with sums, which cells in their ranges can make impossible."""
FEE, MONTHS = "1.37", "599"


def with_active(contract: str) -> str:
    """The contract with a table of its own for who is active."""
    there = "  history: {path: history.csv}\n"
    assert there in contract
    return contract.replace(there, f"{there}  active: {{path: active.csv}}\n")


def of(asset: str, result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """An asset's metadata as the event log has it."""
    [event] = [
        each
        for each in result.get_asset_materialization_events()
        if each.asset_key == dg.AssetKey(asset)
    ]
    return {key: value.value for key, value in event.materialization.metadata.items()}


def logged(result: dg.ExecuteInProcessResult) -> str:
    """All that the run's event log has."""
    return "\n".join(map(str, result.all_events))


def test_a_note_has_nobody_s_id(company: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """How many ids differ, and not which; the command still shows two of them."""
    rows = made_rows(300)
    (company / "customers.yaml").write_text(with_active(CONTRACT))
    for row in rows:
        row["Account"] = f"000{row['Account']}"
    (company / "history.csv").write_text(as_csv(rows))
    active = [row for row in rows if row["Cancelled"] == "no"]
    others = active[: len(active) // 3]
    for row in others:
        row["Account"] = row["Account"].lstrip("0")
    (company / "active.csv").write_text(as_csv(active))
    result = run()
    assert made(result) == {"customer_history", "active_customers"}
    notes = of("customer_history", result)["notes"]
    assert f"{len(others)} of {len(active)} ids differ from the history's by leading zeros" in notes
    assert notes.endswith(SEE)
    kept = logged(result) + "".join(capfd.readouterr())
    assert not [row["Account"] for row in active if row["Account"] in kept]


def test_a_wrong_value_is_no_cell_of_a_row(company: Path) -> None:
    """Neither in what the asset is described by nor in what its check found."""
    rows = made_rows(300)
    rows[7]["Monthly Fee"] = FEE
    rows[9]["Months"] = MONTHS
    (company / "customers.yaml").write_text(SUMS)
    (company / "history.csv").write_text(as_csv(rows))
    result = run()
    checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
    checked = checks["tables_hold_the_contract"]
    for said in (of("customer_history", result)["problems"], checked.description or ""):
        assert "the monthly value of 1 rows is unknown, negative or above" in said
        assert "(Monthly Fee); " in said
        assert "(Months)" in said
        assert said.endswith(SEE)
    assert checked.metadata["problems"].value == 2
    kept = logged(result)
    assert not [cell for cell in (f"'{FEE}'", f"'{MONTHS}'", "history.csv:8") if cell in kept]


def test_a_failed_run_s_message_has_no_cell(company: Path) -> None:
    """Where nothing can be typed, the problems are the error."""
    rows = made_rows(300)
    for row in rows:
        row["Monthly Fee"] = FEE
        del row["Months"]
    (company / "customers.yaml").write_text(SUMS)
    (company / "history.csv").write_text(as_csv(rows))
    agreed = load_contract(company / "customers.yaml")
    with pytest.raises(DataError, match="no column 'Months'") as error:
        write_history(agreed, Places(company, company), company / "refused", company / "out")
    assert "the monthly value of 300 rows" in str(error.value)
    assert FEE not in str(error.value)
    assert str(error.value).endswith(SEE)


def test_the_command_shows_all(checked: Checked, tmp_path: Path) -> None:
    """The row and its cell, of which the report keeps both sentences."""
    rows = made_rows(300)
    rows[7]["Monthly Fee"] = FEE
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked(SUMS)
    [problem] = report.problems
    assert problem.endswith("the first is history.csv:8 (Monthly Fee '1.37')")
    stored = json.loads(json.dumps(report.stored({})))
    assert stored["problems"] == [problem]
    assert recorded_problems(stored) == recorded([problem])
    assert FEE not in recorded_problems(stored)[0]


def test_of_an_earlier_report_the_count_alone_is_kept() -> None:
    """It doesn't tell cells from the rest of a sentence; without problems it is as it was."""
    assert recorded_problems({"problems": ["as 'A-1'", "as 'A-2'"]}) == ["2 to mend"]
    assert recorded_problems({"problems": []}) == []


def test_a_level_of_many_is_shown_and_a_remark_is_not() -> None:
    """By the rule that a first look goes by: short, in five rows or more, and of no form of an
    address, phone number or e-mail."""
    found = [
        ("not asked", 40, 40),
        ("maria@shop.example", 9, 9),
        ("0612 345 678", 5, 5),
        ("ask Maria", 1, 1),
    ]
    with duckdb.connect() as connection:
        assert levels(connection, found) == "'not asked' (40) and 3 different cells"
        assert levels(connection, found[3:]) == "a cell"
        assert levels(connection, found[:1]) == "'not asked' (40)"


@pytest.mark.parametrize("column", ["No Mail", "Paperless", "Region", "Speaks"])
def test_a_remark_about_one_customer_is_no_level_of_many(
    column: str, checked: Checked, tmp_path: Path
) -> None:
    """Why: it stands in each of a customer's snapshots, and these were counted."""
    days = [f"2026-0{month}-28" for month in range(1, 8)]
    sound = {"No Mail": "no", "Region": "Europe/Madrid", "Speaks": "en"}
    rows = [{**row, **sound, "Seen": day} for day in days for row in made_rows(300)]
    cells = {"A10003": "ask Maria"} | {f"A1010{number}": "Mars" for number in range(6)}
    for row in rows:
        usual = "ja" if column == "Paperless" else row[column]
        row |= {column: cells.get(row["Account"], usual), "Cancelled": "no"}
    (tmp_path / "history.csv").write_text(as_csv(rows))
    agreed = CONTRACT.replace("  id: Account\n", "  id: Account\n  snapshot: Seen\n")
    agreed += "contact: {opt_out: {column: No Mail, yes: 'yes', no: 'no'}}\n"
    report = checked(agreed + "people: {zone: Region, language: Speaks}\n")
    [told] = [said for said in (*report.problems, *report.notes) if "ask Maria" in said]
    assert isinstance(told, Said)
    assert told.startswith(f"history: {column}: ")
    assert "Maria" not in told.recorded
    assert "a cell" in told.recorded
    assert "'Mars'" in told.recorded


def test_more_is_promised_only_where_there_is_more() -> None:
    """Of a run's own report, and of a stored one."""
    assert recorded_line(["plain", Said("'x' (9) neither", "'x' (9) neither")]) == (
        "plain; 'x' (9) neither"
    )
    assert recorded_line([Said("as 'A-1'", "as some")]) == f"as some {SEE}"
    stored = {"problems": ["plain", "as 'A-1'"], "problems_without_cells": ["plain", "as some"]}
    assert recorded_line(recorded_problems(stored)) == f"plain; as some {SEE}"
    stored = {"problems": ["plain"], "problems_without_cells": ["plain"]}
    assert recorded_line(recorded_problems(stored)) == "plain"
    assert recorded_line(recorded_problems({"problems": ["as 'A-1'"]})) == f"1 to mend {SEE}"
    assert recorded_line([]) == "none"


def test_a_sentence_of_two_kinds_is_a_text() -> None:
    """It joins and compares as any; what it is made part of by a program has to be made anew."""
    said = Said("as 'A-1'", "as some")
    assert said == "as 'A-1'"
    assert recorded([said, "plain"]) == ["as some", "plain"]
