"""Whoever is in a row of the company's tables is known, also where nothing is learnt of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from churn_assets.customers.strangers import IDS, looked_for, strangers_among
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.tables import read_parquet
from tests.cli.test_strangers import run
from tests.customers.test_snapshots import IDENTITY, snapshots
from tests.customers.test_typed_tables import contract, whole, written
from tests.release.small_release import publish

TABLES = {"history": {"path": "history.csv", "leave_out": [
    {"column": "Plan", "values": ["Staff"], "reason": "our own people"}]}}  # fmt: skip
DAYS = ("2026-01-31", "2026-02-28", "2026-03-31")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Both assets' folders below: of snapshots, with a row left out, one refused, one without id
    and one whose id is refused."""
    rows = snapshots(DAYS)
    odd = [("STAFF", "Staff", "3"), ("ODD", "Plus", "?"), ("", "Plus", "3"), ("'APO", "Plus", "3")]
    rows += [
        rows[0] | {"Account": name, "Plan": plan, "Months": months} for name, plan, months in odd
    ]
    written(tmp_path, contract(identity=IDENTITY, tables=TABLES), rows)
    return tmp_path


def ids_in(folder: Path) -> list[str]:
    ids: list[str] = read_parquet(folder / IDS, ["customer_id"])["customer_id"].to_pylist()
    return ids


def stored(store: LocalArtifactStore, made: Path) -> None:
    for asset, folder in (("customer_history", "history"), ("active_customers", "active")):
        artifact = store.put(asset, made / folder)
        store.write_pointer(asset_pointer(asset), artifact.model_dump_json().encode())


def unlearnt(made: Path) -> set[str]:
    """Customers who left and are in no split, and are not active."""
    seen = {row["Account"] for row in snapshots(DAYS)}
    found = seen - {*whole(made / "history")["customer_id"], *whole(made / "active")["customer_id"]}
    assert len(found) > 5
    return found


def test_the_assets_know_the_ids_of_all_rows(made: Path) -> None:
    everybody = sorted({row["Account"] for row in snapshots(DAYS)} | {"STAFF", "ODD"})
    assert ids_in(made / "history") == ids_in(made / "active") == everybody


def test_nobody_of_the_table_is_a_stranger(made: Path, tmp_path: Path) -> None:
    """Why: a twentieth of the former customers of a company were unknown, being in no split."""
    store = LocalArtifactStore(tmp_path / "store")
    stored(store, made)
    asked = [*unlearnt(made), "STAFF", "ODD", "'APO", "nobody"]
    assert strangers_among(asked, store) == ["'APO", "nobody"]
    assert looked_for(["staff"], store) == {"staff": (False, ["STAFF"])}


def test_assets_of_before_are_read_as_they_were(made: Path, tmp_path: Path) -> None:
    for name in ("history", "active"):
        shutil.rmtree((made / name / IDS).parent)
    store = LocalArtifactStore(tmp_path / "store")
    stored(store, made)
    learnt = list(whole(made / "history")["customer_id"])
    assert strangers_among([*learnt, "STAFF"], store) == ["STAFF"]
    assert looked_for(learnt[:1], store) == {learnt[0]: (True, [])}


def test_whoever_left_is_erased_though_nothing_is_kept(own_home: Path, made: Path) -> None:
    """Why: the nightly list of erasures failed, of an id that stands in the company's own file."""
    store = LocalArtifactStore(own_home / "store")
    publish(store, own_home / "published", "Acme")
    stored(store, made)
    code, said = run("campaign", "forget", *sorted(unlearnt(made))[:3], "STAFF")
    assert (code, "no customer" in said) == (0, False)


def test_without_ids_rows_are_known_by_their_number(tmp_path: Path) -> None:
    identity = {key: value for key, value in IDENTITY.items() if key not in ("id", "snapshot")}
    frame = written(tmp_path, contract(identity=identity), snapshots(DAYS[:1]))
    assert set(ids_in(tmp_path / "history")) == set(frame["customer_id"])


def test_a_table_of_active_customers_knows_whom_it_leaves_out(tmp_path: Path) -> None:
    """They are customers of today, whom nothing is decided about."""
    rows = snapshots(DAYS[:2])
    now = [row for row in rows if row["Seen"] == DAYS[1]][:50]
    tables = {"history": {"path": "history.csv"}, "active": TABLES["history"] | {
        "path": "active.csv"}}  # fmt: skip
    active = [*now, now[0] | {"Account": "STAFF", "Plan": "Staff"}]
    written(tmp_path, contract(identity=IDENTITY, tables=tables), rows, active)
    assert set(ids_in(tmp_path / "active")) == {row["Account"] for row in active}
    assert "STAFF" not in set(whole(tmp_path / "active")["customer_id"])
