"""Secrets of a database's URL: in no report, no message, and nothing that Dagster keeps of one.

Why: BigQuery's key and a password stand among the options as often as before the host, and what was
shown kept all of these, after their variables had been filled in.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from traceback import TracebackException
from typing import Any

import pandas as pd
import pytest
import sqlalchemy
from dagster_shared.error import SerializableErrorInfo
from google.auth.exceptions import DefaultCredentialsError
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.errors import LedgerError
from churn_assets.datasets.errors import DataError
from churn_assets.domain.database_urls import database_url, shown, without_secrets
from tests.customers.conftest import Checked, made_rows
from tests.customers.test_sql import by_query

SECRET = "s3cret/of+nobody"


class Talkative(SQLiteDialect_pysqlite):
    """A driver that repeats what it was given where it fails."""

    supports_statement_cache = True
    file = ""

    def create_connect_args(self, url: sqlalchemy.URL) -> tuple[list[str], dict[str, Any]]:
        if not self.file:
            given = {"password": url.password, **url.query}
            raise DefaultCredentialsError(f"can't connect with {url} of {given}")
        return [self.file], {}


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> type[Talkative]:
    """Its name in a URL is `talkative`, and the secret is in a variable."""
    monkeypatch.setitem(sqlalchemy.dialects.registry.impls, "talkative", lambda: Talkative)
    monkeypatch.setenv("CHURN_TEST_SECRET", SECRET.replace("/", "%2F").replace("+", "%2B"))
    return Talkative


def recorded(error: BaseException) -> str:
    """All that Dagster keeps of an error: its message, where it was raised, and its causes."""
    return SerializableErrorInfo.from_traceback(
        TracebackException.from_exception(error)
    ).to_string()


@pytest.mark.parametrize(
    "url",
    [
        "talkative://h/d?credentials_base64=${CHURN_TEST_SECRET}",
        "talkative://u@h/d?password=${CHURN_TEST_SECRET}&token=${CHURN_TEST_SECRET}&token=other",
        "talkative://u:${CHURN_TEST_SECRET}@h/d",
        "talkative:///?odbc_connect=DRIVER%3D{x};PWD%3D${CHURN_TEST_SECRET}",
    ],
)
def test_an_error_has_no_secret(url: str, talkative: type[Talkative], checked: Checked) -> None:
    """Neither the message nor its cause, in whichever way the secret is written."""
    with pytest.raises(DataError, match=r"^talkative://.*can't connect with .*\*\*\*") as error:
        checked(by_query(url, "SELECT 1"))
    kept = recorded(error.value)
    assert "can't connect with" in kept
    assert SECRET not in kept
    assert "s3cret" not in kept


def test_a_report_and_refused_rows_have_none(
    talkative: type[Talkative], checked: Checked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is named by its database alone, where its rows are told apart."""
    monkeypatch.setattr(talkative, "file", str(tmp_path / "cloud.db"))
    rows = made_rows()
    rows[0]["Months"] = "soon"
    with sqlite3.connect(tmp_path / "cloud.db") as cloud:
        pd.DataFrame(rows).to_sql("customers", cloud, index=False)
    url = "talkative://h/d?password=${CHURN_TEST_SECRET}"
    report = checked(by_query(url, "SELECT * FROM customers"))
    [table] = report.tables
    assert (table.refused, table.files[0].name) == (1, "talkative://h/d")
    assert table.refused_file is not None
    assert "talkative://h/d:1" in table.refused_file.read_text(encoding="utf-8")
    assert "s3cret" not in json.dumps(report.as_json()) + table.refused_file.read_text()


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("s3:cr@et:w", "port is no number"),
        ("s3c@et", "host has an @"),
        ("s3c@ret/w0rd", "database has an @"),
        ("s3c@r/et?w0rd", "query has an @"),
        ("s3c@ret?w0rd", "query has an @"),
    ],
)
def test_a_password_that_is_not_encoded_is_not_shown_as_a_host(
    password: str, said: str, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the customers' table and of the ledger; the first was a traceback with its end."""
    monkeypatch.setenv("CHURN_TEST_SECRET", password)
    url = "postgresql+psycopg2://u:${CHURN_TEST_SECRET}@h/d"
    for kind, ask in ((DataError, lambda: checked(by_query(url, "SELECT 1"))),
                      (LedgerError, lambda: Ledger(url))):  # fmt: skip
        with pytest.raises(kind, match=rf"can't be used: its {said}.* write @ as %40") as error:
            ask()
        assert password.rpartition("@")[2] + "@" not in recorded(error.value)
        assert password not in recorded(error.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:////home/a@b/c.db", "sqlite:////home/a%40b/c.db"),
        ("postgresql://u:s3?c=ret@h/d?options=a@b", "postgresql://u:***@h/d"),
        ("postgresql://u@h/d?options=a@b", "postgresql://u@h/d"),
    ],
)
def test_an_at_sign_that_ends_no_password_may_stand(url: str, said: str) -> None:
    """In a file's path, and in an option."""
    assert shown(database_url(url)) == said


def test_a_ledger_s_error_has_none(talkative: type[Talkative]) -> None:
    """Nor have its causes a row's values: Dagster's records of a plan's run keep these."""
    ledger = Ledger("postgresql+psycopg2://u@h/d?token=${CHURN_TEST_SECRET}")
    values = {"customer_id": "C-of-nobody"}
    refused = sqlalchemy.exc.OperationalError("INSERT", values, OSError(f"token {SECRET}"))
    with pytest.raises(LedgerError, match=r"token \*\*\*$") as error, ledger._told():
        raise refused
    assert "s3cret" not in recorded(error.value)
    assert "C-of-nobody" not in recorded(error.value)


def test_an_option_that_a_dialect_refuses_is_a_line_without_it(
    checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: it was a traceback with the option's value."""
    monkeypatch.setenv("CHURN_TEST_SECRET", "s3cret")
    url = "sqlite:///x.db?timeout=${CHURN_TEST_SECRET}"
    for kind, ask in ((DataError, lambda: checked(by_query(url, "SELECT 1"))),
                      (LedgerError, lambda: Ledger(url))):  # fmt: skip
        with pytest.raises(kind, match=r"can't be used: could not convert .*'\*\*\*'") as error:
            ask()
        assert "s3cret" not in recorded(error.value)


@pytest.mark.parametrize(
    ("url", "said", "hidden"),
    [
        ("u:a%2Bb%40c@h/d", "u:a+b%40c@h/d", "u:***@h/d"),  # as SQLAlchemy writes it
        ("u:pa%20ss%40w@h/d", "u:pa ss%40w@h/d", "u:***@h/d"),
        ("u:p%40ss!w%2Fo@h/d", "of u:p%40ss!w%2Fo@h/d", "of u:***@h/d"),  # as it was typed
        ("u:p%40ss%2Fw@h/d", "u:p%40ss%2fw@h/d", "u:***@h/d"),
        ("h/d?token=a/b%2Bc", "h/d?token=a/b%2Bc", "h/d?token=***"),
        ("h/d?o=D%3Dx;PWD=q/w%2Be", "h/d?o=D%3Dx;PWD=q/w%2Be", "h/d?o=***"),
        ("u:it%27s%22%5Cso@h/d", repr(["it's\"\\so"]), "['***']"),
        ("u:it%27s%22%5Cso@h/d", json.dumps(["it's\"\\so"]), '["***"]'),
        ("u:%C3%BCber@h/d", json.dumps(["\u00fcber"]), '["***"]'),
    ],
)
def test_a_secret_is_hidden_in_whichever_way_it_is_spelled(
    url: str, said: str, hidden: str
) -> None:
    """A URL's parts may be encoded or not, by each program as it likes."""
    assert without_secrets(said, sqlalchemy.make_url(f"postgresql://{url}")) == hidden


def test_where_the_database_is_stays_in_a_message() -> None:
    """The folder of a socket tells what is wrong; an option's value within a word is none."""
    url = sqlalchemy.make_url("postgresql://u@/d?host=/run/pg&sslmode=on")
    assert without_secrets("no  socket /run/pg: connection of u, ssl on", url) == (
        "no socket /run/pg: connection of u, ssl ***"
    )
