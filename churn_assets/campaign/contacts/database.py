"""The contact ledger's database: one writer at a time, and nobody waits for it without end."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from churn_assets.campaign.errors import LedgerError
from churn_assets.domain.database_urls import (
    DatabaseUrlError,
    database_url,
    unimported,
    without_secrets,
)
from churn_assets.domain.variables import UnsetVariableError, with_variables

SETTING = "CHURN_CAMPAIGN__LEDGER"
BUSY_SECONDS = 5.0  # waiting for another process's commit to a file, or for a server to answer
LONGEST_WAIT = "60s"  # for another writer's transaction on a server: a large import takes a while
ALIVE = {
    "connect_timeout": int(BUSY_SECONDS),
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Of libpq: a connection that died without a word (a fail-over, a firewall) is given up after half
a minute. By itself the system waits for a quarter of an hour, or longer where nothing was sent."""
LOCK = 4_627_001  # PostgreSQL's advisory lock of this ledger's writers
WRITES = "churn_write"
"""The option of a connection whose transactions write."""


def engine_of(text: str) -> sa.Engine:
    """Connections to the database at a URL, in which `${NAME}` stands for a variable.

    Raises:
        LedgerError: a variable isn't set, or it is no URL that can be used.
    """
    try:
        url = database_url(with_variables(text, SETTING))
    except UnsetVariableError as error:
        raise LedgerError(str(error)) from error
    except DatabaseUrlError as error:
        raise LedgerError(f"{SETTING} can't be used: {error}") from error
    try:
        return engine_at(url)
    except ImportError as error:
        said = without_secrets(unimported(error), url)
        raise LedgerError(f"{SETTING} can't be used: {said}") from None
    except (sa.exc.ArgumentError, ValueError, TypeError) as error:
        # The dialect's: that an option is no number.
        said = without_secrets(str(error), url)
        raise LedgerError(f"{SETTING} can't be used: {said}") from None


def engine_at(url: sa.URL) -> sa.Engine:
    """Connections to a database; raises ImportError where its driver isn't installed."""
    engine = sa.create_engine(url, **_options(url))
    if is_sqlite(url):
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    else:
        sa.event.listen(engine, "begin", _begin_on_a_server)
    return engine


def is_sqlite(url: sa.URL) -> bool:
    """Whether the database is a file."""
    return url.get_backend_name() == "sqlite"


def _options(url: sa.URL) -> dict[str, Any]:
    if is_sqlite(url):
        # A connection kept open would go on writing to a file that was removed or replaced.
        return {"connect_args": {"timeout": BUSY_SECONDS}, "poolclass": sa.pool.NullPool}
    return {"pool_pre_ping": True, "connect_args": ALIVE}


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says so
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten


def _begin_sqlite(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _begin_on_a_server(connection: sa.Connection) -> None:
    if connection.get_execution_options().get(WRITES):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LONGEST_WAIT}'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
