"""Telco and bank cleaning: the published row counts, the types, and what a broken file says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from churn_assets.datasets.build import build
from churn_assets.datasets.cleaning import bank, telco
from churn_assets.datasets.config import DatasetsConfig
from churn_assets.datasets.errors import CorruptFileError, DataError, SchemaViolationError
from churn_assets.datasets.pull import pull
from churn_assets.datasets.quality import WrittenDataset
from churn_assets.datasets.schemas import RAW_BANK, RAW_TELCO
from churn_assets.datasets.sources.files import RawFile
from churn_assets.datasets.tables import read_parquet, read_split, read_text_table, write_parquet

CUSTOMER = {
    **dict.fromkeys(RAW_TELCO, "No"),
    "customerID": "0001-AAAAA",
    "gender": "Female",
    "SeniorCitizen": "1",
    "tenure": "12",
    "PhoneService": "Yes",
    "InternetService": "DSL",
    "Contract": "One year",
    "PaymentMethod": "Mailed check",
    "MonthlyCharges": "20.5",
    "TotalCharges": "246",
}
CONTACT = {
    **dict.fromkeys(RAW_BANK, "1"),
    "age": "40",
    "job": "admin.",
    "marital": "single",
    "education": "basic.4y",
    **dict.fromkeys(("default", "housing", "loan"), "no"),
    "contact": "cellular",
    "month": "may",
    "day_of_week": "mon",
    "pdays": "999",
    "previous": "0",
    "poutcome": "nonexistent",
    "y": "yes",
}


def write(path: Path, rows: list[dict[str, str]], separator: str = ",") -> Path:
    pd.DataFrame(rows).to_csv(path, index=False, sep=separator)
    return path


def test_the_real_customers_are_7032(mirror: Path, tmp_path: Path) -> None:
    """The specification's number: 7,043 less the 11 who have not been billed yet."""
    config = DatasetsConfig(source="mirror", mirror=mirror)
    summary = build("telco_customers", pull("telco_customers", config, tmp_path), tmp_path, config)
    assert (summary["raw_rows"], summary["dropped_blank_total"]) == (7_043, 11)
    assert summary["rows"] == 7_032
    assert summary["splits"] == {"train": 5_625, "valid": 703, "test": 704}
    dataset = WrittenDataset.load("telco_customers", tmp_path)
    dataset.validate()
    together = pd.concat(dataset.splits.values())
    assert together["churn"].sum() == 1_869
    assert together["monthly_charges"].sum() == pytest.approx(455_661.00, abs=0.01)


def test_the_real_contacts_are_41188_with_their_12_duplicates(mirror: Path, tmp_path: Path) -> None:
    """The specification's number includes the duplicates, so they are counted and kept."""
    config = DatasetsConfig(source="mirror", mirror=mirror)
    summary = build("bank_contacts", pull("bank_contacts", config, tmp_path), tmp_path, config)
    assert (summary["rows"], summary["duplicates_kept"]) == (41_188, 12)
    dataset = WrittenDataset.load("bank_contacts", tmp_path)
    dataset.validate()
    together = pd.concat(dataset.splits.values()).sort_values("contact_id")
    assert together["accepted"].sum() == 4_640
    assert together["pdays"].notna().sum() == 1_515
    assert list(together["contact_id"]) == list(range(41_188))
    counts = together["chronological_split"].value_counts().to_dict()
    assert counts == {"train": 32_950, "valid": 4_119, "test": 4_119}


def test_what_is_known_only_after_the_call_is_dropped(tmp_path: Path) -> None:
    """`duration` leaks the answer; the macro-economic columns tell the era."""
    contacts, _ = bank.clean(write(tmp_path / "bank.csv", [CONTACT] * 10, ";"))
    leaks = {"duration", "emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m"}
    assert not leaks & set(contacts.columns)
    assert "nr.employed" not in contacts.columns


def test_never_contacted_is_missing_and_not_999_days(tmp_path: Path) -> None:
    """The file's 999 is no number of days; a model must not read it as one."""
    rows = [CONTACT, {**CONTACT, "pdays": "6", "previous": "1", "poutcome": "success"}]
    contacts, _ = bank.clean(write(tmp_path / "bank.csv", rows, ";"))
    assert contacts["pdays"].isna().tolist() == [True, False]
    assert contacts["pdays"][1] == 6
    assert str(contacts["pdays"].dtype) == "Int64"


def test_an_id_that_reads_like_a_missing_value_is_an_id(tmp_path: Path) -> None:
    """Namibia's code is NA; a blank is no id."""
    customers, _ = telco.clean(write(tmp_path / "telco.csv", [{**CUSTOMER, "customerID": "NA"}]))
    assert list(customers["customer_id"]) == ["NA"]
    with pytest.raises(SchemaViolationError, match="customerID: ' ' is blank"):
        telco.clean(write(tmp_path / "telco.csv", [{**CUSTOMER, "customerID": " "}]))


def test_a_customer_without_a_first_bill_is_dropped(tmp_path: Path) -> None:
    """Blank and space both mean it; the others keep their types."""
    rows = [CUSTOMER, {**CUSTOMER, "customerID": "2", "TotalCharges": " "}]
    rows.append({**CUSTOMER, "customerID": "3", "TotalCharges": ""})
    customers, notes = telco.clean(write(tmp_path / "telco.csv", rows))
    assert notes == {"raw_rows": 3, "dropped_blank_total": 2}
    [kept] = customers.to_dict("records")
    assert kept["senior_citizen"] is True
    assert (kept["tenure"], kept["total_charges"], kept["churn"]) == (12, 246.0, False)


@pytest.mark.parametrize(
    ("column", "value"),
    [("Churn", "Perhaps"), ("tenure", "-1"), ("MonthlyCharges", "free"), ("SeniorCitizen", "2")],
)
def test_a_value_that_cannot_be_read_names_its_row_and_column(
    tmp_path: Path, column: str, value: str
) -> None:
    """Turning it into something else would be a guess."""
    rows = [CUSTOMER, {**CUSTOMER, "customerID": "2", column: value}]
    with pytest.raises(SchemaViolationError) as error:
        telco.clean(write(tmp_path / "telco.csv", rows))
    _, _, case = error.value.failure_cases.splitlines()
    row, where, _, cell = (part.strip() for part in case.strip("|").split("|"))
    assert (row, where, cell) == ("2", column, repr(value))
    assert f"{column}: {value!r} is" in str(error.value)
    assert "(row 2)" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_an_extra_and_a_repeated_value_are_found(tmp_path: Path) -> None:
    """Columns and identity are part of the contract with the source."""
    missing = {key: value for key, value in CUSTOMER.items() if key != "tenure"}
    for rows, word in (
        ([missing], "tenure"),
        ([{**CUSTOMER, "Surprise": "1"}], "Surprise"),
        ([CUSTOMER, CUSTOMER], "0001-AAAAA"),
    ):
        with pytest.raises(SchemaViolationError, match=word):
            telco.clean(write(tmp_path / "telco.csv", rows))


@pytest.mark.parametrize(("change", "values"), [(lambda row: row[:-20], 18), ("{},No".format, 22)])
def test_a_row_of_another_length_than_the_header_is_found(
    change: Callable[[str], str], values: int, tmp_path: Path
) -> None:
    """pandas would fill a short one with missing values, and cut a long one without a word."""
    path = write(tmp_path / "telco.csv", [CUSTOMER, {**CUSTOMER, "customerID": "2"}])
    header, first, second = path.read_text().splitlines()
    path.write_text("\n".join((header, first, change(second))))
    with pytest.raises(CorruptFileError, match=f"row 2 has {values} values, the header 21"):
        telco.clean(path)
    path.write_text("\n".join((header, change(first), change(second))))
    with pytest.raises(CorruptFileError, match=f"row 1 has {values} values"):
        telco.clean(path)


def test_a_column_that_is_there_twice_is_found(tmp_path: Path) -> None:
    """Either could be the one that is meant."""
    path = tmp_path / "telco.csv"
    path.write_text("tenure,Churn,Churn\n1,Yes,No\n")
    with pytest.raises(CorruptFileError, match="more than one column 'Churn'"):
        read_text_table(path, ",")


def test_other_spellings_of_the_same_values_are_understood(tmp_path: Path) -> None:
    """Blanks around a word, its case and 12.0 for 12 change nothing; 12.5 months are none."""
    same = {"Churn": " no ", "SeniorCitizen": "Yes", "tenure": "12.0", "Contract": "one year"}
    plain, _ = telco.clean(write(tmp_path / "plain.csv", [CUSTOMER]))
    other, _ = telco.clean(write(tmp_path / "other.csv", [CUSTOMER | same]))
    pd.testing.assert_frame_equal(plain, other)
    with pytest.raises(SchemaViolationError, match=r"tenure: '12\.5' is not a whole number"):
        telco.clean(write(tmp_path / "half.csv", [{**CUSTOMER, "tenure": "12.5"}]))


def test_customers_who_all_stay_cannot_be_split(tmp_path: Path) -> None:
    """A label with one value teaches nothing; the file must be a wrong one."""
    rows = [{**CUSTOMER, "customerID": str(number)} for number in range(30)]
    rows[0]["Churn"] = "Yes"
    path = write(tmp_path / "telco.csv", rows)
    raw = RawFile((path,), "mirror", "0" * 64)
    with pytest.raises(DataError, match=r"telco\.csv: the rows of telco_customers cannot be split"):
        build("telco_customers", raw, tmp_path / "out", DatasetsConfig())


def test_no_table_at_all_is_a_corrupt_file(tmp_path: Path) -> None:
    """Empty, not UTF-8, or rows with more values than the header has."""
    path = tmp_path / "telco.csv"
    for content in (b"", b"a,b\n\xff\xfe,1\n", b"a,b\n1,2\n1,2,3\n"):
        path.write_bytes(content)
        with pytest.raises(CorruptFileError, match=r"telco\.csv"):
            read_text_table(path, ",")


def test_parquet_gives_back_every_type_and_the_same_bytes(tmp_path: Path) -> None:
    """Text, flags, missing integers; and a digest that depends on the rows alone."""
    frame = pd.DataFrame(
        {
            "text": ["Zoë", ""],
            "flag": [True, False],
            "days": pd.array([None, 3], dtype="Int64"),
            "none_missing": pd.array([1, 2], dtype="Int64"),
            "count": [1, 2],
            "dollars": [0.1, 1e300],
        }
    )
    write_parquet(frame, tmp_path / "train.parquet")
    pd.testing.assert_frame_equal(read_split(tmp_path, "train"), frame)
    write_parquet(read_split(tmp_path, "train"), tmp_path / "again.parquet")
    first, again = (tmp_path / name for name in ("train.parquet", "again.parquet"))
    assert first.read_bytes() == again.read_bytes()
    first.write_bytes(first.read_bytes()[:-5])
    with pytest.raises(CorruptFileError, match=r"train\.parquet"):
        read_parquet(first)
