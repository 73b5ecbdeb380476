"""A first contract by guesses: good enough to be checked, honest about what it can't know."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from churn_assets.customers.contract.model import ContractError, load_contract
from churn_assets.customers.inspection.inspect import Inspection, inspect_tables
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


def test_a_wide_table_is_looked_at_as_a_whole(tmp_path: Path) -> None:
    """The only column that tells how numbers are written is the last of a hundred and twenty."""
    rows = [
        row | {f"x{i}": "7" for i in range(120)} | {"last": f"{i},25"}
        for i, row in enumerate(made_rows(60))
    ]
    for row in rows:
        del row["Monthly Fee"]
    found = inspected(tmp_path, renamed(rows))
    assert "decimal ','" in found.written[0]
    assert found.guesses["last"] == "number"
    assert {found.guesses[f"x{i}"] for i in range(120)} == {"left out"}


def test_it_says_what_a_person_must_decide(tmp_path: Path) -> None:
    """What no name tells: the label, the horizon, the tenure; each marked in the contract too."""
    rows = [
        {k.replace("Months", "Duration").replace("Cancelled", "Outcome"): r[k] for k in r}
        for r in made_rows()
    ]
    for row in rows:
        del row["Account"]
    found = inspected(tmp_path, rows)
    decide = "\n".join(found.decide)
    for what in ("identity.churned", "identity.id", "identity.horizon_months", "tenure"):
        assert what in decide
    for what in ("DECIDE id", "DECIDE churned", "DECIDE: within how many", "DECIDE tenure"):
        assert what in found.contract


@pytest.mark.parametrize(
    ("column", "name", "asked", "marked"),
    [
        ("Account", "id", "identity.id: no column names a customer", "# DECIDE id: no column"),
        ("Monthly Fee", "monthly", "value.monthly: what they pay in a", "# DECIDE value: {monthly"),
        ("Months", "months", "tenure.months: how long they have been", "# DECIDE tenure: {months"),
    ],
)
def test_a_column_left_out_may_have_the_name_of_a_key(
    column: str, name: str, asked: str, marked: str, tmp_path: Path
) -> None:
    """Snapshots of each customer, or an amount that is the same for all: no such column is the id,
    value or tenure, and it is asked which one is."""
    rows = [{k.replace(column, name): row[k] for k in row} for row in renamed(made_rows())]
    for number, row in enumerate(rows):
        row[name] = f"A{number // 3}" if name == "id" else "0"
    found = inspected(tmp_path, rows)
    assert found.guesses[name] == "left out"
    assert any(line.startswith(asked) for line in found.decide)
    assert marked in found.contract


def test_cells_are_one_word_however_they_are_spelled(checked: Checked, tmp_path: Path) -> None:
    """Numbers with needless decimals, and words in any capitals: the first contract holds."""
    rows = renamed(made_rows())
    for number, row in enumerate(rows):
        row["Churn"] = "1.0" if row["Churn"] == "yes" else "0.0"
        row["Plan"] = ("Basic", "basic", "BASIC", "Basic", "Plus", "Max")[number % 6]
        row["Plan Code"] = ("1.0", "2.0", "1")[number % 3]
    found = inspected(tmp_path, rows)
    assert "levels: [Basic, Max, Plus]" in found.contract
    assert not any(line.startswith("identity.churned") for line in found.decide)
    report = checked(found.contract)
    assert report.problems == []
    assert report.tables[0].positives == sum(row["Churn"] == "1.0" for row in rows)


def test_points_that_may_be_thousands_are_asked_about(checked: Checked, tmp_path: Path) -> None:
    """The check of a contract that doesn't say so refuses these rows."""
    rows = renamed(made_rows())
    for number, row in enumerate(rows):
        row["Monthly Fee"] = ("850", "1.250", "1.499", "990", "2.100")[number % 5]
    found = inspected(tmp_path, rows)
    [asked] = [line for line in found.decide if line.startswith("tables.history.format: ")]
    assert asked.endswith("have numbers such as 1.250 decimals, or is it thousands: '.'?")
    assert found.guesses["Monthly Fee"] == "monthly value"
    line = next(one for one in found.contract.splitlines() if "DECIDE format" in one)
    assert checked(found.contract).refused == 240
    for said in ("decimal: '.'", "thousands: '.'"):
        assert checked(found.contract.replace(line, f"    format: {{{said}}}")).problems == []


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


def telecom_rows(count: int = 1200, seed: int = 5) -> Rows:
    """Calls of a telephone company in the public tables' style: codes, groups, several charges."""
    draw = random.Random(seed)
    states = [f"{a}{b}" for a in "ACDFGHIK" for b in "ALMNORT"][:54]
    rows = []
    for number in range(count):
        intl, calls = draw.random() < 0.1, draw.randrange(0, 10)
        rows.append(
            {
                "state": states[number % len(states)],
                "account length": str(draw.randrange(1, 243)),
                "area code": draw.choice(["408", "415", "510"]),
                "phone number": f"{330 + number % 90}-{number:04d}",
                "international plan": "yes" if intl else "no",
                "total day charge": f"{draw.uniform(5, 60):.2f}".replace(".", ","),
                "total eve charge": f"{draw.uniform(1, 30):.2f}".replace(".", ","),
                "age group": str(1 + number % 5),
                "customer service calls": str(calls),
                "last name": f"Name{draw.randrange(58)}",
                "churn": "True." if draw.random() < 0.05 + 0.04 * calls else "False.",
            }
        )
    return rows


def test_a_telephone_company_s_table(checked: Checked, tmp_path: Path) -> None:
    """Codes are no amounts, a group is in order, 54 states are words that a model can learn; every
    question stands in the list and on its line of the contract, and says what to write."""
    (tmp_path / "history.csv").write_text(as_csv(telecom_rows(), delimiter=";"))
    found = inspect_tables(["history.csv"], Places(tmp_path, tmp_path))
    assert found.written == ("history.csv: 1,200 rows, utf-8, delimiter ';', decimal ','",)
    assert found.guesses == {
        "state": "category",
        "account length": "tenure",
        "area code": "category",
        "phone number": "id",
        "international plan": "flag",
        "total day charge": "monthly value",
        "total eve charge": "number",
        "age group": "ordered",
        "customer service calls": "number",
        "last name": "left out",
        "churn": "label",
    }
    decide = dict(line.split(": ", 1) for line in found.decide)
    assert list(decide) == [
        *("identity.horizon_months", "value.monthly", "tenure.months"),
        *("features.area code", "features.age group", "features.customer service calls"),
    ]
    assert "'[total day charge] + [total eve charge]'" in decide["value.monthly"]
    assert "'[account length] / 30.44'" in decide["tenure.months"]
    marked = [line for line in found.contract.splitlines() if "DECIDE: " in line]
    for question in decide.values():
        assert sum(line.endswith(f"# DECIDE: {question}") for line in marked) == 1, question
    report = checked(found.contract)
    assert report.problems == []
    assert report.tables[0].positives == sum(r["churn"] == "True." for r in telecom_rows())


def test_a_first_contract_without_a_value_says_what_to_write(tmp_path: Path) -> None:
    """The check of a contract that nobody has looked at yet tells the key and its form."""
    rows = [{k.replace("Monthly Fee", "Worth"): v for k, v in r.items()} for r in made_rows()]
    (tmp_path / "customers.yaml").write_text(inspected(tmp_path, renamed(rows)).contract)
    with pytest.raises(
        ContractError, match=r"customers.yaml:2: lacks value; write value: {monthly"
    ):
        load_contract(tmp_path / "customers.yaml")


@pytest.mark.parametrize("word", ["TOTAL", "Summe:", "Total général"])
def test_a_line_of_the_total_is_nobody_s(word: str, checked: Checked, tmp_path: Path) -> None:
    """It made every column one that may be blank, and its amount the highest."""
    rows = renamed(made_rows())
    last = {**dict.fromkeys(rows[0], ""), "Account": word, "Monthly Fee": "19,876.50"}
    found = inspected(tmp_path, [*rows, last])
    told = f"tables.history.leave_out: is {word} in Account the line of the total?"
    assert told in found.decide
    assert found.contract.count("required: false") == 1  # of calls, as without the line
    report = checked(found.contract)
    assert report.problems == []
    assert (report.tables[0].used, report.tables[0].left_out) == (400, {"the total": 1})


def test_a_customer_called_total_is_one(tmp_path: Path) -> None:
    """As is a plan of that name; a total is mostly blank, or nobody else has its word."""
    rows = renamed(made_rows())
    whole = rows[-1] | {"Account": "Total"}
    blank = {**dict.fromkeys(rows[0], ""), "Plan": "Total", "Monthly Fee": "9.50"}
    for last in (whole, blank):
        named = [row | {"Plan": "Total"} for row in rows[:2]] + rows[2:-1]
        found = inspected(tmp_path, [*named, last])
        assert not any("leave_out" in line for line in found.decide)
