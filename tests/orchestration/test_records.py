"""Dagster's records during `churn materialize`: no wait for the disk at every event."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from churn_assets.orchestration.records import quick_records

FULL, NORMAL = 2, 1  # of PRAGMA synchronous


def engine_of(file: Path) -> sa.Engine:
    """As Dagster makes one: a new connection for each event, with a log beside the database."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS event (text TEXT)")
    return sa.create_engine(f"sqlite:///{file}", poolclass=NullPool)


def written(engine: sa.Engine, text: str) -> int:
    """Write a line in a connection of its own, and say how this waits for the disk."""
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO event VALUES (:text)"), {"text": text})
        return int(connection.execute(sa.text("PRAGMA synchronous")).scalar_one())


def lines(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM event")]


def test_only_dagster_s_own_databases_are_written_so(tmp_path: Path) -> None:
    """The campaign's ledger must be on the disk before anybody is told that it is."""
    home = tmp_path / "dagster"
    own, ledger = engine_of(home / "history" / "run.db"), engine_of(tmp_path / "ledger.db")
    with quick_records(home):
        assert (written(own, "a"), written(ledger, "b")) == (NORMAL, FULL)
    assert written(own, "c") == FULL
    assert lines(home / "history" / "run.db") == ["a", "c"]
    assert lines(tmp_path / "ledger.db") == ["b"]


def test_the_log_is_folded_in_once_at_the_end(tmp_path: Path) -> None:
    """Not at each event; others read every event meanwhile, and one file is left behind."""
    file = tmp_path / "run.db"
    engine, log = engine_of(file), tmp_path / "run.db-wal"
    with quick_records(tmp_path):
        for text in ("a", "b", "c"):
            written(engine, text)
            assert log.exists()
        assert lines(file) == ["a", "b", "c"]
    assert not log.exists()
    assert lines(file) == ["a", "b", "c"]


def test_a_run_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    engine = engine_of(tmp_path / "run.db")
    with pytest.raises(sa.exc.OperationalError), quick_records(tmp_path), engine.begin() as run:
        run.execute(sa.text("INSERT INTO nothing VALUES (1)"))
    assert not (tmp_path / "run.db-wal").exists()
    written(engine, "a")
    assert written(engine, "b") == FULL
    assert lines(tmp_path / "run.db") == ["a", "b"]
