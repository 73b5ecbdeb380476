"""Amounts with the sign or the code of a currency are numbers."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from churn_assets.customers.contract.tables import Format
from churn_assets.customers.quality.columns import number
from churn_assets.customers.reading.numbers import Marks, marks_by_column, number_in
from tests.customers.conftest import CONTRACT, Checked, as_csv, made_rows
from tests.customers.test_inspect import inspected, renamed


@pytest.mark.parametrize(
    ("cell", "decimal", "thousands", "value"),
    [
        ("34,90 €", ",", "", 34.9),
        ("34,90\u00a0€", ",", "", 34.9),
        ("€ 34.90", ".", "", 34.9),
        ("EUR 34,90", ",", "", 34.9),
        ("5€", ".", "", 5),
        ("$1,234.50", ".", ",", 1234.5),
        ("-$1,234.50", ".", ",", -1234.5),
        ("R$ 1.234,50", ",", ".", 1234.5),
        ("1 234,50 EUR", ",", " ", 1234.5),
        ("CHF 1'234.50", ".", "'", 1234.5),
        ("34,90 euros", ",", "", 34.9),
        ("€", ".", "", None),
        ("34.90 € a month", ".", "", None),
        ("€ 34.90 €", ".", "", None),
        ("34.90 GB", ".", "", None),
        ("-€-5", ".", "", None),
    ],
)
def test_a_currency_beside_a_number_is_passed_over(
    cell: str, decimal: str, thousands: str, value: float | None
) -> None:
    """In tables and in files of customers alike; in other words it stays."""
    marks = Marks(decimal, thousands)
    row = duckdb.sql("SELECT ? AS c", params=[cell])
    [(read,)] = row.project(number("c", marks)).fetchall()
    assert (read, number_in(cell, marks)) == (value, value)


def test_amounts_tell_their_marks() -> None:
    """As plain numbers do."""
    [marks] = marks_by_column([["1.250,50 €"], ["34,90 €"]], 1, Format())
    assert marks == Marks(",", ".")


def test_a_first_contract_of_amounts_holds(checked: Checked, tmp_path: Path) -> None:
    """Why: a monthly value of "34,90 €" was text of many values, and left out."""
    rows = renamed(made_rows())
    rows = [row | {"Monthly Fee": f"{row['Monthly Fee']} €".replace(".", ",")} for row in rows]
    found = inspected(tmp_path, rows)
    assert found.guesses["Monthly Fee"] == "monthly value"
    assert "decimal ','" in found.written[0]
    report = checked(found.contract)
    assert (report.problems, report.tables[0].used) == ([], 400)


def test_two_currencies_in_a_column_are_a_problem(checked: Checked, tmp_path: Path) -> None:
    """Why: 30 euros and 40 dollars would be added up as 70 of something."""
    signs = ("€ ", "EUR ", "")
    fees = [f"{signs[i % 3]}{row['Monthly Fee']}" for i, row in enumerate(made_rows())]
    rows = [row | {"Monthly Fee": fee} for row, fee in zip(made_rows(), fees, strict=True)]
    (tmp_path / "history.csv").write_text(as_csv(rows), encoding="utf-8")
    assert checked().problems == []
    rows[7]["Monthly Fee"] = f"${made_rows()[7]['Monthly Fee']}"
    (tmp_path / "history.csv").write_text(as_csv(rows), encoding="utf-8")
    assert checked().problems == [
        "history: Monthly Fee is in several currencies (EUR, USD): write all of it in one"
    ]


def priced(fee: str, codes: tuple[str, ...] = ("EUR", "GBP")) -> list[dict[str, str]]:
    """The company's customers with a column of currencies, and a fee of another name."""
    rows = [{fee if k == "Monthly Fee" else k: v for k, v in row.items()} for row in made_rows()]
    return [row | {"Currency": codes[i % len(codes)]} for i, row in enumerate(rows)]


@pytest.mark.parametrize("codes", [("EUR", "GBP"), ("€", " £", ""), ("EUR", "€", "GBP")])
def test_currencies_in_a_column_of_their_own_are_a_problem(
    codes: tuple[str, ...], checked: Checked, tmp_path: Path
) -> None:
    """Why: 30 euros and 40 pounds were 70 of something, and "No problems."; also where the contract
    leaves the column out."""
    (tmp_path / "history.csv").write_text(as_csv(priced("Monthly Fee", codes)), encoding="utf-8")
    problem = (
        "history: Currency has several currencies (EUR, GBP), so Monthly Fee can't be added up: "
        "convert them in a query or a view, and name the currency in the new column, as in "
        "'Monthly Fee EUR'"
    )
    assert checked().problems == [problem]
    (tmp_path / "history.csv").write_text(as_csv(priced("Monthly Fee", ("EUR", "KES"))))
    assert checked().problems == [problem.replace("GBP", "KES")]
    (tmp_path / "history.csv").write_text(as_csv(priced("Monthly Fee", codes)), encoding="utf-8")
    assert checked(CONTRACT + "left_out: {Currency: it is converted}\n").problems == [problem]


def test_amounts_whose_column_names_the_currency_were_converted(
    checked: Checked, tmp_path: Path
) -> None:
    for name in ("Monthly Fee EUR", "monthly_fee_eur", "Monthly Fee (€)"):
        (tmp_path / "history.csv").write_text(as_csv(priced(name)), encoding="utf-8")
        assert checked(CONTRACT.replace("Monthly Fee", name)).problems == []


@pytest.mark.parametrize("codes", [("EUR",), ("EUR", "€"), ("EUR", "DE"), ("TOP", "ALL"), ("",)])
def test_one_currency_or_other_words_are_no_problem(
    codes: tuple[str, ...], checked: Checked, tmp_path: Path
) -> None:
    (tmp_path / "history.csv").write_text(as_csv(priced("Monthly Fee", codes)), encoding="utf-8")
    assert checked().problems == []


def test_inspect_asks_about_currencies_in_a_column_of_their_own(tmp_path: Path) -> None:
    def asked(name: str, *codes: str) -> str:
        rows = renamed(priced("Monthly Fee", codes))
        found = inspected(tmp_path, [{name if k == "Monthly Fee" else k: v for k, v in r.items()}
                                     for r in rows])  # fmt: skip
        return "; ".join(said for said in found.decide if said.startswith("value.monthly"))

    several = asked("Monthly Fee", "EUR", "GBP")
    assert "Currency has several currencies (EUR, GBP): if Monthly Fee is in these" in several
    assert "currencies" not in asked("Monthly Fee", "EUR")
    assert "currencies" not in asked("Monthly Fee EUR", "EUR", "GBP")
