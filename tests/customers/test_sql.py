"""A table by a query, from a real PostgreSQL that these tests start (Debian: `postgresql`)."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from churn_assets.datasets.errors import DataError
from tests.customers.conftest import CONTRACT, Checked, made_rows

PASSWORD = "p4ssw0rd-of-nobody"


def _programs() -> Path:
    """The newest PostgreSQL's folder of programs; skips where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    return found[-1].parent


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a running PostgreSQL with the password in a variable, reached by a socket."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="churn-pg-"))
    prefix: list[str] = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("no user postgres to run PostgreSQL as: apt-get install postgresql")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        prefix = ["runuser", "-u", "postgres", "--"]
    data = folder / "data"
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)

    def run(name: str, *arguments: str) -> None:
        # Its output to a file: the server keeps it open as long as it lives.
        with (folder.parent / f"{folder.name}.log").open("ab") as log:
            subprocess.run(
                [*prefix, str(programs / name), *arguments],
                check=True, stdout=log, stderr=log, cwd="/",
            )  # fmt: skip

    try:
        given = ["-U", "churn", "--pwfile", str(secret), "-A", "scram-sha-256", "-E", "UTF8"]
        run("initdb", "-D", str(data), "--no-sync", *given)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-D", str(data), "-w", "-o", options, "start")
        yield f"postgresql+psycopg2://churn:${{CHURN_TEST_PASSWORD}}@/postgres?host={folder}"
    finally:
        if (data / "postmaster.pid").exists():
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


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


def test_a_start_date_is_a_tenure(
    customers: str, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typed date is read as one."""
    monkeypatch.setenv("CHURN_TEST_PASSWORD", PASSWORD)
    contract = by_query(customers, "SELECT * FROM customers")
    report = checked(contract.replace("{months: Months}", "{since: since}"))
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


@pytest.mark.parametrize("url", ["nonsense", "oracle9://host/db"])
def test_a_url_that_is_none(url: str, checked: Checked) -> None:
    """A typing error is no traceback."""
    with pytest.raises(DataError, match=r"sql\.url can't be used"):
        checked(by_query(url, "SELECT 1"))
