"""What tables of people and suppression lists say, however they are written."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churn_assets.campaign.eligibility import on_the_list
from churn_assets.campaign.errors import PeopleError
from churn_assets.campaign.people import Person, read_ids, read_people


def test_people_are_read_from_csv_and_parquet(tmp_path: Path) -> None:
    """The same people, whichever file; what is empty is unknown."""
    import pyarrow.csv
    import pyarrow.parquet

    file = tmp_path / "people.csv"
    file.write_text(
        "\ufeffcustomer_id,first_name,zone,opt_out,consent,complained_on,other\n"
        "A,Zoë,Europe/Madrid,no,Yes,2026-03-01,x\nB,,,,,,\n",
        encoding="utf-8",
    )
    people = read_people(file)
    assert people == {
        "A": Person(
            "Zoë",
            "Europe/Madrid",
            None,
            opt_out=False,
            consent=True,
            complained_on=date(2026, 3, 1),
        ),
        "B": Person(),
    }
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(file), tmp_path / "people.parquet")
    assert read_people(tmp_path / "people.parquet") == people


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("name\nA\n", "has no column customer_id; it has name$"),
        ("customer_id,opt_out\nA,maybe\n", "row 1: opt_out is neither yes nor no"),
        ("customer_id,opt_out\nA,n/a\n", "row 1: opt_out is neither yes nor no"),
        ("customer_id,consent\nA,yes\nB,None\n", "row 2: consent is neither yes nor no"),
        ("customer_id,complained_on\nA,NA\n", "row 1: complained_on is no date"),
        ("customer_id\nA\nA\n", "row 2 names a customer that an earlier row names"),
        ("customer_id,zone\nA,Mars\n", "row 1: zone is no IANA time zone"),
        ("customer_id,complained_on\nA,yesterday\n", "row 1: complained_on is no date"),
        ('customer_id,zone\n"",UTC\n', "row 1 has no customer_id"),
        ("customer_id,zone,opt_out\nA,UTC\n", "row 1 has 2 cells where the header has 3"),
        ('customer_id,first_name,opt_out\nA,Ana,no\nB,"Sam,yes\nC,Eva,yes\n', "row 2 has a quote"),
    ],
)
def test_a_doubtful_table_stops_the_plan(lines: str, said: str, tmp_path: Path) -> None:
    """An opt-out that can't be read must not pass for none."""
    file = tmp_path / "people.csv"
    file.write_text(lines, encoding="utf-8")
    with pytest.raises(PeopleError, match=said):
        read_people(file)


def test_people_and_ids_may_be_called_what_elsewhere_means_unknown(tmp_path: Path) -> None:
    """Why: a customer "NA" stopped all planning, and Na was written to without her name."""
    file = tmp_path / "people.csv"
    file.write_text(
        "customer_id,first_name,zone,language\nNA,Na,n/a,None\nNone,Nan,UTC,es\n", encoding="utf-8"
    )
    assert read_people(file) == {"NA": Person("Na"), "None": Person("Nan", "UTC", "es")}


def test_a_column_that_pandas_found_empty_is_unknown(tmp_path: Path) -> None:
    """Its missing cells are numbers that are none, and no word that somebody wrote."""

    table = {"customer_id": ["A", "B"], "opt_out": [1.0, np.nan], "first_name": [np.nan, np.nan]}
    pd.DataFrame(table).to_parquet(tmp_path / "people.parquet")
    assert read_people(tmp_path / "people.parquet") == {"A": Person(opt_out=True), "B": Person()}


def test_a_suppression_list_is_the_column_of_ids_or_the_first(tmp_path: Path) -> None:
    """With a header or without, as text or CSV."""
    file = tmp_path / "no.csv"
    file.write_text("customer_id,why\nA,asked\n\n B ,\n", encoding="utf-8")
    assert read_ids(file) == {"A", "B"}
    file.write_text("email,customer_id\na@example.org,A\n", encoding="utf-8")
    assert read_ids(file) == {"A"}
    file.write_text("email;customer_id\na@example.org;A\nend\n", encoding="utf-8")
    with pytest.raises(PeopleError, match="line 3 has no cell for customer_id"):
        read_ids(file)


def test_a_suppression_list_may_have_the_companys_own_column(tmp_path: Path) -> None:
    """Wherever it stands in it: by the first column, a date, the list named nobody."""
    file, column = tmp_path / "no.csv", "Klant nummer"
    file.write_text("Datum;Klant  nummer\n12-03-2026;00003872\n13-03-2026;17648\n")
    assert read_ids(file, column) == {"00003872", "17648"}
    assert "12-03-2026" in read_ids(file)
    file.write_text("Klant nummer\nA|1\n")
    assert read_ids(file, column) == {"A", "A|1"}
    file.write_text("Klant nummer;customer_id\nX;A\n")
    assert read_ids(file, column) == {"A", "X"}  # whichever the customers are known by
    file.write_text("A;asked\nB\n")  # no header at all
    assert read_ids(file, column) == {"A", "B"}
    file.write_text("Datum;Klant nummer\n12-03-2026\n")
    with pytest.raises(PeopleError, match="line 2 has no cell for Klant nummer"):
        read_ids(file, column)


def test_the_companys_own_column_may_be_written_otherwise(tmp_path: Path) -> None:
    """Why: by capitals alone it was no column of ids, and the list was read by its dates; by a
    doubled blank a list of one column lost its ids with bars in them. Nobody was kept out."""
    file = tmp_path / "no.csv"
    file.write_text("Date;ACCOUNT\n2026-03-12;A1\n2026-03-13;A2\n")
    assert read_ids(file, "Account") == {"A1", "A2"}
    file.write_text("Date;Customer_ID\n2026-03-12;A1\n")
    assert read_ids(file) == {"A1"}
    for header in ("Klant  nummer", '"klant  nummer"'):
        file.write_text(f"{header}\nA|1\nB|2\n")
        assert read_ids(file, "Klant nummer") >= {"A|1", "B|2"}


def test_a_list_of_the_companys_ids_and_of_its_own_keeps_out_both(tmp_path: Path) -> None:
    """Why: the contract's column was passed over where a CRM's `customer_id` stood beside it."""
    file = tmp_path / "no.csv"
    file.write_text("customer_id;Why;Account\nX1;asked;A1\n;asked;A2\n")
    assert read_ids(file, "Account") == {"X1", "A1", "A2"}
    file.write_text("customer_id;Account\nX1;A1\nX2\n")
    with pytest.raises(PeopleError, match="line 3 has no cell for Account"):
        read_ids(file, "Account")


def test_a_list_of_other_ids_is_told() -> None:
    """A spreadsheet made 123 of 00123: nobody is kept out."""
    assert on_the_list(frozenset(), ["00123"]) is None
    listed = frozenset(("123", "00124"))
    assert on_the_list(listed, ["00123", "00124"]) == 1
    assert on_the_list(listed, ["00123"]) == 0


@pytest.mark.parametrize(
    "lines",
    [
        ["A", "B;asked", "C;asked"],
        ["A;asked, and angry", "B;asked, twice", "C;why, he said"],
        ["sep=;", "A", "B;x", '"C";"x, y"'],
        ["A", "B,asked", "C"],
    ],
)
def test_a_list_whose_first_line_tells_nothing(lines: list[str], tmp_path: Path) -> None:
    """Why: by the first line alone "B;asked" was an id, and B was contacted."""
    file = tmp_path / "no.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    assert read_ids(file) == {"A", "B", "C"}


@pytest.mark.parametrize("mark", "|;,\t")
@pytest.mark.parametrize("header", ["customer_id", '"customer_id"'])
def test_an_id_with_a_separator_in_it_is_on_a_list_of_one_column(
    mark: str, header: str, tmp_path: Path
) -> None:
    """Why: "A|1" was taken for A and a note, and who had opted out was contacted. A note behind an
    id still is one."""
    file = tmp_path / "no.csv"
    file.write_text(f"\ufeff{header}\r\nA{mark}1\r\nB{mark}2\r\nC\r\n", encoding="utf-8")
    assert read_ids(file) >= {f"A{mark}1", f"B{mark}2", "A", "B", "C"}


def test_a_quote_that_is_not_closed_stops_the_plan(tmp_path: Path) -> None:
    """Why: the rest of the list became one id, and all of them were contacted."""
    file = tmp_path / "no.csv"
    file.write_text('customer_id,why\nA,asked\n"B,asked\nC,asked\n', encoding="utf-8")
    with pytest.raises(PeopleError, match=r"no\.csv: line 3 has a quote that is not closed"):
        read_ids(file)


def test_a_suppression_list_that_was_cut_off_stops_the_plan(tmp_path: Path) -> None:
    """Why: an export that broke off left no byte, and all of them were contacted. A header alone
    says that nobody is on the list."""
    file = tmp_path / "no.csv"
    for cut in ("", "\n", "\ufeff"):
        file.write_text(cut, encoding="utf-8")
        with pytest.raises(PeopleError, match=r"no\.csv is empty: write it again"):
            read_ids(file)
    file.write_text("customer_id\n", encoding="utf-8")
    assert read_ids(file) == frozenset()


@pytest.mark.parametrize(
    ("mark", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-16"), (",", "cp1252"), (";", "cp1252")]
)
def test_lists_as_spreadsheets_write_them(mark: str, encoding: str, tmp_path: Path) -> None:
    """Nobody passes a suppression list because it has semicolons; people neither."""
    file = tmp_path / "no.csv"
    lines = ["customer_id,why", "A,pidió", '"B, C",asked', ""]
    rows = [row.replace(",", mark, 1) if '"' not in row else '"B, C"' + mark for row in lines]
    file.write_text("\r\n".join(rows), encoding=encoding)
    assert read_ids(file) == {"A", "B, C"}
    table = mark.join(["customer_id", "opt_out", "first_name"]) + f"\nA{mark}yes{mark}Íñigo\n"
    file.write_text(table, encoding=encoding)
    assert read_people(file) == {"A": Person(first_name="Íñigo", opt_out=True)}


@pytest.mark.parametrize("content", [b"PK\x03\x04 and so on", b"PAR1 and so on", b"A\0B\n"])
def test_a_list_that_is_no_text_stops_the_plan(content: bytes, tmp_path: Path) -> None:
    """An Excel workbook as a suppression list would suppress nobody."""
    file = tmp_path / "never.csv"
    file.write_bytes(content)
    for read in (read_ids, read_people):
        with pytest.raises(PeopleError, match="never"):
            read(file)
