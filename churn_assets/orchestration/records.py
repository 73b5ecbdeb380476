"""Dagster's own records in SQLite, without a wait for the disk at each of a run's thousand events.

Dagster opens a connection for each event and closes it again, and with the last one SQLite folds
its log into the database: two waits for the disk an event. Within `quick_records` one connection to
each database stays open, and a commit is in the log when it returns, on the disk soon after. A
process that is killed loses nothing by it; a machine that loses its power may lose the last events
of a run, of no other record: neither a result nor the campaign's ledger is in these databases.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa


@contextmanager
def quick_records(home: Path) -> Iterator[None]:
    """Within it, SQLite databases below Dagster's home don't wait for the disk at every commit."""
    open_ones: dict[Path, sqlite3.Connection] = {}

    def connected(connection: Any, _: Any) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return
        [_, _, name] = connection.execute("PRAGMA database_list").fetchone()
        file = Path(name)
        if not name or not file.is_relative_to(home):
            return
        connection.execute("PRAGMA synchronous=NORMAL")
        if file not in open_ones:
            open_ones[file] = kept = sqlite3.connect(file, check_same_thread=False)
            kept.execute("PRAGMA schema_version").fetchone()  # opened by the first look at it

    sa.event.listen(sa.Engine, "connect", connected)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "connect", connected)
        for kept in open_ones.values():
            kept.close()
