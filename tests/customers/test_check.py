"""A check of own tables: what is wrong is said, counted, and can be mended."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from churn_assets.customers.quality.report import QualityReport
from churn_assets.customers.quality.said import recorded
from churn_assets.serving.schemas import CustomerId
from tests.customers.conftest import CONTRACT, Checked, as_csv, made_rows

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def kinds(report: QualityReport, table: int = 0) -> dict[tuple[str, str], int]:
    """(column, problem) -> rows refused."""
    return {(k.column, k.problem): k.rows for k in report.tables[table].refusals}


def test_a_clean_table_has_no_problems(checked: Checked, tmp_path: Path) -> None:
    """Whatever is said of it would be a false alarm."""
    rows = made_rows()
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked()
    assert (report.rows, report.refused, report.leaks, report.problems) == (400, 0, [], [])
    table = report.tables[0]
    assert table.used == 400
    assert table.positives == sum(row["Cancelled"] == "yes" for row in rows)
    missing = {column.column: column.missing for column in table.columns}
    assert missing["Calls"] == sum(not row["Calls"] for row in rows) / 400
    assert missing["Plan"] == 0
    json.dumps(report.as_json())


@pytest.mark.parametrize(
    ("one", "fits"),
    [
        ("user1@shop.example", True),
        ("0042/7", True),
        ("KD 123", True),
        ("Müller-7", True),
        ("顧客🙂7", True),
        ("_77", True),
        ("+49176123", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("KD\x07123", False),
        ("KD\t123", False),
        ("KD\u00a0123", False),
        ("KD\u200b123", False),
        ("KD\u2028123", False),
        ("'=1", False),
    ],
)
def test_an_id_that_the_check_passes_is_one_that_requests_may_have(
    checked: Checked, tmp_path: Path, one: str, fits: bool
) -> None:
    """Else nothing could be asked or reported of the customer, an opt-out neither."""
    rows = made_rows()
    rows[7]["Account"] = one
    (tmp_path / "history.csv").write_text(as_csv(rows), encoding="utf-8")
    assert checked().refused == (0 if fits else 1)
    with nullcontext() if fits else pytest.raises(ValidationError):
        TypeAdapter(CustomerId).validate_python(one)


def test_every_damaged_cell_is_refused_with_its_reason(checked: Checked, tmp_path: Path) -> None:
    """Damage of every kind in a few rows: each is named, counted, and none takes others along."""
    rows = made_rows()
    damage = [
        (3, "Months", "twelve", "is not a number"),
        (5, "Months", "-1", "is below 0"),
        (7, "Months", "601", "is above 600"),
        (9, "Months", "inf", "is infinite"),
        (11, "Months", "1e999", "is infinite"),
        (13, "Months", "", "is blank"),
        (15, "Monthly Fee", "about 12.50", "is not a number"),
        (17, "Monthly Fee", "1,250", "may have thousands or decimals after its comma: "
                                     "say format.thousands"),
        (19, "Monthly Fee", "12.5.0", "is not a number"),
        (21, "Plan", "Premium", "is none of basic, plus, max"),
        (23, "Paperless", "perhaps", "is none of yes, y, true, 1, 1.0, no, n, false, 0, 0.0"),
        (25, "Cancelled", "", "is blank"),
        (27, "Cancelled", "maybe", "is none of yes, no"),
        (29, "Account", " ", "is blank"),
        (30, "Account", "A" * 65, "is longer than 64 characters"),
        (31, "Calls", "#REF!", "is not a number"),
        (33, "Monthly Fee", "NaN", "is blank"),
        (34, "Account", "A\x071", "has a character that isn't printable"),
        (35, "Account", "'A1", "begins with an apostrophe"),
    ]  # fmt: skip
    for row, column, cell, _ in damage:
        rows[row - 1][column] = cell
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked()
    assert report.refused == len(damage)
    assert report.tables[0].used == 400 - len(damage)
    wanted: dict[tuple[str, str], int] = {}
    for _, column, _, problem in damage:
        wanted[column, problem] = wanted.get((column, problem), 0) + 1
    assert kinds(report) == wanted
    [infinite] = [k for k in report.tables[0].refusals if k.problem == "is infinite"]
    assert infinite.examples == (("history.csv:9", "inf"), ("history.csv:11", "1e999"))
    assert report.problems == [
        f"history: 19 of 400 rows are refused; see {tmp_path}/refused/history.refused.csv"
    ]


def test_some_refused_rows_may_be_agreed_on(checked: Checked, tmp_path: Path) -> None:
    """No large export is without a flaw: the contract says how many are too many."""
    rows = made_rows()
    rows[0]["Months"] = "?"
    (tmp_path / "history.csv").write_text(as_csv(rows))
    agreed = CONTRACT.replace("{path: history.csv}", "{path: history.csv, most_refused: 0.01}")
    report = checked(agreed)
    assert (report.refused, report.problems) == (1, [])


def test_columns_renamed_missing_added_and_reordered(checked: Checked, tmp_path: Path) -> None:
    """Order doesn't matter; a column that went is a problem with its likely new name; one more is
    only told."""
    rows = [
        {"Region": "north"} | {k.replace("Monthly Fee", "Monthly Fees"): r[k] for k in reversed(r)}
        for r in made_rows()
    ]
    for row in rows:
        del row["Paperless"]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked()
    assert report.problems == [
        "history: history.csv has no column 'Monthly Fee'; is it 'Monthly Fees' now?",
        "history: history.csv has no column 'Paperless'",
    ]
    assert report.tables[0].unmentioned == ("Region", "Monthly Fees")
    assert report.refused == 0


def test_a_reordered_table_is_the_same(checked: Checked, tmp_path: Path) -> None:
    """Columns go by their names."""
    (tmp_path / "history.csv").write_text(as_csv(made_rows()))
    before = checked().tables[0]
    (tmp_path / "history.csv").write_text(
        as_csv([{key: row[key] for key in reversed(row)} for row in made_rows()])
    )
    after = checked().tables[0]
    assert after.columns == before.columns
    assert after.positives == before.positives


def test_two_exports_joined_are_told_apart(checked: Checked, tmp_path: Path) -> None:
    """A second header is no customer; the same row twice counts once; a customer with two different
    rows is in neither."""
    first, second = made_rows(), made_rows(20)
    second[0]["Months"], second[1]["Plan"] = "71.5", "Max"
    first[1]["Plan"] = "Basic"
    (tmp_path / "history.csv").write_text(as_csv(first) + as_csv(second))
    report = checked()
    table = report.tables[0]
    assert kinds(report) == {
        ("", "is a header again: two exports were joined"): 1,
        ("Account", "is there in rows that differ"): 4,
    }
    assert (table.rows, table.used, table.doubled, table.conflicting) == (421, 398, 18, 2)
    assert "history: 2 ids are in rows that differ" in report.problems


def test_a_second_header_in_another_order_is_not_guessed_at(
    checked: Checked, tmp_path: Path
) -> None:
    """The rows below it would have every cell in the wrong column."""
    turned = [{key: row[key] for key in reversed(row)} for row in made_rows(10, seed=1)]
    (tmp_path / "history.csv").write_text(as_csv(made_rows()) + as_csv(turned))
    report = checked()
    assert kinds(report) == {
        ("", "is a header again: two exports were joined"): 1,
        ("", "stands below a second header with its columns in another order"): 10,
    }


def test_rows_of_another_width_are_refused_alone(checked: Checked, tmp_path: Path) -> None:
    """A comma too many shifts cells into other columns."""
    lines = as_csv(made_rows()).splitlines(keepends=True)
    lines[3] = lines[3].replace(",", ",,", 1)
    lines[5] = lines[5].split(",", 1)[1]
    lines.insert(8, "\n")
    (tmp_path / "history.csv").write_text("".join(lines))
    assert kinds(checked()) == {
        ("", "has 8 cells where the header has 7"): 1,
        ("", "has 6 cells where the header has 7"): 1,
    }


def test_blanks_in_names_make_no_difference(checked: Checked, tmp_path: Path) -> None:
    """The Iranian table's header has "Call  Failure"; another export of it hasn't."""
    rows = [
        {k.replace("Monthly Fee", " Monthly  Fee"): v for k, v in r.items()} for r in made_rows()
    ]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    assert checked(CONTRACT.replace("column: Cancelled", "column: ' Cancelled '")).problems == []


def test_without_an_id_equal_rows_are_one_customer(checked: Checked, tmp_path: Path) -> None:
    """As in the Iranian table, of which 300 of 3,150 rows are doubled."""
    rows = made_rows()
    (tmp_path / "history.csv").write_text(as_csv([*rows, *rows[:30]]))
    table = checked(CONTRACT.replace("  id: Account\n", "")).tables[0]
    assert (table.rows, table.used, table.doubled) == (430, 400, 30)


def test_rows_that_are_left_out_are_no_refusals(checked: Checked, tmp_path: Path) -> None:
    """The contract may say which rows are no customers yet."""
    rows = made_rows()
    rows[0]["Monthly Fee"] = rows[1]["Monthly Fee"] = ""
    (tmp_path / "history.csv").write_text(as_csv(rows))
    rule = '{path: history.csv, leave_out: [{column: Monthly Fee, values: "", reason: new}]}'
    report = checked(CONTRACT.replace("{path: history.csv}", rule))
    assert (report.refused, report.tables[0].used, report.problems) == (0, 398, [])
    assert report.tables[0].left_out == {"new": 2}


def test_a_rule_for_a_column_that_is_not_there_is_a_problem(
    checked: Checked, tmp_path: Path
) -> None:
    """A typing error in it would let test accounts in."""
    (tmp_path / "history.csv").write_text(as_csv(made_rows()))
    rule = "{path: history.csv, leave_out: [{column: plans, values: Max, reason: tests}]}"
    report = checked(CONTRACT.replace("{path: history.csv}", rule))
    assert report.problems == ["history: leave_out: there is no column 'plans'; is it 'Plan' now?"]


@pytest.mark.parametrize("cell", ["1", "1.0"])
@pytest.mark.parametrize("said", ["1", "1.0", " 1.00"])
def test_a_whole_number_is_the_same_word_with_decimals(
    said: str, cell: str, checked: Checked, tmp_path: Path
) -> None:
    """As pandas writes it where some cells are missing, in the table and in the contract alike."""
    rows = made_rows()
    for number, row in enumerate(rows):
        row["Cancelled"] = cell if row["Cancelled"] == "yes" else "0.0"
        row["Plan"] = (cell, "2.0", "3")[number % 3]
        row["Calls"] = cell if number % 4 else "7"
        row["Kind"] = cell if number % 5 == 0 else "5"
        row["Months"] = str(1 + int(row["Months"]))  # a 1 is missing in any column
    (tmp_path / "history.csv").write_text(as_csv(rows))
    table = (
        f"{{path: history.csv, missing: '{said}', "
        f"leave_out: [{{column: Kind, values: '{said}', reason: trials}}]}}"
    )
    report = checked(
        CONTRACT.replace("{path: history.csv}", table)
        .replace("yes: yes, no: no", f"yes: '{said}', no: 0")
        .replace("[Basic, Plus, Max]", f"['{said}', 2, 3.0]")
    )
    assert (report.refused, report.problems) == (0, [])
    assert report.tables[0].left_out == {"trials": 80}
    missing = {column.column: column.missing for column in report.tables[0].columns}
    assert missing["Calls"] == 0.75


def test_a_constant_feature_and_a_single_outcome(checked: Checked, tmp_path: Path) -> None:
    """Nothing can be learnt from either."""
    rows = made_rows()
    for row in rows:
        row["Plan"], row["Cancelled"] = "Plus", "no"
    (tmp_path / "history.csv").write_text(as_csv(rows))
    assert checked().problems == [
        "history: all rows that are used have the same outcome",
        "history: Plan has the same value in every row: leave it out",
    ]


def test_active_customers_are_compared_with_the_history(checked: Checked, tmp_path: Path) -> None:
    """Prices that were raised, a new plan, a column that went blank, somebody who has left."""
    rows = made_rows()
    (tmp_path / "history.csv").write_text(as_csv(rows))
    active = made_rows(300, seed=5)
    gone = next(row["Account"] for row in rows if row["Cancelled"] == "yes")
    for number, row in enumerate(active):
        row["Account"] = f"B{number}"
        row["Monthly Fee"] = f"{float(row['Monthly Fee']) * 3:.2f}"
        row["Calls"] = ""
        del row["Cancelled"]
    active[0]["Account"] = gone
    (tmp_path / "active.csv").write_text(as_csv(active))
    report = checked(
        CONTRACT.replace("history: {path: history.csv}", "history: {path: history.csv}\n"
                         "  active: {path: active.csv}").replace("[0, 500]", "[0, 5000]")
    )  # fmt: skip
    assert recorded(report.problems) == [
        "active: Calls is missing for 100% of the customers",
        "active: 1 of the customers have left, says the history",
    ]
    drift = {one.column: one for one in report.drift}
    assert drift["Monthly Fee"].psi > 0.25
    assert drift["Plan"].psi < 0.1
    assert drift["Months"].psi < 0.2


def test_a_date_since_when_that_is_still_to_come_is_refused(
    checked: Checked, tmp_path: Path
) -> None:
    """Months are counted to the table's latest date: one of 2099 would make all 900 months."""
    rows = [row | {"Since": f"202{i % 6}-01-15"} for i, row in enumerate(made_rows())]
    rows[2]["Since"], rows[5]["Since"] = "2099-01-01", "1900-01-01"
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked(CONTRACT.replace("{months: Months}", "{since: Since}"))
    assert kinds(report) == {("Since", "is later than today"): 1}
    assert report.problems == [
        f"history: 1 of 400 rows are refused; see {tmp_path}/refused/history.refused.csv",
        "history: the tenure of 1 rows is unknown, negative or above 1,200 months; "
        "the first is history.csv:6 (Since '1900-01-01')",
    ]


def test_value_and_tenure_of_both_tables(checked: Checked, tmp_path: Path) -> None:
    """Whoever is scored needs both, as whoever is learnt from; what a sum of columns makes of them
    is looked at, too."""
    rows = [row | {"Months": "30", "Calls": "1"} for row in made_rows()]
    rows[0]["Calls"] = "0"  # a quotient that can't be told
    rows[1]["Months"] = "1"  # less than what is taken off
    rows[2]["Months"] = "99999999999999999999"
    rows[3]["Monthly Fee"] = "1.00"
    for table in ("history", "active"):
        (tmp_path / f"{table}.csv").write_text(as_csv(rows))
    told = (
        CONTRACT.replace("{path: history.csv}", "{path: history.csv}\n  active: {path: active.csv}")
        .replace("{months: Months}", "{months: '[Months] - 2 / [Calls]'}")
        .replace("{monthly: Monthly Fee,", "{monthly: '[Monthly Fee] - 5',")
        .replace("range: [0, 600]", "range: [0, null]")
    )
    wrong = [said for said in checked(told).problems if "tenure" in said or "value of" in said]
    assert wrong == [
        f"{table}: {said}"
        for table in ("history", "active")
        for said in (
            "the monthly value of 1 rows is unknown, negative or above 99,999,999.99; the first is "
            f"{table}.csv:4 (Monthly Fee '1.00')",
            "the tenure of 3 rows is unknown, negative or above 1,200 months; the first is "
            f"{table}.csv:1 (Months '30', Calls '0')",
        )
    ]


def test_an_end_date_is_a_label(checked: Checked, tmp_path: Path) -> None:
    """Many companies have no churn flag but the day of the cancellation."""
    rows = made_rows()
    for row in rows:
        row["Cancelled"] = "2026-03-31" if row["Cancelled"] == "yes" else ""
    rows[0]["Cancelled"] = "31/03/26"
    (tmp_path / "history.csv").write_text(as_csv(rows))
    contract = CONTRACT.replace("{column: Cancelled, yes: yes, no: no}", "{end_date: Cancelled}")
    report = checked(contract)
    assert kinds(report) == {("Cancelled", "is no date: write 2026-01-31"): 1}
    assert report.tables[0].positives == sum(bool(row["Cancelled"]) for row in rows[1:])


@pytest.mark.parametrize(
    ("name", "rows", "used", "positives"),
    [
        ("ibm_telco", 7_043, 7_032, 1_869),
        ("iranian_telecom", 3_150, 2_850, 446),
        ("charitable_mail", 50_083, 50_083, 1_034),
    ],
)
def test_the_examples_hold_on_the_real_tables(
    name: str, rows: int, used: int, positives: int, tmp_path: Path, real_data: Path
) -> None:
    """Every row of three public tables, without a problem; what leaks is left out."""
    from churn_assets.customers.check import check
    from churn_assets.customers.contract.model import load_contract
    from churn_assets.customers.reading.sources import Places
    from churn_assets.datasets.config import DatasetsConfig

    file = EXAMPLES / name / "customers.yaml"
    places = Places(file.parent, tmp_path, DatasetsConfig(mirror=real_data))
    report = check(load_contract(file), places, tmp_path / "refused")
    assert (report.rows, report.refused, report.problems) == (rows, 0, [])
    assert {leak.role for leak in report.leaks} <= {"left_out"}
    assert (report.tables[0].used, report.tables[0].positives) == (used, positives)


def test_a_region_that_is_no_zone_is_a_problem(checked: Checked, tmp_path: Path) -> None:
    """Quiet hours would be those of somewhere else, and nobody would know."""
    rows = [row | {"Region": "Azores" if i % 3 else ""} for i, row in enumerate(made_rows(300))]
    (tmp_path / "history.csv").write_text(as_csv(rows), encoding="utf-8")
    unsaid = CONTRACT + "people: {zone: Region}\n"
    [problem] = checked(unsaid).problems
    assert problem == (
        "history: Region: 'Azores' is no time zone (200 rows): "
        "say people.zones: {Azores: Europe/Madrid} or the like"
    )
    said = CONTRACT + "people: {zone: Region, zones: {Azores: Atlantic/Azores}}\n"
    assert checked(said).problems == []
