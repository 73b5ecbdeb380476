"""Refused rows of a query, as `churn customers check` shows them: no file can mend them."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from churn_assets.cli.customers.report import by_query, show_report
from churn_assets.customers.contract.model import load_contract
from tests.customers.conftest import CONTRACT, Checked, as_csv, made_rows


@pytest.fixture
def shown(tmp_path: Path, checked: Checked) -> str:
    """The report on 80 columns of a history by query and active customers in a file."""
    rows = made_rows()
    rows[2]["Months"] = "?"
    with sqlite3.connect(tmp_path / "a-database-with-a-rather-long-name.db") as database:
        pd.DataFrame(rows).to_sql("customers", database, index=False)
    active = [row | {"Account": f"B{i}"} for i, row in enumerate(made_rows(300, seed=5))]
    active[7]["Months"] = "many"
    (tmp_path / "active.csv").write_text(as_csv(active))
    url = f"sqlite:///{tmp_path}/a-database-with-a-rather-long-name.db"
    query = "{sql: {url: 'URL', query: SELECT * FROM customers}}".replace("URL", url)
    both = f"{query}\n  active: {{path: active.csv}}"
    report = checked(CONTRACT.replace("{path: history.csv}", both))
    out = io.StringIO()
    agreed = load_contract(tmp_path / "customers.yaml")
    assert by_query(agreed) == {"history"}
    show_report(report, Path("customers.yaml"), Console(width=80, file=out), by_query(agreed))
    return out.getvalue()


def test_the_row_of_a_query_is_named_and_where_it_can_be_mended(shown: str) -> None:
    """The URL filled the cell, without the row; and "needs either path or sql" refused the path
    that it was told to name."""
    history, active = shown.split("active: 300 rows")
    assert "history:3 '?'" in history
    assert "history.refused.csv shows them. They come from a query: mend them in the" in history
    assert "(history's sql)" in history
    assert "path" not in history.split("history.refused.csv")[1]
    assert "active.csv:8 'many'" in active
    assert "name that file in the table's path as well" in active
    assert "Of words that are meant" not in history + active  # they are no numbers


def test_words_that_are_meant_are_mended_in_the_contract(checked: Checked, tmp_path: Path) -> None:
    """One word of many rows was to be mended in each row."""
    rows = [row | {"Plan": row["Plan"].replace("Plus", "Plus 2026")} for row in made_rows()]
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report, out = checked(), io.StringIO()
    show_report(report, Path("customers.yaml"), Console(width=80, file=out))
    assert "`aliases` of the feature ({new name: level})" in out.getvalue()


def test_a_log_of_the_history_s_is_by_query_as_that_is(tmp_path: Path) -> None:
    """A campaign without a table of its own has the history's rows."""
    log = """campaign:
  offer: {column: Rebate, levels: {none: 0, a: 5, b: 10, c: 15}}
  outcome: {column: Said, yes: yes}
  features: {Plan: {kind: category, levels: [Basic, Plus, Max]}}
"""
    query = "{sql: {url: 'sqlite://', query: SELECT 1}}"
    (tmp_path / "customers.yaml").write_text(CONTRACT.replace("{path: history.csv}", query) + log)
    assert by_query(load_contract(tmp_path / "customers.yaml")) == {"history", "campaign"}
