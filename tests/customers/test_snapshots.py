"""Customers with a row for each snapshot: who is active, and what a model is tried on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from churn_assets.customers.contract.yaml_lines import Document
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.tables import LATEST, PEOPLE, write_active
from churn_assets.datasets.errors import DataError
from tests.customers.conftest import CONTRACT, Rows, made_rows
from tests.customers.test_typed_tables import contract, whole, written

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


def test_snapshots_of_an_earlier_version_are_made_anew(tmp_path: Path) -> None:
    """Its history hasn't everybody's last row: whoever left would be scored for contact."""
    agreed = contract(identity=IDENTITY)
    written(tmp_path, agreed, snapshots(("2026-01-31", "2026-02-28")))
    (tmp_path / "history" / LATEST).unlink()
    with pytest.raises(DataError, match="earlier version: make customer_history anew"):
        write_active(agreed, Places(tmp_path, tmp_path), tmp_path, tmp_path / "history", tmp_path)
