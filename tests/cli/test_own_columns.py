"""What `churn predict FILE` says of a company's own file: by the file's columns, which nobody has
to translate from the fields of the API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from churn_assets.cli.customers.files import CustomerFileError, read_customers
from churn_assets.cli.predict import decide
from churn_assets.customers.contract.model import Contract
from churn_assets.customers.contract.yaml_lines import Document
from churn_assets.customers.fields import schema_of
from churn_assets.serving.forms import Form, form_of
from churn_assets.serving.problems import problems_of
from tests.customers.conftest import CONTRACT, made_rows

SAID = {
    "Account": ("", "Account: Field required"),
    "Plan": ("Gold", "Plan: Input should be 'Basic', 'Plus' or 'Max'"),
    "Calls": ("2000", "Calls: Input should be less than or equal to 1000"),
    "Paperless": ("maybe", "Paperless: write true or false, yes or no"),
    "Monthly Fee": ("", "Monthly Fee: Field required"),
}


def form(**changed: Any) -> Form:
    value = Document.parse(CONTRACT).value | changed
    return form_of(schema_of(Contract.model_validate(value)))


def refusals(file: Path, form: Form) -> list[str]:
    """Why each row of a file is refused, as the engine and the API check them."""

    def ask(customers: list[Any], forbidden: Mapping[str, str]) -> list[dict[str, Any]]:
        rows = []
        for index, customer in enumerate(customers):
            try:
                form.model.model_validate(customer)
                found = []
            except ValidationError as error:
                found = problems_of(error.errors(), ("body", "customers", index))
            rows.append({"answer": None, "errors": found})
        return rows

    return [why for _, part in decide(read_customers(file, form), ask) for _, why in part]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_refused_row_is_told_by_the_files_columns(tmp_path: Path, suffix: str) -> None:
    """Why: it named `monthly_fee`, `paperless` and `customer_id`, which the table doesn't have."""
    rows = [{k: v for k, v in r.items() if k != "Cancelled"} for r in made_rows(len(SAID))]
    for row, (column, (cell, _)) in zip(rows, SAID.items(), strict=True):
        row[column] = cell
    frame = pd.DataFrame(rows).replace("", None)
    for name in ("Months", "Calls", "Monthly Fee"):
        frame[name] = frame[name].astype(float)
    file = tmp_path / f"mine.{suffix}"
    frame.to_csv(file, index=False) if suffix == "csv" else frame.to_parquet(file)
    assert refusals(file, form()) == [said for _, said in SAID.values()]


def test_the_apis_own_names_stay_where_a_file_has_them(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("customer_id,plan,months,monthly_fee,calls,paperless\nC1,Gold,3,20,1,yes\n")
    assert refusals(file, form()) == ["plan: Input should be 'Basic', 'Plus' or 'Max'"]


def test_what_the_columns_tell_together_is_of_no_row_s_number(tmp_path: Path) -> None:
    """Why: `0: monthly charges …` began with the row's place among those that are asked about."""
    file = tmp_path / "mine.csv"
    file.write_text(
        "Account,Plan,Months,Monthly Fee,Calls,Paperless\nC1,Max,3,10,1,yes\nC2,Max,3,200,1,yes\n"
    )
    told = form(value={"monthly": "20 - [Monthly Fee]", "currency": "EUR"})
    assert refusals(file, told) == [
        "", "monthly charges (20 - [Monthly Fee]) is unknown or negative",
    ]  # fmt: skip
    told = form(value={"monthly": "[Monthly Fee] * 1000000", "currency": "EUR"})
    most = "monthly charges ([Monthly Fee] * 1000000) is above 99999999.99"
    assert refusals(file, told) == ["", most]


def test_a_missing_column_is_named_as_the_contract_names_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("Account,Months,Monthly Fee,Calls,Paperless\nC1,3,20,1,yes\n")
    with pytest.raises(CustomerFileError, match="lacks the columns Plan; it has Account, Months"):
        read_customers(file, form())


@pytest.mark.parametrize("words", [("true", "false"), ("t", "f")])
def test_words_for_yes_and_no_are_told_once(tmp_path: Path, words: tuple[str, str]) -> None:
    """Why: "write true or false, true or false"."""
    rows = [{k: v for k, v in r.items() if k != "Cancelled"} for r in made_rows(1)]
    rows[0]["Paperless"] = "maybe"
    pd.DataFrame(rows).to_csv(tmp_path / "customers.csv", index=False)
    features = Document.parse(CONTRACT).value["features"]
    features["Paperless"] |= {"yes": words[0], "no": words[1]}
    others = "" if words[0] == "true" else ", t or f"
    assert refusals(tmp_path / "customers.csv", form(features=features)) == [
        f"Paperless: write true or false{others}"
    ]
