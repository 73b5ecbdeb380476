"""`churn predict FILE` with a company's own table: whom its contract leaves out isn't answered."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from churn_assets.cli.customers.files import read_customers
from churn_assets.cli.customers.refused import RefusedFile
from churn_assets.customers.contract.model import Contract
from churn_assets.customers.contract.yaml_lines import Document
from churn_assets.customers.fields import schema_of
from churn_assets.customers.schema import FILE, load_schema
from churn_assets.serving.forms import Form, form_of
from tests.cli.conftest import Churn
from tests.customers.conftest import CONTRACT, Rows, as_csv, made_rows
from tests.customers.own_company import company_of, make_home

TEST, PAUSED, LONG_AGO = "our own test accounts", "paused, nothing is billed", "gone long ago"
RULES = [
    {"column": "Status", "values": ["test"], "reason": TEST},
    {"column": "Status", "values": ["paused", "3"], "reason": PAUSED},
    {"column": "Until", "before": "2025-06-01", "reason": LONG_AGO},
]
SAID: list[tuple[dict[str, str], str]] = [
    ({}, ""),
    ({"Status": "test"}, TEST),
    ({"Status": " Test "}, TEST),
    ({"Status": "3.0"}, PAUSED),
    ({"Status": "testing"}, ""),
    ({"Until": "2025-05-31"}, LONG_AGO),
    ({"Until": "31.05.2025"}, LONG_AGO),
    ({"Until": "2025-06-01"}, ""),
    ({"Until": "soon"}, ""),
    ({"Status": "paused", "Until": "2025-05-31"}, PAUSED),  # the first rule that holds
]
"""What a row says, and why it is left out."""


def contract(of: str = "active") -> dict[str, Any]:
    value: dict[str, Any] = Document.parse(CONTRACT).value
    value["tables"].setdefault(of, {"path": "active.csv"})["leave_out"] = RULES
    return value


def form(value: dict[str, Any]) -> Form:
    return form_of(schema_of(Contract.model_validate(value)))


def rows_saying() -> Rows:
    plain = {"Status": "active", "Until": ""}
    rows = zip(made_rows(len(SAID)), SAID, strict=True)
    return [row | plain | said for row, (said, _) in rows]


def saved(file: Path, rows: Rows) -> Path:
    if file.suffix == ".csv":
        file.write_text(as_csv(rows), encoding="utf-8")
    else:
        numbers = ["Months", "Monthly Fee", "Calls"]
        frame = pd.DataFrame(rows)
        frame[numbers] = frame[numbers].apply(pd.to_numeric)
        frame.to_parquet(file)
    return file


@pytest.mark.parametrize("of", ["active", "history"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_row_is_left_out_as_the_check_does(tmp_path: Path, suffix: str, of: str) -> None:
    """Why: test accounts and paused customers got a contact and a message. The rules are those of
    the table that has the active customers."""
    file = saved(tmp_path / f"today.{suffix}", rows_saying())
    found = [row.left_out for row in read_customers(file, form(contract(of))).rows]
    assert found == [why for _, why in SAID]


def test_with_an_active_table_the_history_s_rules_are_of_the_history(tmp_path: Path) -> None:
    value = contract("history")
    value["tables"]["active"] = {"path": "active.csv"}
    file = saved(tmp_path / "today.csv", rows_saying())
    assert {row.left_out for row in read_customers(file, form(value)).rows} == {""}


def test_a_file_of_requests_names_has_the_column_by_either_name(tmp_path: Path) -> None:
    """`plan` is the contract's Plan, and a column of a rule alone is no unknown one."""
    value = contract()
    value["tables"]["active"]["leave_out"] = [
        *RULES,
        {"column": "Plan", "values": ["basic"], "reason": "given away"},
    ]
    file = tmp_path / "today.csv"
    names = "customer_id,plan,months,monthly_fee,paperless"
    rows = ["A1,Plus,7,39.9,true", "A2,Basic,7,39.9,true", "A3,Max,7,39.9,true"]
    file.write_text("\n".join([names, *rows]) + "\n")
    read = read_customers(file, form(value)).rows
    assert [row.left_out for row in read] == ["", "given away", ""]
    with_status = [f"{row},{said}" for row, said in zip(rows, ("", "", "test"), strict=True)]
    file.write_text("\n".join([f"{names},Status", *with_status]) + "\n")
    read = read_customers(file, form(value)).rows
    assert [row.left_out for row in read] == ["", "given away", TEST]


def test_a_mended_row_is_left_out_as_before(tmp_path: Path) -> None:
    """Refused rows of Parquet become text with the contract's marks; a code stays what it is."""
    value = contract()
    value["tables"]["active"]["format"] = {"decimal": ",", "delimiter": ";"}
    frame = pd.DataFrame(made_rows(2)).astype({"Months": int})
    frame[["Monthly Fee", "Calls"]] = frame[["Monthly Fee", "Calls"]].apply(pd.to_numeric)
    frame["Status"] = [3.0, 4.5]
    file = tmp_path / "today.parquet"
    frame.to_parquet(file)
    customers = read_customers(file, form(value))
    with RefusedFile(file, customers) as refused:
        refused.add([(row, "is to be mended") for row in customers.rows])
    assert refused.path is not None
    again = read_customers(refused.path, form(value)).rows
    assert [row.left_out for row in again] == [PAUSED, ""]


def test_a_release_without_such_rules_stays_as_earlier_versions_read_it(tmp_path: Path) -> None:
    """And one of before leaves nobody out."""
    schema_of(Contract.model_validate(Document.parse(CONTRACT).value)).save(tmp_path)
    assert "left_out_rows" not in (tmp_path / FILE).read_text(encoding="utf-8")
    earlier = load_schema(tmp_path)
    assert earlier is not None
    assert earlier.left_out_rows == ()
    schema_of(Contract.model_validate(contract())).save(tmp_path)
    assert load_schema(tmp_path) == schema_of(Contract.model_validate(contract()))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the company's release serves."""
    root = tmp_path_factory.mktemp("company")
    rows = [row | {"Status": "active", "Until": ""} for row in made_rows(1200)]
    saved(root / "history.csv", rows)
    rules = "\n".join(f"      - {rule}" for rule in RULES)
    words = CONTRACT.replace(
        "history: {path: history.csv}", f"history:\n    path: history.csv\n    leave_out:\n{rules}"
    )
    (root / "customers.yaml").write_text(words, encoding="utf-8")
    return make_home(company_of(root / "customers.yaml", root), tmp_path_factory)


@pytest.mark.parametrize("over_http", [False, True])
def test_who_is_left_out_is_counted_with_the_reason(
    churn: Churn, tmp_path: Path, over_http: bool
) -> None:
    """No answer, no refusal, and no row's number changes. Why: of an untouched table test accounts
    were contacted."""
    file = saved(tmp_path / "today.csv", rows_saying())
    done = churn("predict", str(file), "--format", "csv", *(["--over-http"] * over_http))
    assert done.returncode == 0, done.stderr
    answers = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [int(answer["row"]) for answer in answers] == [
        number for number, (_, why) in enumerate(SAID, 1) if not why
    ]
    assert f"2 left out ({TEST})\n2 left out ({PAUSED})\n2 left out ({LONG_AGO})\n" in done.stderr
    assert not (tmp_path / "today.refused.csv").exists()
