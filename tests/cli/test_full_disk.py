"""Imports onto a disk that is full: what to do stands in the one line."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from churn_assets.campaign.contacts import database
from churn_assets.cli import app
from churn_assets.serving.feedback import SqliteFeedbackLog

ROWS = 3_000


def limited(db: Any) -> None:
    """The database itself says that it is full, as where its disk is."""
    db.execute("PRAGMA max_page_count = 60")


@pytest.mark.parametrize("command", ["outcomes", "campaign"])
def test_an_import_says_to_read_the_file_again(
    command: str, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: "database or disk is full" left open whether half of the file now counts twice."""
    file = own_home / "events.csv"
    rows = [f"e{i},C{i},sent,2026-01-05T10:00:00+00:00" for i in range(ROWS)]
    file.write_text("\n".join(["event_id,customer_id,kind,occurred_at", *rows]) + "\n")
    opened, prepared = SqliteFeedbackLog._open, database._prepare_sqlite

    def small(log: SqliteFeedbackLog) -> sqlite3.Connection:
        limited(db := opened(log))
        return db

    def prepare(connection: Any, other: Any) -> None:
        prepared(connection, other)
        limited(connection)

    with monkeypatch.context() as patch:
        patch.setattr(SqliteFeedbackLog, "_open", small)
        patch.setattr(database, "_prepare_sqlite", prepare)
        done = CliRunner().invoke(app, [command, "import", str(file)])
    assert done.exit_code == 1
    [said] = done.output.strip().splitlines()
    assert "sqlite3: database or disk is full; what was added stays" in said
    assert said.endswith(f"; make room, then import {file} again for the rest")
    again = CliRunner().invoke(app, [command, "import", str(file)])
    assert again.exit_code == 0, os.linesep + again.output
