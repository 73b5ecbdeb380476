"""The contact ledger as a file: it appears with its tables in it, and one without them is none."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa

from churn_assets.campaign.contacts.database import WRITES, engine_at
from churn_assets.campaign.errors import LedgerError

PRIVATE = 0o600


def begin_file(url: sa.URL, file: Path, create: Callable[[sa.Connection], None]) -> None:
    """Make a ledger's file, which nobody sees before its tables are in it; of two processes that
    begin at once, one makes it.

    Args:
        url: of the ledger; its options are those of the file in the making.
        create: makes the tables.

    Raises:
        OSError: it can't be made in its folder. SQLAlchemyError: its tables can't.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    made = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        # Personal data: nobody else may read it.
        os.close(os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE))
        engine = engine_at(url.set(database=str(made)))
        with engine.connect().execution_options(**{WRITES: True}) as it, it.begin():
            create(it)
        with suppress(FileExistsError):
            _put(made, file)
    finally:
        made.unlink(missing_ok=True)


def _put(made: Path, file: Path) -> None:
    try:
        os.link(made, file)  # unlike a renaming, never over another's
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if not file.exists():
            made.rename(file)


def refuse_empty(file: Path) -> None:
    """Raise LedgerError for a file of no bytes, which to SQLite is a database without tables: a
    copy onto a full disk leaves one, and everybody who opted out would be contacted."""
    with suppress(FileNotFoundError):
        if file.is_file() and file.stat().st_size == 0:
            raise LedgerError(
                f"the contact ledger {file} is empty, as no ledger is: restore it "
                "(docs/operations.md, Restore), or remove it to begin a new one"
            )


def refuse_unwritable(connection: sa.Connection) -> None:
    """Within a transaction that writes to a file: fail where it can only be read, or has no room.
    To begin says nothing of that: SQLite then lets it read."""
    connection.exec_driver_sql("PRAGMA user_version = 0")  # as it was: a write all the same
