"""A first contract by guesses: good enough to be checked, honest about what it can't know."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.customers.contract.model import load_contract
from churn_assets.customers.inspect import Inspection, inspect_tables
from churn_assets.customers.reading.sources import Places
from tests.customers.conftest import Checked, Rows, as_csv, made_rows


def inspected(tmp_path: Path, rows: Rows) -> Inspection:
    """What is found in the rows."""
    (tmp_path / "history.csv").write_text(as_csv(rows))
    return inspect_tables(["history.csv"], Places(tmp_path, tmp_path))


def renamed(rows: Rows) -> Rows:
    """With the label's usual name."""
    return [{k.replace("Cancelled", "Churn"): v for k, v in row.items()} for row in rows]


def test_the_first_contract_passes_its_check(checked: Checked, tmp_path: Path) -> None:
    """From a file to a contract that holds, with nothing typed."""
    found = inspected(tmp_path, renamed(made_rows()))
    assert found.guesses["Account"] == "id"
    assert found.guesses["Churn"] == "label"
    assert found.guesses["Monthly Fee"] == "monthly value"
    report = checked(found.contract)
    assert report.problems == []
    assert report.tables[0].used == 400


def test_it_says_what_a_person_must_decide(tmp_path: Path) -> None:
    """What no name tells: the label, the horizon, the tenure; each marked in the contract too."""
    rows = [
        {k.replace("Months", "Duration"): r[k] for k in r if k != "Account"} for r in made_rows()
    ]
    found = inspected(tmp_path, rows)
    decide = "\n".join(found.decide)
    for what in ("identity.churned", "identity.id", "identity.horizon_months", "tenure"):
        assert what in decide
    for what in ("DECIDE id", "DECIDE churned", "DECIDE: within which time", "DECIDE tenure"):
        assert what in found.contract


def test_what_comes_afterwards_is_left_out(checked: Checked, tmp_path: Path) -> None:
    """A reason, a status, a score, an empty column, an identifier and a person's sex."""
    rows = renamed(made_rows())
    for number, row in enumerate(rows):
        left = row["Churn"] == "yes"
        row |= {
            "Churn Reason": "price" if left else "",
            "Customer Status": "gone" if left else "here",
            "Phone": f"+49 {number}",
            "Gender": "fm"[number % 2],
            "Fax": "",
            "Country": "Portugal",
        }
    found = inspected(tmp_path, rows)
    file = tmp_path / "contract.yaml"
    file.write_text(found.contract)
    contract = load_contract(file)
    assert set(contract.left_out) == {
        "Churn Reason", "Customer Status", "Phone", "Gender", "Fax", "Country",
    }  # fmt: skip
    assert contract.left_out["Gender"] == "not to be used, for fairness"
    assert contract.left_out["Phone"] == "an identifier"
    assert "leaks" in contract.left_out["Customer Status"]


def test_an_end_date_and_a_start_date(checked: Checked, tmp_path: Path) -> None:
    """A table without a flag."""
    rows = made_rows()
    for row in rows:
        day = f"{1 + int(row.pop('Months')) % 28:02d}"
        row["Start Date"] = f"2024-01-{day}"
        row["End Date"] = f"2026-03-{day}" if row.pop("Cancelled") == "yes" else ""
    report = checked(inspected(tmp_path, rows).contract)
    assert report.problems == []
    assert report.tables[0].positives == sum(row["End Date"] != "" for row in rows)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("ibm_telco/Telco-Customer-Churn.csv", {"customerID": "id", "Churn": "label",
         "MonthlyCharges": "monthly value", "tenure": "tenure", "gender": "left out"}),
        ("iranian_telecom/Customer_Churn.csv", {"Churn": "label", "Tariff Plan": "category",
         "Subscription Length": "tenure", "Complains": "flag", "Charge Amount": "number"}),
    ],
)  # fmt: skip
def test_real_tables(file: str, expected: dict[str, str], tmp_path: Path, real_data: Path) -> None:
    """Two companies' names and codes."""
    found = inspect_tables([str(real_data / file)], Places(tmp_path, tmp_path))
    assert expected.items() <= found.guesses.items()


def test_a_status_of_several_words_is_a_label(checked: Checked, tmp_path: Path) -> None:
    """IBM's newer table says Churned, Stayed or Joined, and names contracts in other capitals;
    somebody else's has zones and languages. All of it is in the first contract."""
    kinds = ("Month-to-Month", "One Year", "Two Year")
    rows = made_rows()
    for i, row in enumerate(rows):
        left = row.pop("Cancelled") == "yes"
        row["Customer Status"] = "Churned" if left else ("Stayed", "Joined")[i % 2]
        row["Contract"] = kinds[i % 3]
        row["Time Zone"] = ("Europe/Lisbon", "Atlantic/Azores", "Europe/Madrid")[i % 3]
        row["Language"] = ("pt", "es", "en")[i % 3]
    found = inspected(tmp_path, rows)
    assert "identity.churned: is whoever isn't Churned in Customer Status there?" in found.decide
    report = checked(found.contract)
    assert report.problems == []
    assert report.tables[0].positives == sum(r["Customer Status"] == "Churned" for r in rows)
    contract = load_contract(tmp_path / "customers.yaml")
    assert (contract.people.zone, contract.people.language) == ("Time Zone", "Language")
    assert {"Time Zone", "Language", "Customer Status"}.isdisjoint(contract.features)
    assert contract.messages["Contract"].contract == {
        "Month-to-Month": "Month-to-month",
        "One Year": "One year",
        "Two Year": "Two year",
    }
