"""`churn customers inspect` of several files: parts of one table, or tables of different things."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.customers.inspection.inspect import inspect_tables
from churn_assets.customers.reading.sources import Places
from churn_assets.datasets.errors import DataError
from tests.customers.conftest import as_csv
from tests.customers.test_keys import french
from tests.customers.test_one_word import log


def test_history_active_customers_and_a_log_are_three_tables(tmp_path: Path) -> None:
    """United, six good columns leaked: they were missing for all customers of another table."""
    history = [row | {"Date d'extraction": "2026-01-31"} for row in french("N° abonné")]
    for number, row in enumerate(history):
        left = row.pop("Résilié") == "oui"
        row["Date de résiliation"] = f"2025-12-{number % 28 + 1:02d}" if left else ""
    active = [row | {"Prénom": "Anna"} for row in french("N° abonné")]
    for row in active:
        del row["Résilié"]
    tables = {"histo.csv": history, "actifs.csv": active, "envois.csv": log()}
    for name, rows in tables.items():
        (tmp_path / name).write_text(as_csv(rows, ";"), encoding="utf-8")
    with pytest.raises(DataError) as error:
        inspect_tables([*tables], Places(tmp_path, tmp_path))
    assert str(error.value) == (
        "these are 3 different tables (histo.csv: a history, Date de résiliation says who "
        "left; actifs.csv: customers of whom no column says who left, as the active ones; "
        "envois.csv: the log of a campaign, Réponse says what came of Remise). Inspect each by "
        "itself, each with its --out, and put what was found into one contract: tables.history, "
        "tables.active, campaign.table"
    )


def test_a_list_of_who_left_is_joined_first(tmp_path: Path) -> None:
    """It has nothing to learn from, and was called a history."""
    rows = french("N° abonné")
    for row in rows:
        del row["Résilié"]
    gone = [{"N° abonné": row["N° abonné"], "Résilié le": "2025-12-03"} for row in rows[:50]]
    (tmp_path / "clients.csv").write_text(as_csv(rows, ";"), encoding="utf-8")
    (tmp_path / "departs.csv").write_text(as_csv(gone, ";"), encoding="utf-8")
    with pytest.raises(DataError) as error:
        inspect_tables(["clients.csv", "departs.csv"], Places(tmp_path, tmp_path))
    assert (
        "departs.csv: a list of who left, by Résilié le: first join it to its customers "
        "(docs/own-data.md, One table of today)" in str(error.value)
    )


def test_a_column_that_came_later_is_of_the_same_table(tmp_path: Path) -> None:
    rows = french("N° abonné")
    later = [row | {"Fibre": "oui"} for row in rows[200:]]
    (tmp_path / "2025.csv").write_text(as_csv(rows[:200], ";"), encoding="utf-8")
    (tmp_path / "2026.csv").write_text(as_csv(later, ";"), encoding="utf-8")
    found = inspect_tables(["2025.csv", "2026.csv"], Places(tmp_path, tmp_path))
    assert (found.guesses["N° abonné"], found.guesses["Résilié"]) == ("id", "label")
