"""How numbers are written: marks that cells tell, that the contract says, and that nobody knows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from churn_assets.customers.inspection.inspect import inspect_tables
from churn_assets.customers.reading.sources import Places
from tests.customers.conftest import CONTRACT, Checked, Rows, as_csv, made_rows


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("{:,.2f}", "decimal '.', thousands ','"),
        ("{:,.2f}|.,", "decimal ',', thousands '.'"),
        ("{:,.2f}| ,", "decimal ',', thousands ' '"),
        ("{:,.2f}|'.", "decimal '.', thousands \"'\""),
    ],
)
def test_thousands_marks_are_found(cell: str, shown: str, checked: Checked, tmp_path: Path) -> None:
    """1,234.50 and 1.234,50 are the same; the values tell."""
    form, _, marks = cell.partition("|")
    rows = made_rows()
    for number, row in enumerate(rows):
        fee = form.format(800 + 7.25 * number)
        row["Monthly Fee"] = fee.translate(str.maketrans(",.", marks)) if marks else fee
    (tmp_path / "history.csv").write_text(as_csv(rows, ";"))
    report = checked(CONTRACT.replace("[0, 500]", "[800, 3700]"))
    assert report.problems == []
    assert report.tables[0].files[0].written == f"utf-8, delimiter ';', {shown}"


def test_the_contract_overrides_what_is_found(checked: Checked, tmp_path: Path) -> None:
    """Where every comma could be either mark, a person says which."""
    rows = made_rows()
    for number, row in enumerate(rows):
        row["Monthly Fee"] = f"1,{number + 100}"
    (tmp_path / "history.csv").write_text(as_csv(rows, ";"))
    assert checked().refused == 400
    for given, limits in (("decimal: ','", "[1, 2]"), ("thousands: ','", "[1000, 2000]")):
        table = f"{{path: history.csv, format: {{{given}}}}}"
        contract = CONTRACT.replace("{path: history.csv}", table).replace("[0, 500]", limits)
        assert checked(contract).problems == []


UNCLEAR = "may have thousands or decimals after its point: say format.decimal or format.thousands"


def with_fees(*fees: str) -> Rows:
    """Customers who pay these in turn."""
    return [row | {"Monthly Fee": fees[i % len(fees)]} for i, row in enumerate(made_rows())]


def test_a_point_that_may_be_either_mark_is_not_guessed_at(
    checked: Checked, tmp_path: Path
) -> None:
    """1.250 beside 850 is 1250 in most of Europe and 1.25 elsewhere; the contract says which."""
    (tmp_path / "history.csv").write_text(as_csv(with_fees("850", "1.250", "+2.100"), ";"))
    report = checked()
    assert {(k.column, k.problem): k.rows for k in report.tables[0].refusals} == {
        ("Monthly Fee", UNCLEAR): 266,
        ("Monthly Fee", "is above 500"): 134,
    }
    for given, limits in (("decimal: .", "[1.25, 850]"), ("thousands: .", "[850, 2100]")):
        table = f"{{path: history.csv, format: {{{given}}}}}"
        contract = CONTRACT.replace("{path: history.csv}", table).replace("[0, 500]", limits)
        assert checked(contract).problems == []
    table = "{path: history.csv, format: {decimal: ','}}"
    [kind, _] = checked(CONTRACT.replace("{path: history.csv}", table)).tables[0].refusals
    assert kind.problem == "may have thousands or decimals after its point: say format.thousands"


@pytest.mark.parametrize(
    ("fees", "limits"),
    [
        (("1.250", "3.5"), "[1.25, 3.5]"),
        (("1.250", "0.125"), "[0, 1.25]"),
        (("1.250", "1875.000"), "[1.25, 1875]"),
        (("1.250", "1,234,567"), "[1, 1234567]"),
        (("1.250", "12.345.678"), "[1250, 12345678]"),
        (("1.250", "900,5"), "[900, 1250]"),
    ],
)
def test_one_cell_tells_what_all_points_are(
    fees: tuple[str, str], limits: str, checked: Checked, tmp_path: Path
) -> None:
    """Ordinary numbers with three decimals are no doubtful ones."""
    (tmp_path / "history.csv").write_text(as_csv(with_fees(*fees), ";"))
    contract = CONTRACT.replace("[0, 500]", limits)
    if fees == ("1.250", "900,5"):  # as ever, a lone group of thousands has to be agreed on
        contract = contract.replace("history.csv", "history.csv, format: {thousands: .}")
    assert checked(contract).problems == []


def test_a_file_that_tells_nothing_is_read_as_the_others(checked: Checked, tmp_path: Path) -> None:
    """A few mended rows are of the table that they were refused from."""
    (tmp_path / "history.csv").write_text(as_csv(made_rows(399)))
    (tmp_path / "mended.csv").write_text(as_csv([made_rows()[-1] | {"Monthly Fee": "12.125"}]))
    assert checked(CONTRACT.replace("history.csv", "[history.csv, mended.csv]")).problems == []


CALLS = [12.125, 12.375] * 200
WITHOUT_POINT = pd.DataFrame(with_fees("1.234,50", "900,5")).assign(Calls=CALLS)
LIMITS = (("[0, 500]", "[900.5, 1234.5]"), ("[0, 1000]", "[12.125, 12.375]"))


def limited(contract: str, *limits: tuple[str, str]) -> str:
    """The small company's, with other ranges."""
    for before, after in limits:
        contract = contract.replace(before, after)
    return contract


@pytest.mark.parametrize("kind", ["str", "category"])
def test_text_in_a_typed_file_is_read_by_its_own_marks(
    kind: str, checked: Checked, tmp_path: Path
) -> None:
    """A spreadsheet's 1.234,50 came into a data frame as text: it was no number, whatever the
    contract said. Numbers beside it are what they are."""
    frame = WITHOUT_POINT.astype({"Monthly Fee": kind})
    frame.to_parquet(tmp_path / "history.parquet")
    report = checked(limited(CONTRACT, ("history.csv", "history.parquet"), *LIMITS))
    assert (report.problems, report.tables[0].used) == ([], 400)
    assert report.tables[0].files[0].written == "text with decimal ',', thousands '.'"


def test_the_contract_says_how_text_in_a_typed_file_is_written(
    checked: Checked, tmp_path: Path
) -> None:
    """1,250 tells nothing; without a word of the contract a text's 1.250 has a point, as ever."""
    for fee, form, limits in (
        ("1,250", ", format: {decimal: ','}", "[1.25, 2]"),
        ("1,250", ", format: {thousands: ','}", "[2, 1250]"),
        ("1.250", "", "[1.25, 2]"),
    ):
        pd.DataFrame(with_fees(fee, "2")).assign(Calls=CALLS).to_parquet(tmp_path / "now.parquet")
        table = ("history.csv", f"now.parquet{form}")
        assert checked(limited(CONTRACT, table, ("[0, 500]", limits), LIMITS[1])).problems == []


def test_a_first_contract_takes_text_in_a_typed_file_for_numbers(
    checked: Checked, tmp_path: Path
) -> None:
    """The column of what they pay was left out as "text of 350 different values"."""
    fees = [f"{20 + number / 4:.2f}".replace(".", ",") for number in range(400)]
    frame = pd.DataFrame(made_rows()).assign(Calls=CALLS, **{"Monthly Fee": fees})
    frame.to_parquet(tmp_path / "history.parquet")
    found = inspect_tables([str(tmp_path / "history.parquet")], Places(tmp_path, tmp_path / "raw"))
    assert found.guesses["Monthly Fee"] == "monthly value"
    assert found.written == ("history.parquet: 400 rows, text with decimal ','",)
    assert "value: {monthly: Monthly Fee}" in found.contract


def test_typed_numbers_have_no_marks(checked: Checked, tmp_path: Path) -> None:
    """A Parquet file's 1.25 and 2.125 are what they are."""
    rows = pd.DataFrame(with_fees("1.125", "2.375")).astype({"Monthly Fee": float})
    rows.to_parquet(tmp_path / "history.parquet")
    assert checked(CONTRACT.replace("history.csv", "history.parquet")).problems == []
