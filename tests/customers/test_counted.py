"""A table that was exported by half: who is missing is told, by every way that somebody looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from churn_assets.cli.customers.commands import app
from churn_assets.customers.counted import ACTIVE, HISTORY, fall_of, fewer, note
from churn_assets.outcomes.watching.inputs import customers_counted
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactError
from tests.customers.conftest import as_csv, made_rows
from tests.customers.test_own_assets import company as company
from tests.customers.test_own_assets import run

NOW = datetime(2027, 3, 1, 6, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> LocalArtifactStore:
    return LocalArtifactStore(tmp_path / "home" / "store")


def counted(store: LocalArtifactStore, *rows: int, days: float = 1.0) -> None:
    """Count a table so, once every so many days, the last time now."""
    for number, each in enumerate(rows):
        note(store, ACTIVE, "small", each, NOW - timedelta(days=days * (len(rows) - 1 - number)))


def test_a_half_is_told_until_it_is_mended(store: LocalArtifactStore) -> None:
    """Against the most of the last days: the night after, the broken table is no longer news to
    its own last count."""
    counted(store, 10_340, 10_350, 5_012, 5_012)
    assert fall_of(store, ACTIVE) == (5_012, 10_350, "2027-02-27")
    said = fewer(store, ACTIVE)
    assert said is not None
    assert said.startswith("Only 5,012 customers are active, and 10,350 were on 2027-02-27.")
    finding = customers_counted(store)
    assert (finding.state, finding.figures["most"]) == ("warn", 10_350)
    note(store, ACTIVE, "small", 10_341, NOW + timedelta(hours=3))
    assert fall_of(store, ACTIVE) is None
    assert customers_counted(store).state == "ok"


def test_who_leaves_in_a_day_is_no_broken_table(store: LocalArtifactStore) -> None:
    """A tenth, and 20: one fewer than either isn't told."""
    counted(store, 1_000, 901)
    assert fall_of(store, ACTIVE) is None
    counted(store, 1_000, 900)
    assert fall_of(store, ACTIVE) is not None
    note(store, HISTORY, "small", 60, NOW)
    note(store, HISTORY, "small", 41, NOW)
    assert fall_of(store, HISTORY) is None
    note(store, HISTORY, "small", 40, NOW)
    assert fall_of(store, HISTORY) is not None


def test_a_company_that_shrinks_slowly_is_not_told_so_for_ever(store: LocalArtifactStore) -> None:
    """1 % fewer every week: within 30 days that is no tenth."""
    counted(store, *(round(10_000 * 0.99**week) for week in range(40)), days=7)
    assert fall_of(store, ACTIVE) is None


def test_a_table_that_is_read_rarely_is_held_against_the_last_time(
    store: LocalArtifactStore,
) -> None:
    """However long ago that was."""
    counted(store, 1_000, 500, days=90)
    assert fall_of(store, ACTIVE) == (500, 1_000, "2026-12-01")


def test_before_there_is_anything_to_compare_nothing_is_said(store: LocalArtifactStore) -> None:
    """Nor of another contract's customers, who are others."""
    assert customers_counted(store).state == "unknown"
    note(store, ACTIVE, "large", 1_000, NOW)
    assert customers_counted(store).state == "unknown"
    note(store, ACTIVE, "small", 10, NOW)
    assert fewer(store, ACTIVE) is None
    assert customers_counted(store).state == "unknown"


def test_counts_by_another_hand_are_one_line(store: LocalArtifactStore) -> None:
    """Not taken for no counts: that would hide what it is there for."""
    note(store, ACTIVE, "small", 10, NOW)
    store.write_pointer("counted/active_customers", b"{")
    with pytest.raises(ArtifactError, match=r"active_customers is damaged: .*remove it"):
        note(store, ACTIVE, "small", 10, NOW)


def warned(result: dg.ExecuteInProcessResult) -> dict[str, str | None]:
    return {
        found.check_name: found.description
        for found in result.get_asset_check_evaluations()
        if not found.passed
    }


def test_the_graph_and_the_check_tell_of_a_half_exported_table(company: Path) -> None:
    """Both counts; it goes on, since some tables do get shorter."""
    first = run()
    assert first.success
    assert warned(first) == {}
    (company / "history.csv").write_text(as_csv(made_rows(300)[:200]))
    told = CliRunner().invoke(app, ["check", "--json"])
    assert "The history has only 200 rows that can be used, and had 300 on" in told.output
    second = run()
    assert second.success
    found = warned(second)
    assert set(found) == {
        "as_many_customers_are_active_as_lately",
        "the_history_is_as_long_as_lately",
    }
    active = found["as_many_customers_are_active_as_lately"]
    assert active is not None
    assert "isn't scored and not contacted" in active
