"""Who of several snapshots left, told by the date of their leaving."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from churn_assets.customers.contract.model import Contract, ContractError
from churn_assets.customers.contract.yaml_lines import Document
from churn_assets.customers.fields import schema_of
from churn_assets.customers.quality.tenure import NOT_LEARNT
from churn_assets.predictors.training.own.features import features_of
from churn_assets.serving.explain import Wording
from tests.customers.conftest import CONTRACT, Checked, Rows, as_csv, made_rows
from tests.customers.test_typed_tables import contract, whole, written

DAYS = ("2025-10-31", "2025-11-30", "2025-12-31", "2026-01-31", "2026-02-28", "2026-03-31")


def told(horizon: float) -> str:
    """The contract of tables that have a date of leaving."""
    return CONTRACT.replace("{column: Cancelled, yes: yes, no: no}", "{end_date: End}").replace(
        "horizon_months: 3", f"horizon_months: {horizon}\n  snapshot: Seen"
    )


def ending(ends: Sequence[str], days: Sequence[str] = DAYS, *, until: bool = True) -> Rows:
    """Each customer's snapshots, up to the last one before they left, with the day of their leaving
    in every one, as a master table has it."""
    people = [{k: v for k, v in row.items() if k != "Cancelled"} for row in made_rows(len(ends))]
    return [
        row | {"Seen": day, "End": end}
        for row, end in zip(people, ends, strict=True)
        for day in days
        if not (until and end and end <= day)
    ]


def spread(count: int = 400) -> list[str]:
    """Ends of a third of so many customers, one after the other over the snapshots' months."""
    days = [str(day)[:10] for day in pd.date_range("2025-11-01", "2026-04-30")]
    return [days[i * 7 % len(days)] if i % 3 == 0 else "" for i in range(count)]


def test_an_earlier_snapshot_of_who_left_is_of_one_who_stayed(tmp_path: Path) -> None:
    """Or the risk within a month would be that of ever leaving: 18 in place of 3 in a hundred."""
    rows = ending(spread())
    identity = Document.parse(told(1)).value["identity"]
    frame = written(tmp_path, contract(identity=identity), rows)
    last = {"2025-10-31": "2025-11-30", "2025-11-30": "2025-12-31", "2026-02-28": "2026-03-31"}
    last |= {"2025-12-31": "2026-01-31", "2026-01-31": "2026-02-28", "2026-03-31": "2026-04-30"}
    left = {(row["Account"], row["Seen"]): "" < row["End"] <= last[row["Seen"]] for row in rows}
    seen = frame["snapshot"].astype(str).str[:10]
    found = dict(zip(zip(frame["customer_id"], seen, strict=True), frame["churn"], strict=True))
    assert len(found) > 1_000
    assert {key: bool(left[key]) for key in found} == found
    assert 0.03 < frame["churn"].mean() < 0.1


@pytest.mark.parametrize(
    ("horizon", "seen", "end", "left"),
    [
        (1, "2026-02-28", "2026-03-31", True),  # the last day of a month, as contracts end
        (1, "2026-02-28", "2026-04-01", False),
        (1, "2026-01-15", "2026-02-15", True),
        (1, "2026-01-15", "2026-02-16", False),
        (3, "2025-11-30", "2026-02-28", True),
        (0.5, "2026-01-31", "2026-02-15", True),
        (0.5, "2026-01-31", "2026-02-16", False),
        (1, "2026-01-31", "2026-01-20", True),  # of those that a month's table lists at its end
    ],
)
def test_the_horizon_s_last_day(
    horizon: float, seen: str, end: str, left: bool, checked: Checked, tmp_path: Path
) -> None:
    rows = [row | {"End": end, "Seen": seen} for row in ending([""], days=[seen])]
    later = [row | {"Account": "B1"} for row in ending([""], days=["2026-06-30"])]
    (tmp_path / "history.csv").write_text(as_csv(rows + later))  # all horizons are over by then
    assert checked(told(horizon)).tables[0].positives == left


def test_who_had_left_long_before_a_snapshot_is_a_problem(checked: Checked, tmp_path: Path) -> None:
    """A table that goes on listing them teaches what a former customer looks like."""
    (tmp_path / "history.csv").write_text(as_csv(ending(spread(), until=False)))
    problems = [said for said in checked(told(1)).problems if "before their snapshot" in said]
    assert len(problems) == 1
    assert "left more than 1 months before their snapshot" in problems[0]
    (tmp_path / "history.csv").write_text(as_csv(ending(spread())))
    assert not checked(told(1)).problems


def test_who_left_between_two_snapshots_is_not_active(tmp_path: Path) -> None:
    """Quarterly snapshots and a horizon of a month: their last row is of one who stayed."""
    days = ("2025-09-30", "2025-12-31", "2026-03-31")
    ends = ["2025-10-20", "2025-12-15", "2026-01-10", "2026-04-10", "", "", "", "2026-03-05"] * 60
    rows = ending(ends, days)
    identity = Document.parse(told(1)).value["identity"]
    written(tmp_path, contract(identity=identity), rows)
    active = whole(tmp_path / "active")
    stays = {row["Account"] for row in rows if not row["End"]}
    assert set(active["customer_id"]) == stays


def test_active_customers_who_left_by_their_date_are_a_problem(
    checked: Checked, tmp_path: Path
) -> None:
    """They would be scored and written to; a date of leaving that is to come is no reason."""
    ends = ["2026-01-10", "", "2026-03-20", "2026-04-20"] * 100
    rows = ending(ends)
    (tmp_path / "history.csv").write_text(as_csv(rows))
    now = {row["Account"]: row | {"Seen": DAYS[-1]} for row in rows}
    (tmp_path / "active.csv").write_text(as_csv([*now.values()]))
    two = told(1).replace("history.csv}", "history.csv}\n  active: {path: active.csv}")
    [problem] = [said for said in checked(two).problems if said.startswith("active")]
    assert problem.startswith("active: 200 of the customers have left, says the history (as ")
    stay = [row for row in now.values() if not "" < row["End"] <= DAYS[-1]]
    (tmp_path / "active.csv").write_text(as_csv(stay))
    assert not checked(two).problems


def test_who_left_was_a_customer_until_then(tmp_path: Path) -> None:
    """In one master table with both dates; until the newest customer came, who left after two
    months would be of six years, and the model learn the reverse of what holds."""
    rows = made_rows()
    since = [str(day)[:10] for day in pd.date_range("2018-01-01", "2025-12-31", periods=len(rows))]
    for row, day in zip(rows, since, strict=True):
        end = str(pd.Timestamp(day) + pd.Timedelta(days=61))[:10]
        row |= {"Since": day, "End": end if row.pop("Cancelled") == "yes" else "", "Months": "7"}
    rows[-1]["End"] = "2026-04-15"
    identity = {"id": "Account", "churned": {"end_date": "End"}, "horizon_months": 3}
    agreed = contract(identity=identity, tenure={"since": "Since"})
    frame = written(tmp_path, agreed, rows)
    tenure = dict(zip(frame["customer_id"], frame["tenure"], strict=True))
    for row, day in zip(rows[:-1], since, strict=False):
        stayed = (pd.Timestamp("2026-04-15") - pd.Timestamp(day)).days / (365.25 / 12)
        assert tenure[row["Account"]] == (2 if row["End"] else int(stayed))


def test_models_use_the_months_of_a_snapshot_s_day(checked: Checked, tmp_path: Path) -> None:
    """In a file, a request and a reason it is a number as any. Without snapshots who left is seen
    on another day than who stayed, and the check says that it isn't learnt from."""
    rows = [
        row | {"Since": f"20{18 + int(row['Account'][1:]) % 7}-03-01"} for row in ending(spread())
    ]
    since = told(1).replace("{months: Months}", "{since: Since}")
    (tmp_path / "history.csv").write_text(as_csv(rows))
    assert NOT_LEARNT not in checked(since).notes
    agreed = Contract.model_validate(Document.parse(since).value)
    frame = written(tmp_path, agreed, rows)
    schema = schema_of(agreed)
    assert "tenure" in {feature.name for feature in features_of(schema, frame).features}
    months = frame[frame["customer_id"] == "A10001"].sort_values("snapshot")["tenure"]
    assert months.tolist() == [32, 33, 34, 35, 35]  # of 30.4 days; the last day has no outcome yet
    assert Wording(schema).text("tenure", 24, raises=False) == (
        "Time as a customer: 24 months; lowers the churn risk"
    )
    alone = since.replace("\n  snapshot: Seen", "")
    assert NOT_LEARNT in checked(alone).notes
    assert "tenure" not in {
        field.name
        for field in schema_of(Contract.model_validate(Document.parse(alone).value)).features
    }


@pytest.mark.parametrize(("horizon", "found"), [(1, True), (12, True), (60, False)])
def test_leavings_of_years_are_no_month_s(
    horizon: int, found: bool, checked: Checked, tmp_path: Path
) -> None:
    """The risk of ever leaving would be told as that of the horizon."""
    days = [str(day)[:10] for day in pd.date_range("2021-04-01", "2026-03-31", periods=400)]
    rows = [
        row | {"End": day if row["Cancelled"] == "yes" else ""}
        for row, day in zip(made_rows(), days, strict=True)
    ]
    (tmp_path / "history.csv").write_text(as_csv([{**row, "Cancelled": ""} for row in rows]))
    one_table = told(horizon).replace("\n  snapshot: Seen", "")
    report = checked(one_table + "left_out: {Cancelled: another one}\n")
    problems = report.problems
    assert len(problems) == found
    stayed = [int(row["Months"]) for row in rows if row["Cancelled"] == "no"]
    new = sum(months < horizon for months in stayed)
    told_so = [note for note in report.notes if "count as having stayed" in note]
    assert len(told_so) == (new > 0.1 * len(stayed))
    for note in told_so:
        assert note.startswith(f"history: {new:,} of the {len(stayed):,} who stayed")
    if found:
        assert f"who left did so more than {horizon} months before 2026-03-" in problems[0]
        [rule] = re.findall(r"leave_out: \[.*?\]", problems[0])  # what it says, typed in
        mended = one_table.replace("{path: history.csv}", f"{{path: history.csv, {rule}}}")
        report = checked(mended + "left_out: {Cancelled: another one}\n")
        assert not report.problems
        table, left = report.tables[0], sum(row["End"] != "" for row in rows)
        assert table.left_out["left long ago"] == 400 - table.used > left / 2


@pytest.mark.parametrize("said", ["", "values: x, before: 2026-01-31, "])
def test_rows_are_left_out_by_cells_or_by_a_date(said: str, checked: Checked) -> None:
    rule = f"leave_out: [{{column: End, {said}reason: old}}]"
    with pytest.raises(ContractError, match="needs either values or before"):
        checked(CONTRACT.replace("{path: history.csv}", f"{{path: history.csv, {rule}}}"))
