"""Moments with an offset: their day is that of the contract's time zone, not UTC's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy

from churn_assets.cli.customers.files import read_customers
from churn_assets.customers.check import check
from churn_assets.customers.contract.model import Contract
from churn_assets.customers.contract.yaml_lines import Document
from churn_assets.customers.fields import schema_of
from churn_assets.customers.quality.columns import date as date_sql
from churn_assets.customers.reading.dates import date_in, months_since
from churn_assets.customers.reading.sources import Places
from churn_assets.serving.forms import form_of
from tests.customers.conftest import CONTRACT, as_csv, made_rows
from tests.postgres import PASSWORD, running_postgres

BERLIN = "Europe/Berlin"
MIDNIGHT = datetime(2026, 10, 1, tzinfo=ZoneInfo(BERLIN))  # 22:00 of the day before in UTC
IN_BERLIN = {
    "2026-09-30T22:00:00Z": (10, 1),
    "2026-09-30 22:00:00 UTC": (10, 1),
    "2026-09-30T21:59:59.5Z": (9, 30),
    "2026-10-01T00:00:00+02:00": (10, 1),
    "2026-09-30 22:00:00+00": (10, 1),
    "2026-10-01 00:30:00+0300": (9, 30),
    "2026-01-31T23:30:00Z": (2, 1),  # in winter it is an hour
    "2026-09-30T22:00:00": (9, 30),  # no offset: what is written
    "2026-09-30": (9, 30),
    "30.09.2026": (9, 30),
}


@pytest.mark.parametrize("cell", IN_BERLIN)
def test_a_cell_is_the_same_day_in_a_table_and_in_a_file(cell: str) -> None:
    """Why: a Berlin company's midnights were a day early."""
    row = duckdb.sql("SELECT ? AS c", params=[f" {cell} "])
    assert row is not None
    found = row.project(f"{date_sql('c', None, BERLIN)}, {date_sql('c', None)}")
    [(read, written)] = found.fetchall()
    assert read == date(2026, *IN_BERLIN[cell])
    if not cell.endswith(" UTC"):
        assert date_in(cell, None, BERLIN) == read
    assert written.isoformat() == (cell[:10] if cell[4] == "-" else "2026-09-30")


def test_months_begin_on_the_day_of_the_zone() -> None:
    assert date_in(MIDNIGHT.astimezone(UTC), None, BERLIN) == date(2026, 10, 1)
    month = date(2026, 10, 31)  # 30 days after the first, 31 after the day before
    assert months_since(MIDNIGHT.astimezone(UTC).isoformat(), month, zone=BERLIN) == 0
    assert months_since(MIDNIGHT.astimezone(UTC).isoformat(), month) == 1


def leaving_out(table: dict[str, Any], zone: str | None = BERLIN) -> Contract:
    """Everybody came on 1 October, who came before isn't asked about."""
    value: dict[str, Any] = Document.parse(CONTRACT).value
    rule = {"column": "Since", "before": "2026-10-01", "reason": "came before October"}
    value["tables"]["history"] = table | {"leave_out": [rule]}
    return Contract.model_validate(value | ({"people": {"default_zone": zone}} if zone else {}))


def left_out(contract: Contract, folder: Path) -> int:
    places = Places(folder, folder / "raw")
    [table] = check(contract, places, folder / "refused").tables
    return table.left_out["came before October"]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with running_postgres() as url:
        engine = sqlalchemy.create_engine(url.replace("${CHURN_TEST_PASSWORD}", PASSWORD))
        frame = pd.DataFrame(made_rows()).assign(Since=pd.Timestamp(MIDNIGHT))
        frame.to_sql("customers", engine, index=False)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("ALTER DATABASE postgres SET timezone TO 'UTC'"))
        engine.dispose()
        yield url


def test_of_a_database(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timestamptz comes in the session's zone, which is UTC mostly."""
    monkeypatch.setenv("CHURN_TEST_PASSWORD", PASSWORD)
    sql = {"sql": {"url": database, "query": "SELECT * FROM customers"}}
    assert left_out(leaving_out(sql), tmp_path) == 0
    assert left_out(leaving_out(sql, "UTC"), tmp_path) == 400


def test_of_parquet_and_text(tmp_path: Path) -> None:
    rows = made_rows()
    table = pa.Table.from_pylist(rows)
    times = pa.array([MIDNIGHT.astimezone(UTC)] * len(rows), pa.timestamp("us", "UTC"))
    pq.write_table(table.append_column("Since", times), tmp_path / "history.parquet")
    told = MIDNIGHT.astimezone(UTC).isoformat()
    (tmp_path / "history.csv").write_text(as_csv([row | {"Since": told} for row in rows]))
    for name in ("history.parquet", "history.csv"):
        table_of = {"path": [name]}
        assert left_out(leaving_out(table_of), tmp_path) == 0
        assert left_out(leaving_out(table_of, "UTC"), tmp_path) == 400
        # Without a zone the day is the one that is written.
        assert left_out(leaving_out(table_of, None), tmp_path) == 400
    (tmp_path / "history.csv").write_text(
        as_csv([row | {"Since": MIDNIGHT.isoformat()} for row in rows])
    )
    assert left_out(leaving_out({"path": "history.csv"}, None), tmp_path) == 0


def test_a_file_to_predict_has_the_contract_s_days(tmp_path: Path) -> None:
    form = form_of(schema_of(leaving_out({"path": "history.csv"})))
    told = ["2026-09-30T22:00:00Z", "2026-09-30T21:00:00Z", ""]
    rows = [row | {"Since": said} for row, said in zip(made_rows(3), told, strict=True)]
    (tmp_path / "today.csv").write_text(as_csv(rows))
    frame = pd.DataFrame(rows).assign(Since=pd.to_datetime(pd.Series(told), utc=True))
    for name in ("Months", "Monthly Fee", "Calls"):
        frame[name] = pd.to_numeric(frame[name])
    frame.to_parquet(tmp_path / "today.parquet")
    for name in ("today.csv", "today.parquet"):
        found = [row.left_out for row in read_customers(tmp_path / name, form).rows]
        assert found == ["", "came before October", ""]
