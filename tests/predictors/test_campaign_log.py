"""A company's own contacts as files: understood in their usual dialects, refused cell by cell."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from churn_assets.datasets.errors import CorruptFileError, DataError, SchemaViolationError
from churn_assets.predictors.assets import publish_log
from churn_assets.predictors.scoring.features import PricePressure
from churn_assets.predictors.training.accept import Contacts
from churn_assets.predictors.training.campaign_log import campaign_log, read_log
from churn_assets.storage.opening import open_store

PRESSURE = PricePressure((20.0, 70.0, 120.0))


def log(rows: int = 800) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    offer = rng.integers(0, 4, rows)
    return pd.DataFrame(
        {
            "partner": rng.choice([True, False, None], rows),
            "contact_channel": rng.choice(["cellular", "telephone", None], rows),
            "contacts_this_period": rng.integers(0, 3, rows),
            "days_since_contact": np.where(rng.random(rows) < 0.5, np.nan, 12.0),
            "previous_contacts": rng.integers(0, 2, rows),
            "previous_outcome": rng.choice(["failure", "nonexistent", "success"], rows),
            "monthly_charges": rng.uniform(20, 120, rows),
            "offer_level": offer,
            "accepted": rng.random(rows) < 0.1 + 0.2 * offer,
        }
    )


def few(accepted: int = 10) -> pd.DataFrame:
    """A hundred contacts at each offer; so many, the first, accepted none, all others ten."""
    offer = np.tile(np.arange(4), 100)
    said = np.repeat(np.arange(100), 4) < np.where(offer == 0, accepted, 10)
    return log(400).assign(offer_level=offer, accepted=said)


def write(file: Path, rows: pd.DataFrame, **dialect: str) -> Path:
    rows.to_csv(file, index=False, **dialect)
    return file


def changed(column: str, value: object, row: int = 18) -> pd.DataFrame:
    """A sound log but for one cell; rows count from 1."""
    rows = log()
    rows[column] = rows[column].astype(object)
    rows.loc[row - 1, column] = value
    return rows


@pytest.mark.parametrize("name", ["log.csv", "log.CSV", "log.csv.gz", "log.parquet"])
def test_a_log_is_read_with_its_gaps(name: str, tmp_path: Path) -> None:
    """A company's own contacts, with missing values kept missing."""
    expected = log()
    if name.endswith("parquet"):
        expected.to_parquet(tmp_path / name)
    else:
        write(tmp_path / name, expected)
    contacts = campaign_log(tmp_path, PRESSURE)
    np.testing.assert_allclose(
        contacts["price_pressure"], PRESSURE(expected["monthly_charges"].to_numpy())
    )
    for column in ("partner", "contact_channel", "days_since_contact"):
        np.testing.assert_array_equal(contacts[column].isna(), expected[column].isna())
    assert (contacts["accepted"] == expected["accepted"]).all()
    assert set(contacts["split"]) == {"train", "valid", "test"}
    assert list(contacts["chronological_split"].unique()) == ["train", "valid", "test"]


def test_a_customer_s_contacts_are_on_one_side(tmp_path: Path) -> None:
    """Who has learnt from somebody's first answer isn't tested on their second one."""
    rows = log().assign(customer=[f"C{number % 300}" for number in range(len(log()))])
    write(tmp_path / "log.csv", rows)
    contacts = campaign_log(tmp_path, PRESSURE)
    sides = contacts.groupby("customer")["split"].nunique()
    assert len(sides) == 300
    assert (sides == 1).all()
    assert set(contacts["split"]) == {"train", "valid", "test"}
    assert Contacts.of(contacts).customer is not None


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("accepted", "maybe", "'maybe' is none of yes/no, y/n, true/false or 1/0"),
        ("accepted", "2", "'2' is none of"),
        ("accepted", "-1", "'-1' is none of"),
        ("accepted", "", "'' is blank; needed is yes/no, y/n, true/false or 1/0"),
        ("accepted", "  ", "'  ' is blank"),
        ("accepted", "N/A", "'N/A' is blank"),
        ("partner", "maybe", "'maybe' is none of"),
        ("offer_level", "1.5", "'1.5' is not a whole number"),
        ("offer_level", "4", "'4' is not a whole number from 0 to 3"),
        ("offer_level", "15%", "'15%' is not a number"),
        ("contact_channel", "pigeon", "'pigeon' is not one of telephone, cellular"),
        ("contacts_this_period", "-1", "'-1' is negative"),
        ("contacts_this_period", "0.5", "'0.5' is not a whole number"),
        ("previous_outcome", None, "'' is blank; needed is one of failure, nonexistent, success"),
        ("monthly_charges", "inf", "'inf' is infinite"),
        ("monthly_charges", "1e999", "'1e999' is infinite"),
        ("monthly_charges", "-3", "'-3' is negative"),
        ("monthly_charges", "", "'' is blank; needed is a number from 0 up"),
        ("days_since_contact", "739616", "'739616' is not a number from 0 to 36525"),
    ],
)
def test_a_wrong_cell_is_named_with_its_row_and_what_is_allowed(
    column: str, value: object, problem: str, tmp_path: Path
) -> None:
    """Converted first, each of these would have trained the model on something else."""
    file = write(tmp_path / "log.csv", changed(column, value))
    with pytest.raises(SchemaViolationError) as error:
        read_log(file)
    assert str(error.value).startswith(f"{file}: {column}: {problem}")
    assert str(error.value).endswith("(row 18)")
    assert f"| 18 | {column} |" in error.value.failure_cases


@pytest.mark.parametrize("value", [2, -1, "yess", None, float("nan")])
def test_parquet_is_checked_as_it_stands_too(value: object, tmp_path: Path) -> None:
    """A typed file is no proof: numbers are not truth values, and null is no answer."""
    rows = log()
    cells = [value, *rows["accepted"].astype(type(value) if value else object)[1:]]
    rows["accepted"] = cells if not isinstance(value, str) else [str(cell) for cell in cells]
    rows.to_parquet(tmp_path / "log.parquet")
    with pytest.raises(SchemaViolationError, match=r"log\.parquet: accepted: .*\(row 1\)"):
        read_log(tmp_path / "log.parquet")


def test_blank_answers_are_counted_and_the_first_rows_named(tmp_path: Path) -> None:
    """669 blanks once read as 669 acceptances, with every check green."""
    rows = log()
    rows["accepted"] = rows["accepted"].astype(object)
    rows.loc[[4, 8, 11, 500], "accepted"] = None
    with pytest.raises(SchemaViolationError) as error:
        read_log(write(tmp_path / "log.csv", rows))
    assert "accepted: '' is blank; needed is yes/no" in str(error.value)
    assert str(error.value).endswith("(4 rows, first 5, 9, 12)")
    assert error.value.count == 4


@pytest.mark.parametrize(
    ("true", "false"),
    [("yes", "no"), ("Y", "N"), ("TRUE", "False"), ("1", "0"), (" yes ", "no "), ("1.0", "0.0")],
)
def test_usual_spellings_of_true_and_false_are_understood(
    true: str, false: str, tmp_path: Path
) -> None:
    """In any case; and a partner who is not known stays unknown."""
    expected = log()
    rows = expected.assign(
        accepted=expected["accepted"].map({True: true, False: false}),
        partner=expected["partner"].map({True: true, False: false}),
    )
    contacts = read_log(write(tmp_path / "log.csv", rows))
    assert (contacts["accepted"] == expected["accepted"]).all()
    assert contacts["partner"].isna().sum() == expected["partner"].isna().sum()


def test_a_whole_number_may_be_written_with_a_point(tmp_path: Path) -> None:
    """pandas writes 12.0 where a column has gaps."""
    rows = log()
    contacts = read_log(write(tmp_path / "log.csv", rows.astype({"offer_level": float})))
    assert (contacts["offer_level"] == rows["offer_level"]).all()


@pytest.mark.parametrize(
    "dialect",
    [
        {"sep": ";"},
        {"sep": "\t"},
        {"sep": "|"},
        {"sep": ";", "decimal": ","},
        {"decimal": ","},
        {"encoding": "utf-8-sig"},
        {"sep": "\t", "encoding": "utf-16"},
        {"lineterminator": "\r\n"},
        {"na_rep": "NA"},
    ],
    ids=str,
)
def test_dialects_of_csv_are_the_same_log(dialect: dict[str, str], tmp_path: Path) -> None:
    """Spreadsheets write them according to the country they run in."""
    expected = read_log(write(tmp_path / "plain.csv", log()))
    pd.testing.assert_frame_equal(read_log(write(tmp_path / "log.csv", log(), **dialect)), expected)


@pytest.mark.parametrize(
    ("charges", "problem"),
    [
        (["1,234", "2,345"], "'1,234' may have thousands or decimals after its comma"),
        (["70,35", "70.35"], "'70.35' has a point, while other numbers here have decimal commas"),
        (["1.234,50", "70,35"], r"'1.234,50' has a point, while other numbers"),
        (["$70", "71"], r"'$70' is not a number"),
    ],
)
def test_numbers_that_could_be_two_are_refused(
    charges: list[str], problem: str, tmp_path: Path
) -> None:
    """Which one was meant nobody can tell from the file."""
    rows = log(800).assign(monthly_charges=charges * 400)
    with pytest.raises(SchemaViolationError) as error:
        read_log(write(tmp_path / "log.csv", rows, sep=";"))
    assert f"monthly_charges: {problem}" in str(error.value)


def rewritten(change: Callable[[bytes], bytes]) -> bytes:
    return change(log().to_csv(index=False).encode())


def cell_of(name: str) -> Callable[[bytes], bytes]:
    """Put a column of names before the others, the given one in its first row."""

    def change(content: bytes) -> bytes:
        header, first, *others = content.splitlines()
        rows = (name.encode("latin-1") + b"," + first, *(b"Sam," + row for row in others))
        return b"\n".join((b"name," + header, *rows))

    return change


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it has no header row"),
        (rewritten(cell_of("Müller")), r"line 2 is not UTF-8 \(byte 0xfc\); if it is Latin-1"),
        (rewritten(lambda text: text.decode().encode("utf-16-le")), "NUL characters; if it is UTF"),
        (rewritten(lambda text: text + b"1,2\n"), "row 801 has 2 values, the header 9"),
        (
            rewritten(lambda text: text.replace(b"\n", b",x\n").replace(b",x", b"", 1)),
            "row 1 has 10",
        ),
        (rewritten(lambda text: text.replace(b"partner", b"accepted")), "more than one column"),
        (rewritten(lambda text: text + b'"'), "row 801: unexpected end of data"),
        (b"PAR1 and so on", "it is not CSV but a Parquet file"),
        (gzip.compress(b"a,b"), "it is not CSV but a gzip file; name it"),
        (b"PK\x03\x04 and so on", "it is not CSV but an Excel workbook"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_such_csv_is_refused_by_its_name(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    """One line that says what the file is; and whose file it is: nobody can fetch it again."""
    (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(CorruptFileError, match=problem) as error:
        read_log(tmp_path / "log.csv")
    assert "\n" not in str(error.value)
    assert "fetch" not in str(error.value)


def test_damaged_files_are_one_line(tmp_path: Path) -> None:
    """Cut short on the way."""
    log().to_parquet(tmp_path / "log.parquet")
    whole = (tmp_path / "log.parquet").read_bytes()
    (tmp_path / "log.parquet").write_bytes(whole[:-9])
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(b"a,b\n" * 9_999)[:-9])
    for name in ("log.parquet", "log.csv.gz"):
        with pytest.raises(CorruptFileError, match=f"{name} cannot be read: ") as error:
            read_log(tmp_path / name)
        assert "\n" not in str(error.value)


def test_missing_columns_are_named_beside_those_that_are_there(tmp_path: Path) -> None:
    """The whole header is what its author has to look at."""
    rows = log().rename(columns={"accepted": "Accepted?"})
    with pytest.raises(SchemaViolationError, match=r"Accepted\?\): accepted: is missing$"):
        read_log(write(tmp_path / "log.csv", rows))
    with pytest.raises(DataError, match="price_pressure or monthly_charges"):
        read_log(write(tmp_path / "log.csv", log().drop(columns="monthly_charges")))


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (log()[lambda rows: rows["offer_level"] < 3], "offer level 3 has 0 rows; every level"),
        (log().iloc[:0], "offer level 0 has 0 rows"),
        (log().assign(accepted=True), "accepted is false in 0 rows; 30 are needed"),
        (log().assign(accepted=[True] * 29 + [False] * 771), "accepted is true in 29 rows"),
        (few(accepted=9), "offer level 0 was accepted in 9 rows; 10 are needed to learn and to"),
        (few(accepted=91), "offer level 0 was refused in 9 rows; 10 are needed to learn and to"),
        (few().assign(customer=["A", *"BCD"] * 100), "level 0 is the first contact of 1 customers"),
    ],
    ids=[
        *("no offer of 15 %", "header alone", "all accepted", "few accepted"),
        *("few accepted it", "few refused it", "nobody's first offer"),
    ],
)
def test_a_log_that_teaches_nothing_is_refused(
    rows: pd.DataFrame, problem: str, tmp_path: Path
) -> None:
    """An offer never made has no response to learn; of one answer alone nothing can be told."""
    with pytest.raises(DataError, match=problem):
        read_log(write(tmp_path / "log.csv", rows))


def test_each_answer_to_each_offer_is_in_every_split(tmp_path: Path) -> None:
    """Figures are told at each offer; split by answers alone, those to test on may hold none of an
    offer's acceptances."""
    write(tmp_path / "log.csv", few())
    contacts = campaign_log(tmp_path, PRESSURE)
    counts = contacts.groupby(["split", "offer_level", "accepted"]).size()
    assert len(counts) == 3 * 4 * 2
    assert counts.min() == 1


def test_customers_with_too_many_contacts_to_be_apart_are_one_line(tmp_path: Path) -> None:
    """All of a customer's are on one side, where they may hold all of an answer."""
    rows = log(2000)
    rows["customer"] = [f"C{number % 44}" if number < 44 else "C0" for number in range(2000)]
    rows["offer_level"] = np.arange(2000) % 4
    rows["accepted"] = np.arange(2000) % 3 == 0
    write(tmp_path / "log.csv", rows)
    with pytest.raises(DataError, match="44 customers have so many contacts each") as error:
        campaign_log(tmp_path, PRESSURE)
    assert "\n" not in str(error.value)


def test_the_stage_is_given_one_log(tmp_path: Path) -> None:
    """Two files would leave it to chance which one trained the model."""
    with pytest.raises(ValueError, match="found 0"):
        campaign_log(tmp_path, PRESSURE)


def test_what_is_no_file_is_called_what_it_is(tmp_path: Path) -> None:
    """A folder exists; an Excel name tells what to do."""
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "log.xlsx").write_bytes(b"PK")
    for name, problem in (
        ("folder.csv", "is a folder; name the file in it"),
        ("gone.csv", "does not exist"),
        ("log.xlsx", r"has to end in \.csv, \.csv\.gz or \.parquet"),
    ):
        with pytest.raises(DataError, match=problem):
            read_log(tmp_path / name)


@pytest.mark.parametrize("name", ["log.CSV", "log.csv.gz", "log.parquet"])
def test_the_log_is_published_as_it_is(name: str, tmp_path: Path) -> None:
    """The stage finds it wherever it runs, under a name that it understands."""
    file = tmp_path / name
    log().to_parquet(file) if name.endswith("parquet") else write(file, log())
    store = open_store(str(tmp_path / "store"))
    folder = store.get(publish_log(store, file))
    pd.testing.assert_frame_equal(read_log(next(iter(folder.iterdir()))), read_log(file))
    assert len(campaign_log(folder, PRESSURE)) == 800


def test_of_a_log_that_grows_the_last_five_are_kept(tmp_path: Path) -> None:
    """Each has rows about people, which are nobody's to keep for ever."""
    store = open_store(str(tmp_path / "store"))
    grown = log()
    published = [
        publish_log(store, write(tmp_path / f"{day}.csv", grown.head(len(grown) - 7 + day))).version
        for day in range(7)
    ]
    assert sorted(store.versions("campaign_log")) == sorted(published[2:])


def test_a_wrong_log_is_not_published_and_its_rows_are_shown(tmp_path: Path) -> None:
    """Before a container starts for it."""
    file = write(tmp_path / "log.csv", changed("accepted", "perhaps | not "))
    store = open_store(str(tmp_path / "store"))
    with pytest.raises(dg.Failure, match=r"'perhaps \| not ' is none of.*CAMPAIGN_LOG") as failure:
        publish_log(store, file)
    assert r"'perhaps \| not '" in str(failure.value.metadata["failure_cases"].value)
    assert store.versions("campaign_log") == []
    with pytest.raises(dg.Failure, match="is a folder"):
        publish_log(store, tmp_path)
