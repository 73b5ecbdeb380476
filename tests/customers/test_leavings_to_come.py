"""Leavings that are still to come: whoever has one is a customer today."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from churn_assets.customers.contract.yaml_lines import Document
from churn_assets.customers.quality.tenure import NOT_LEARNT
from tests.customers.conftest import Checked, Rows, as_csv, made_rows
from tests.customers.test_leaving import ending, told
from tests.customers.test_typed_tables import contract, whole, written

LAST = "2026-04-15"
FAR = ("2098-11-30", "2098-12-31", "2099-01-31", "2099-02-28", "2099-03-31")
NEVER = ("9999-12-31", "2099-01-01")


def both_dates() -> Rows:
    """A master table with both dates; every other one who stays has an end all the same."""
    rows = made_rows()
    days = [str(day)[:10] for day in pd.date_range("2018-01-01", "2025-12-31", periods=len(rows))]
    for i, (row, day) in enumerate(zip(rows, days, strict=True)):
        row["Since"], left = day, row.pop("Cancelled") == "yes"
        row["End"] = LAST if left else (*NEVER, "", "")[i % 4]
    return rows


def test_who_is_still_to_leave_is_active(checked: Checked, tmp_path: Path) -> None:
    """2099 as "no end" counted as left, after 931 months, without a word."""
    rows = both_dates()
    left = {row["Account"] for row in rows if row["End"] == LAST}
    to_come = sum(row["End"] in NEVER for row in rows)
    (tmp_path / "history.csv").write_text(as_csv(rows))
    one_table = told(3).replace("\n  snapshot: Seen", "").replace("months: Months", "since: Since")
    report = checked(one_table)
    assert report.problems == []
    assert report.tables[0].positives == len(left)
    assert report.notes == [
        f"history: End is still to come in {to_come} rows (the first is 2099-01-01): their "
        "customers count as active",
        NOT_LEARNT,
    ]
    identity = {"id": "Account", "churned": {"end_date": "End"}, "horizon_months": 3}
    frame = written(tmp_path, contract(identity=identity, tenure={"since": "Since"}), rows)
    assert set(frame[frame["churn"]]["customer_id"]) == left
    active = whole(tmp_path / "active")
    assert set(active["customer_id"]) == {row["Account"] for row in rows} - left
    since = {row["Account"]: pd.Timestamp(row["Since"]) for row in rows}
    for table in (frame, active):  # up to the table's last day, also of those without an end
        for i, months in zip(table["customer_id"], table["tenure"], strict=True):
            assert months == int((pd.Timestamp(LAST) - since[i]).days / (365.25 / 12))


def test_leavings_of_a_horizon_are_counted_without_those_to_come(
    checked: Checked, tmp_path: Path
) -> None:
    """One who left in twenty is too few for a problem, had all the others left as well."""
    rows = both_dates()
    left = [row for row in rows if row["End"] == LAST]
    for row in left[:20]:
        row["End"] = "2024-01-31"
    (tmp_path / "history.csv").write_text(as_csv(rows))
    one_table = told(3).replace("\n  snapshot: Seen", "").replace("months: Months", "since: Since")
    [problem] = checked(one_table).problems
    assert problem.startswith(f"history: 20 of the {len(left)} who left did so more than 3 months")


def test_of_snapshots_who_is_still_to_leave_is_active(checked: Checked, tmp_path: Path) -> None:
    """Who is to leave within the horizon of their last one is a customer until then, and tells
    nothing of how far the table goes."""
    rows = ending(["2099-04-15", "2098-12-20", "2099-03-10", "", ""] * 80, FAR)
    identity = Document.parse(told(1)).value["identity"]
    frame = written(tmp_path, contract(identity=identity), rows)
    assert frame["churn"].any()
    active = whole(tmp_path / "active")
    assert set(active["customer_id"]) == {row["Account"] for row in rows if row["Seen"] == FAR[-1]}
    notes = checked(told(1)).notes
    waiting = sum(row["End"] != "" for row in rows)
    assert notes[-2].startswith(f"history: End is still to come in {waiting:,} rows")
    newest = sum(row["Seen"] == FAR[-1] for row in rows)
    assert notes[-1].startswith(
        f"history: {newest} of {len(rows):,} rows, those of snapshots from "
    )
    assert "isn't over by 2099-03-31, the last day" in notes[-1]
    assert FAR[-1] not in set(frame["snapshot"].astype(str).str[:10])


def test_an_end_that_was_to_come_earlier_makes_nobody_a_customer(tmp_path: Path) -> None:
    """Tables as of each month's end have 9999 as the end until it is known."""
    days = ("2025-09-30", "2025-12-31", "2026-03-31")
    rows = ending(["2025-10-20", "2026-04-30", "", ""] * 100, days)
    for row in rows:
        if not row["End"] or (row["Seen"] < days[-1] and row["End"] > "2026"):
            row["End"] = NEVER[0]
    identity = Document.parse(told(1)).value["identity"]
    written(tmp_path, contract(identity=identity), rows)
    active = whole(tmp_path / "active")
    stays = {row["Account"] for row in rows if (row["Seen"], row["End"]) == (days[-1], NEVER[0])}
    assert stays <= set(active["customer_id"])
    left = {row["Account"] for row in rows if row["End"] == "2026-04-30"}
    assert left
    assert not left & set(active["customer_id"])
