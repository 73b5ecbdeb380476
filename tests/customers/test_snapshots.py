"""Customers with a row for each snapshot: who is active, and what a model is tried on."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from churn_assets.cli.customers.report import show_report
from churn_assets.customers.contract.yaml_lines import Document
from churn_assets.customers.splits import snapshot_split
from churn_assets.customers.tables import PEOPLE
from churn_assets.datasets.errors import DataError
from tests.customers.conftest import CONTRACT, Checked, Rows, as_csv, made_rows
from tests.customers.test_check import kinds
from tests.customers.test_typed_tables import are_stayers, contract, whole, written

IDENTITY = Document.parse(CONTRACT).value["identity"] | {"snapshot": "Seen"}


def snapshots(days: Sequence[str], count: int = 300) -> Rows:
    """A row of each customer a day until they leave, the newest day's first; some come later."""
    rows: Rows = []
    for number, day in enumerate(days):
        gone = {row["Account"] for row in rows if row["Cancelled"] == "yes"}
        seen = [row | {"Seen": day} for row in made_rows(count + 10 * number, seed=number)]
        rows = [row for row in seen if row["Account"] not in gone] + rows
    return rows


def test_who_left_in_the_last_snapshot_is_not_active(tmp_path: Path) -> None:
    """Without a table of active customers they're those whose own last row says that they stay, as
    they are in it; whoever came only then is among them, and an opt-out of then counts."""
    contact = {"opt_out": {"column": "No Mail", "yes": "yes", "no": "no"}}
    rows = snapshots(("2026-01-31", "2026-02-28", "2026-03-31"))
    rows = [row | {"No Mail": "yes" if row["Seen"] == "2026-03-31" else "no"} for row in rows]
    frame = written(tmp_path, contract(identity=IDENTITY, contact=contact), rows)
    last = {row["Account"]: row for row in reversed(rows)}
    stayed = {name: row for name, row in last.items() if row["Cancelled"] == "no"}
    assert {"A10315", "A10319"} & set(stayed)  # of the last snapshot alone
    active = whole(tmp_path / "active").set_index("customer_id")
    assert set(active.index) == set(stayed)
    assert not are_stayers(tmp_path / "active")  # the history has earlier rows of them
    for name, row in stayed.items():
        assert str(active.loc[name, "months"]) == row["Months"]
        assert str(active.loc[name, "snapshot"])[:10] == row["Seen"]
    sides = dict(zip(frame["customer_id"], frame["split"], strict=True))
    assert all(active.loc[name, "split"] == sides[name] for name in set(stayed) & set(sides))
    told = pd.read_parquet(tmp_path / "active" / PEOPLE).set_index("customer_id")["opt_out"]
    assert all(told[name] == (row["Seen"] == "2026-03-31") for name, row in stayed.items())


def test_a_table_of_active_customers_may_have_several_snapshots(tmp_path: Path) -> None:
    """Nobody is scored twice: as they are in the last one, wherever it stands in the table."""
    tables = {"history": {"path": "history.csv"}, "active": {"path": "active.csv"}}
    rows = snapshots(("2026-01-31", "2026-02-28"))
    now = [row for row in snapshots(("2026-02-28", "2026-03-31")) if row["Cancelled"] == "no"]
    written(tmp_path, contract(identity=IDENTITY, tables=tables), rows, now)
    last = {row["Account"]: row for row in reversed(now)}
    active = whole(tmp_path / "active").set_index("customer_id")
    assert sorted(active.index) == sorted(last)
    assert all(str(active.loc[name, "months"]) == row["Months"] for name, row in last.items())


def test_days_of_their_own_are_one_snapshot_a_month(tmp_path: Path) -> None:
    """Every customer is seen on another day: what is tried on is the last month, not its last day,
    on which there are few."""
    rows = [
        row | {"Seen": f"2026-0{month}-{1 + (i * 7) % 28:02}"}
        for month in (1, 2)
        for i, row in enumerate(made_rows(300, seed=month))
    ]
    frame = written(tmp_path, contract(identity=IDENTITY), rows)
    months = frame["snapshot"].dt.month
    assert set(months[frame["split"] == "test"]) == {2}
    assert set(months[frame["split"] != "test"]) == {1}
    assert frame["split"].value_counts().to_dict().keys() == {"train", "valid", "test"}
    assert len(frame) == 300  # every customer's row of one of the months


@pytest.mark.parametrize("days", [("01-31", "02-28", "03-31"), ("03-09", "03-16", "03-23")])
def test_a_few_rows_of_a_newer_snapshot_are_no_snapshot(
    tmp_path: Path, days: tuple[str, str, str]
) -> None:
    """Too few to try a model on: it is tried on the snapshot before, and they with it."""
    rows = snapshots([f"2026-{day}" for day in days])
    new = [row | {"Seen": "2026-04-07", "Cancelled": "no"} for row in made_rows(20, seed=9)]
    frame = written(tmp_path, contract(identity=IDENTITY), rows + new)
    seen = frame["snapshot"].astype(str).str[5:10]
    assert set(seen[frame["split"] != "test"]) == set(days[:2])
    assert set(seen[frame["split"] == "test"]) == {days[2], "04-07"}


@pytest.mark.parametrize(
    ("horizon", "left_first", "learnt"),
    [
        (1, 500, [1, 2, 3, 4, 5]),
        (2.5, 500, [1, 2, 3]),
        (3, 500, [1, 2, 3]),
        (3.5, 500, [1, 2, 3, 4, 5]),
        (3, 1000, [1, 2, 3]),  # all left in January: half of those who stayed are kept
        (6, 500, [1, 2, 3, 4, 5]),
    ],
)
def test_rows_that_speak_of_the_test_month_are_not_learnt_from(
    horizon: float, left_first: int, learnt: list[int]
) -> None:
    """Who left within three months after April left in the months after June, too. These rows stay
    where most who left, or stayed, would be lost with them: a yearly horizon would leave a company
    one month of twelve."""
    months = np.repeat(np.arange("2026-01", "2026-07", dtype="datetime64[M]"), 1000)
    ids = np.tile([f"C{i}" for i in range(1000)], 6)
    left = np.arange(6000) % 2 == 0
    left[:1000] = np.arange(1000) < left_first
    split, notes = snapshot_split("Acme", ids, left, months.astype("datetime64[ns]"), horizon)
    for part in ("train", "valid"):
        found = months[split == part].astype(int) % 12 + 1
        assert sorted(set(found)) == learnt
    assert set(months[split == "test"].astype(int) % 12 + 1) == {6}
    unheld, *rest = notes
    gone = left[split == ""]
    assert unheld.startswith(f"Acme: {len(gone):,} ({gone.sum():,} left) of 6,000 rows are in no")
    assert ("months ends after 2026-06" in unheld) == (learnt == [1, 2, 3])
    assert [note.split(":")[1] for note in rest] == (
        [" the figures on held-out rows may be a little too good"]
        * (learnt[-1] == 5 and horizon > 1)
    )


def test_few_who_left_are_all_learnt_from() -> None:
    """Where most are in the first month, but fewer than thirty."""
    months = np.repeat(np.arange("2026-01", "2026-04", dtype="datetime64[M]"), 1000)
    left = np.zeros(3000, bool)
    left[[*range(25), *range(1000, 1010), *range(2000, 2500)]] = True
    ids = np.tile([f"C{i}" for i in range(1000)], 3)
    split, _ = snapshot_split("Acme", ids, left, months.astype("datetime64[ns]"), 2)
    assert set(months[split == "train"].astype(int) % 12 + 1) == {1, 2}


def test_rows_that_no_split_holds_are_told(checked: Checked, tmp_path: Path) -> None:
    """A horizon of a year, of which two months of three are left: by the check, and no problem."""
    rows = snapshots(("2026-01-31", "2026-02-28", "2026-03-31"))
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked(CONTRACT.replace("months: 3", "months: 12\n  snapshot: Seen"))
    frame = written(tmp_path, contract(identity=IDENTITY | {"horizon_months": 12}), rows)
    unheld, good = report.notes
    used = report.tables[0].used
    assert unheld.startswith(f"history: {used - len(frame):,} (")
    assert f"of {used:,} rows are in no split" in unheld
    learnt = frame[frame["split"] != "test"]
    assert f"of {len(learnt):,} ({learnt['churn'].sum():,} left) rows to learn from" in good
    assert "horizon of 12 months ends after 2026-03; without them too few would remain, 0" in good
    assert report.as_json()["notes"] == [unheld, good]
    shown = io.StringIO()
    show_report(report, tmp_path / "customers.yaml", Console(width=80, file=shown))
    assert all(note in shown.getvalue() for note in report.notes)


def test_days_have_horizons_of_thirty_days() -> None:
    """Weekly snapshots, of which a customer has several a month."""
    days = np.repeat(np.arange("2026-03-02", "2026-05-05", 7, dtype="datetime64[D]"), 1000)
    ids = np.tile([f"C{i}" for i in range(1000)], len(days) // 1000)
    left = np.random.default_rng(0).random(len(days)) < 0.5
    split, _ = snapshot_split("Acme", ids, left, days, 1)
    assert days[split == "test"].min() == days.max()
    assert days[split == "train"].max() == np.datetime64("2026-03-30")


def test_snapshots_that_can_t_be_split_are_told_beforehand(
    checked: Checked, tmp_path: Path
) -> None:
    """By the check, before anything is made, with what there is of the last one; making the tables
    says the same."""
    rows = snapshots(("2026-01-31", "2026-02-28"))
    few = [row for row in rows if row["Seen"] == "2026-01-31" or row["Account"] < "A10003"]
    (tmp_path / "history.csv").write_text(as_csv(few))
    [problem] = checked(CONTRACT.replace("months: 3", "months: 3\n  snapshot: Seen")).problems
    last = [row for row in few if row["Seen"] == "2026-02-28"]
    assert problem.startswith(
        "history: too few rows for three splits: the last snapshot, 2026-02, has "
        f"{len(last)} rows; 0 (0 left) of the tenth of the customers"
    )
    said = problem.removeprefix("history: ")
    with pytest.raises(DataError, match=re.escape(f"Lighthouse Broadband: {said}")):
        written(tmp_path, contract(identity=IDENTITY), few)


def test_a_customer_may_have_several_snapshots(checked: Checked, tmp_path: Path) -> None:
    """One row a quarter is no conflict; two different ones of the same day are."""
    rows = [{**row, "Day": day} for day in ("2026-01-31", "2026-04-30") for row in made_rows(200)]
    for number, row in enumerate(rows):
        row["Calls"] = str(number % 9)
    rows.append({**rows[0], "Calls": "8"})
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked(CONTRACT.replace("horizon_months: 3", "horizon_months: 3\n  snapshot: Day"))
    assert kinds(report) == {("Account, Day", "is there in rows that differ"): 2}
    assert report.tables[0].used == 399
