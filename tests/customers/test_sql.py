"""A table by a query, from a real PostgreSQL that these tests start (Debian: `postgresql`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
import sqlalchemy
from google.auth.exceptions import DefaultCredentialsError
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from churn_assets.datasets.errors import DataError
from tests.customers.conftest import CONTRACT, Checked, made_rows
from tests.postgres import PASSWORD, running_postgres


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a running PostgreSQL with the password in a variable, reached by a socket."""
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="module")
def customers(database: str) -> str:
    """A database with a typed table of customers; its URL as a contract has it."""
    url = database.replace("${CHURN_TEST_PASSWORD}", PASSWORD)
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            sqlalchemy.text(
                'CREATE TABLE customers ("Account" TEXT, "Plan" TEXT, "Months" INT, '
                '"Monthly Fee" NUMERIC(8, 2), "Calls" DOUBLE PRECISION, "Paperless" BOOLEAN, '
                '"Cancelled" TEXT, since DATE)'
            )
        )
        insert = sqlalchemy.text(
            "INSERT INTO customers VALUES (:Account, :Plan, :Months, :fee, :Calls, :Paperless, "
            ":Cancelled, '2024-02-29')"
        )
        for row in made_rows():
            typed = {**row, "fee": row["Monthly Fee"], "Calls": row["Calls"] or None}
            typed["Paperless"] = row["Paperless"] == "yes"  # type: ignore[assignment]
            connection.execute(insert, typed)
    engine.dispose()
    return database


def by_query(url: str, query: str) -> str:
    """The contract of the small company, whose history is a query."""
    table = f"{{sql: {{url: '{url}', query: '{query}'}}}}"
    return CONTRACT.replace("{path: history.csv}", table)


def test_a_query_is_a_table(
    customers: str, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers, floats with gaps, truths and dates come out as in the CSV."""
    monkeypatch.setenv("CHURN_TEST_PASSWORD", PASSWORD)
    report = checked(by_query(customers, "SELECT * FROM customers"))
    assert report.problems == []
    table = report.tables[0]
    assert (table.used, table.unmentioned) == (400, ("since",))
    assert table.positives == sum(row["Cancelled"] == "yes" for row in made_rows())
    assert PASSWORD not in table.files[0].name


def test_text_of_a_query_is_read_by_its_own_marks(
    customers: str, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column of text holds 34,90, beside numbers that are typed."""
    monkeypatch.setenv("CHURN_TEST_PASSWORD", PASSWORD)
    fee = "replace(CAST(\"Monthly Fee\" AS TEXT), ''.'', '','') AS fee"
    contract = by_query(customers, f"SELECT *, {fee}, random() AS share FROM customers")  # noqa: S608
    features = "  share: {kind: number, range: [0, 1]}\n  Plan:"
    contract = contract.replace("  Plan:", features).replace("monthly: Monthly Fee", "monthly: fee")
    report = checked(contract.replace("\n  Monthly Fee:", "\n  fee:"))
    assert (report.problems, report.tables[0].used) == ([], 400)
    assert report.tables[0].files[0].written == "text with decimal ','"


def test_a_start_date_is_a_tenure(
    customers: str, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typed date is read as one."""
    monkeypatch.setenv("CHURN_TEST_PASSWORD", PASSWORD)
    contract = by_query(customers, "SELECT * FROM customers")
    report = checked(contract.replace("{months: Months}", "{since: since}"))
    assert report.problems == []


def test_a_time_with_its_zone_is_a_date(
    customers: str, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's usual type of a time."""
    monkeypatch.setenv("CHURN_TEST_PASSWORD", PASSWORD)
    query = "SELECT *, TIMESTAMPTZ ''2024-02-29 08:15:00.25+02'' AS began FROM customers"
    report = checked(by_query(customers, query).replace("{months: Months}", "{since: began}"))
    assert report.problems == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT * FROM nobody", 'relation "nobody" does not exist'),
        ("SELECT * FROM customers WHERE false", "the query gives no rows"),
    ],
)
def test_what_the_database_refuses_is_said_without_the_password(
    query: str, said: str, customers: str, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the database's own words."""
    monkeypatch.setenv("CHURN_TEST_PASSWORD", PASSWORD)
    with pytest.raises(DataError, match=said) as error:
        checked(by_query(customers, query))
    assert PASSWORD not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_password_and_a_missing_variable(
    customers: str, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each says what is wrong, neither what was tried."""
    contract = by_query(customers, "SELECT * FROM customers")
    with pytest.raises(DataError, match="names the variable CHURN_TEST_PASSWORD, which is not set"):
        checked(contract)
    monkeypatch.setenv("CHURN_TEST_PASSWORD", "another-secret")
    with pytest.raises(DataError, match="password authentication failed") as error:
        checked(contract)
    assert "another-secret" not in str(error.value)


def test_a_driver_that_is_not_here_is_named(checked: Checked) -> None:
    """BigQuery is reached by a package of its own, which the message says how to get."""
    with pytest.raises(DataError, match="no driver for bigquery:// here; pip install sqlalchemy-b"):
        checked(by_query("bigquery://project/data", "SELECT 1"))


class FakeBigQuery(SQLiteDialect_pysqlite):
    """Google's driver as SQLAlchemy sees it, with a file here for the cloud."""

    supports_statement_cache = True
    asked: ClassVar[list[sqlalchemy.URL]] = []
    file = ""

    def create_connect_args(self, url: sqlalchemy.URL) -> tuple[list[str], dict[str, Any]]:
        self.asked.append(url)
        if not self.file:
            raise DefaultCredentialsError("Your default credentials were not found.")
        return [self.file], {}


@pytest.fixture
def bigquery(monkeypatch: pytest.MonkeyPatch) -> type[FakeBigQuery]:
    """A driver that is installed, and the addresses that it was given."""
    monkeypatch.setitem(sqlalchemy.dialects.registry.impls, "bigquery", lambda: FakeBigQuery)
    monkeypatch.setattr(FakeBigQuery, "asked", [])
    return FakeBigQuery


def test_big_query_is_asked_by_its_driver(
    bigquery: type[FakeBigQuery], checked: Checked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Project, data set and options arrive as they stand; its rows are a table like any other."""
    monkeypatch.setattr(bigquery, "file", str(tmp_path / "cloud.db"))
    with sqlite3.connect(tmp_path / "cloud.db") as cloud:
        pd.DataFrame(made_rows()).to_sql("customers", cloud, index=False)
    url = "bigquery://my-project/crm?location=EU"
    report = checked(by_query(url, "SELECT * FROM customers"))
    assert (report.problems, report.tables[0].used) == ([], 400)
    [asked] = bigquery.asked
    assert asked.render_as_string() == url


def test_who_may_not_ask_is_told_in_a_line(bigquery: type[FakeBigQuery], checked: Checked) -> None:
    """Credentials are looked for by the driver, whose errors are none of SQLAlchemy's."""
    with pytest.raises(DataError, match="bigquery://project: Your default credentials were not f"):
        checked(by_query("bigquery://project", "SELECT 1"))


@pytest.mark.parametrize("url", ["nonsense", "oracle9://host/db"])
def test_a_url_that_is_none(url: str, checked: Checked) -> None:
    """A typing error is no traceback."""
    with pytest.raises(DataError, match=r"sql\.url can't be used"):
        checked(by_query(url, "SELECT 1"))
