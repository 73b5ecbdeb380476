"""`churn predict FILE` with a company's own file: read by the words of its contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from churn_assets.cli.customers.files import read_customers
from churn_assets.cli.customers.refused import RefusedFile
from churn_assets.customers.check import check
from churn_assets.customers.contract.model import Contract
from churn_assets.customers.contract.yaml_lines import Document
from churn_assets.customers.fields import schema_of
from churn_assets.customers.reading.dates import months_since
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.schema import CustomerSchema
from churn_assets.customers.tables import write_history
from churn_assets.domain.splits import SPLITS
from churn_assets.serving.forms import Form, form_of
from tests.customers.conftest import CONTRACT, Rows, as_csv, made_rows

FORMAT = {"decimal": ",", "thousands": ".", "delimiter": ";", "encoding": "utf-16"}
TABLE = {"path": "history.csv", "format": FORMAT, "missing": ["-1", "Unknown"]}


def contract(**tables: object) -> Contract:
    """The small company's, whose calls and plan may be unknown."""
    value = Document.parse(CONTRACT).value
    features = value["features"] | {
        "Plan": {"kind": "category", "required": False},
        "Monthly Fee": {"kind": "number", "range": [0, 5000]},
    }
    tables = {"history": TABLE} | tables
    return Contract.model_validate(value | {"features": features, "tables": tables})


def rows_of_theirs() -> Rows:
    """Fees that alone could be 1.25 as well as 1,250, and cells that the contract calls unknown."""
    rows = made_rows(300)
    for i, row in enumerate(rows):
        row["Monthly Fee"] = ("1.250", "2.100", "850")[i % 3]
        row["Calls"] = ("-1", "-1.0", "0", "3")[i % 4]
        row["Plan"] = ("Basic", "Plus", "unknown")[i % 3]
    return rows


def known(form: Form, customer: Any) -> dict[str, Any]:
    """What the models are told of somebody who is asked about."""
    row = form.row(form.model.model_validate(customer))
    return {name: row[name] for name in ("monthly_fee", "months", "calls", "plan")}


def test_the_file_that_was_learnt_from_says_the_same_here(tmp_path: Path) -> None:
    """The contract's marks, delimiter, encoding and words for "unknown" hold for both, in text and
    in Parquet: 1.250 was learnt as 1250, and -1 calls as nobody knows how many."""
    rows, agreed, history = rows_of_theirs(), contract(), tmp_path / "history"
    (tmp_path / "history.csv").write_text(as_csv(rows, ";"), encoding="utf-16")
    history.mkdir()
    report = write_history(agreed, Places(tmp_path, tmp_path), tmp_path / "refused", history)
    assert report.problems == []
    parts = [pd.read_parquet(history / f"{part}.parquet") for part in SPLITS]
    learnt = pd.concat(parts).astype(object).set_index("customer_id")
    form = form_of(schema_of(agreed))
    typed = pd.DataFrame(rows).astype({"Months": int, "Calls": float})
    typed["Monthly Fee"] = typed["Monthly Fee"].str.replace(".", "").astype(float)
    typed.to_parquet(tmp_path / "today.parquet")
    for name in ("history.csv", "today.parquet"):
        customers = [row.customer for row in read_customers(tmp_path / name, form).rows]
        assert len(customers) == 300
        for customer in customers:
            theirs = learnt.loc[customer["customer_id"]]
            for field, value in known(form, customer).items():
                assert value == (None if pd.isna(theirs[field]) else theirs[field]), field


def test_text_in_a_parquet_file_is_read_as_the_check_reads_it(tmp_path: Path) -> None:
    """34,90 as text in a Parquet file is a number, and 34.90; what may be either is refused by its
    name. No number was taken as text."""
    rows = pd.DataFrame(made_rows(3)).astype({"Months": int})
    form = form_of(schema_of(contract(history={"path": "history.csv"})))
    for fees, told in (
        (("1.250,5", "900,25", "3"), [1250.5, 900.25, 3]),
        (("1.250", "900.25", "3"), [1.25, 900.25, 3]),
    ):
        rows.assign(**{"Monthly Fee": fees}).to_parquet(tmp_path / "today.parquet")
        read = [
            known(form, row.customer)
            for row in read_customers(tmp_path / "today.parquet", form).rows
        ]
        assert [row["monthly_fee"] for row in read] == told
    rows.assign(**{"Monthly Fee": ("900,25", "1.250", "3")}).to_parquet(tmp_path / "today.parquet")
    problems = [row.problem for row in read_customers(tmp_path / "today.parquet", form).rows]
    assert [bool(problem) for problem in problems] == [False, True, False]
    assert problems[1].startswith("Monthly Fee: '1.250' may have thousands or decimals")


@pytest.mark.parametrize("name", ["today.csv", "today.parquet"])
def test_refused_rows_are_written_as_the_contract_says(tmp_path: Path, name: str) -> None:
    """They are read again once they're mended, and 234.125 must not come back as 234125."""
    form, file = form_of(schema_of(contract())), tmp_path / name
    row = made_rows(1)[0] | {"Monthly Fee": "234,125"}
    if name == "today.csv":
        file.write_text(as_csv([row], ";"), encoding="utf-16")
    else:
        pd.DataFrame([row | {"Monthly Fee": 234.125}]).to_parquet(file)
    customers = read_customers(file, form)
    [before] = customers.rows
    with RefusedFile(file, customers) as refused:
        refused.add([(before, "is to be mended")])
    assert refused.path is not None
    [again] = read_customers(refused.path, form).rows
    assert again.customer["monthly_fee"] == before.customer["monthly_fee"] == 234.125


def test_the_active_table_says_how_files_are_written() -> None:
    """What is predicted is like it, not like the history; an earlier release says neither."""
    schema = schema_of(contract(active={"path": "active.csv", "missing": "n/k"}))
    assert (schema.written.decimal, schema.missing) == (None, ("n/k",))
    schema = schema_of(contract())
    assert (schema.written.model_dump(), schema.missing) == (FORMAT, ("-1", "Unknown"))
    earlier = schema.model_dump(mode="json", exclude={"written", "missing"})
    assert CustomerSchema.model_validate(earlier).written.decimal is None


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_language_in_their_own_words_costs_no_row(tmp_path: Path, suffix: str) -> None:
    """The company's column is called as the request's field is, whose tags it hasn't. What its
    words mean is the contract's to say; in a file of requests they are an error."""
    form, file = form_of(schema_of(contract())), tmp_path / f"today.{suffix}"
    languages = ["Español", "es-MX", "Deutsch", "en"]
    rows = [row | {"language": said} for row, said in zip(made_rows(4), languages, strict=True)]
    frame = pd.DataFrame(rows)
    if suffix == "csv":
        fees = [row | {"Monthly Fee": row["Monthly Fee"].replace(".", ",")} for row in rows]
        file.write_text(as_csv(fees, ";"), encoding="utf-16")
    else:
        numbers = {name: pd.to_numeric(frame[name]) for name in ("Monthly Fee", "Calls", "Months")}
        frame.assign(**numbers, Paperless=frame["Paperless"] == "yes").to_parquet(file)
    customers = [row.customer for row in read_customers(file, form).rows]
    assert [each.get("language") for each in customers] == [None, "es-MX", None, "en"]
    for each in customers:
        form.model.model_validate(each)
    with pytest.raises(ValidationError, match="language"):
        form.model.model_validate(customers[0] | {"language": "Español"})


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("seen", [None, "Seen"])  # with snapshots models use the months, too
def test_months_are_told_from_the_date_since_when(
    tmp_path: Path, suffix: str, seen: str | None
) -> None:
    """The company's file has the date that its contract names, and no months; as in training, an
    average month has 30.4 days. A date to come is refused, and months that are there go before."""
    form = form_of(schema_of(contract_since("Joined", seen)))
    assert ("tenure" in {field.name for field in form.customers.features}) is bool(seen)
    long_ago = (datetime.now(UTC) - timedelta(days=1_000)).date()
    to_come = (datetime.now(UTC) + timedelta(days=40)).date()
    frame = pd.DataFrame(made_rows(4)).drop(columns=["Months", "Cancelled"])
    frame["Joined"] = [long_ago, long_ago, to_come, long_ago]
    texts = [f"{long_ago:%d.%m.%Y}", f"{long_ago}T08:00:00Z", str(to_come), str(long_ago)]
    file = tmp_path / f"mine.{suffix}"
    if suffix == "csv":
        frame.assign(Joined=texts).to_csv(file, index=False)
    else:
        numbers = {name: pd.to_numeric(frame[name]) for name in ("Monthly Fee", "Calls")}
        frame.assign(**numbers, Paperless=frame["Paperless"] == "yes").to_parquet(file)
    found = [row.customer["tenure"] for row in read_customers(file, form).rows]
    assert [found[i] for i in (0, 1, 3)] == [32] * 3  # 1,000 / 30.44 = 32.85
    for row in list(read_customers(file, form).rows)[:2]:
        assert form.model.model_validate(row.customer)
    with pytest.raises(ValidationError, match="tenure"):
        form.model.model_validate(list(read_customers(file, form).rows)[2].customer)
    frame.assign(Joined=texts, tenure=7).to_csv(tmp_path / "both.csv", index=False)
    both = read_customers(tmp_path / "both.csv", form).rows
    assert {row.customer["tenure"] for row in both} == {7}
    told = form.model.model_json_schema()  # for the console, which counts them likewise
    assert (told["x-since"], "Joined" in told["x-columns"]) == ("Joined", False)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_has_dates_as_the_contract_says(tmp_path: Path, suffix: str) -> None:
    """The release carries what 03/04/2020 begins with; without it such a date is refused."""
    frame = pd.DataFrame(made_rows(3)).drop(columns=["Months", "Cancelled"])
    frame["Monthly Fee"] = frame["Monthly Fee"].astype(float)
    frame["Joined"] = ["03/04/2020", "2020-04-03", "03.04.2020"]
    file = tmp_path / f"mine.{suffix}"
    frame.to_csv(file, index=False) if suffix == "csv" else frame.to_parquet(file)
    agreed = contract_since("Joined")
    april, march = (months_since(day) for day in ("2020-04-03", "2020-03-04"))
    for order, first in (("dd/mm/yyyy", april), ("mm/dd/yyyy", march), (None, "03/04/2020")):
        table = {"path": "history.csv", "format": {"date": order}}
        said = agreed.model_dump() | {"tables": {"history": table}}
        form = form_of(schema_of(Contract.model_validate(said)))
        told = form.model.model_json_schema()["x-format"]  # for the console, which reads likewise
        assert told == ({"date": order} if order else {})
        found = [row.customer["tenure"] for row in read_customers(file, form).rows]
        assert found == [first, april, april]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_date_since_when_that_is_none_is_named(tmp_path: Path, suffix: str) -> None:
    """By the file's column and its cell: no table has a column `tenure`."""
    cells = ["2020-04-03", "09-03-26", "9999-12-31", "03/04/2020", None, "12", "31.02.2020"]
    frame = pd.DataFrame(made_rows(len(cells))).drop(columns=["Months", "Cancelled"])
    frame["Monthly Fee"] = frame["Monthly Fee"].astype(float)
    frame["Joined"] = cells
    file = tmp_path / f"mine.{suffix}"
    frame.to_csv(file, index=False) if suffix == "csv" else frame.to_parquet(file)
    found = read_customers(file, form_of(schema_of(contract_since("Joined")))).rows
    none = "is no date: write 2026-01-31"
    assert [row.problem for row in found] == [
        "",
        f"Joined: '09-03-26' {none}",
        "Joined: '9999-12-31' is later than today",
        "Joined: '03/04/2020' is no date as they are written here: name format: "
        "{date: dd/mm/yyyy} or {date: mm/dd/yyyy}",
        "Joined: is blank",
        f"Joined: '12' {none}",
        f"Joined: '31.02.2020' {none}",
    ]


UNTOLD = "may have thousands or decimals after its point: say format.decimal or format.thousands"
GROUPS = "may have thousands or decimals after its point: say format.thousands"


@pytest.mark.parametrize(
    ("fees", "written", "said"),
    [
        (("1.034", "850"), {}, {0: UNTOLD}),
        (("EUR 1.034", "850"), {}, {0: UNTOLD}),
        (("1.034", "34.90"), {}, {}),
        (("1.034", "34,90"), {}, {0: GROUPS}),
        (
            ("1,034", "34.90"),
            {},
            {0: GROUPS.replace("point", "comma")},
        ),
        (("1.034", "850"), {"decimal": "."}, {}),
        (("1.034", "850"), {"thousands": "."}, {}),
        (("1.034", "850"), {"decimal": ","}, {0: GROUPS}),
    ],
)
def test_a_number_that_may_be_two_is_refused_as_the_check_refuses_it(
    fees: tuple[str, ...], written: dict[str, str], said: dict[int, str], tmp_path: Path
) -> None:
    """1.034 of a table whose points are between thousands was 1.03 in a prediction."""
    table = {"path": "history.csv", "format": written}
    agreed = contract(history=table)
    rows = [row | {"Monthly Fee": fee} for row, fee in zip(made_rows(2), fees, strict=True)]
    file = tmp_path / "history.csv"
    file.write_text(as_csv(rows, ";"))
    report = check(agreed, Places(tmp_path, tmp_path), tmp_path / "refused")
    refused = {kind.problem: kind.rows for kind in report.tables[0].refusals}
    assert refused == dict.fromkeys(said.values(), 1)
    found = read_customers(file, form_of(schema_of(agreed))).rows
    problems = {i: f"Monthly Fee: {fees[i]!r} {why}" for i, why in said.items()}
    assert {i: row.problem for i, row in enumerate(found) if row.problem} == problems


def contract_since(column: str, seen: str | None = None) -> Contract:
    """The small company's, that knows since when somebody is its customer, and not the months;
    `seen`: the column with the day of a snapshot."""
    value = Document.parse(CONTRACT).value
    features = {name: said for name, said in value["features"].items() if name != "Months"}
    value["identity"]["snapshot"] = seen
    return Contract.model_validate(value | {"features": features, "tenure": {"since": column}})
