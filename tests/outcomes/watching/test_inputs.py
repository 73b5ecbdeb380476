"""Drift: told where there is some, and not told of large tables that differ by chance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churn_assets.customers.tables import STAYERS, TAKEN_FROM
from churn_assets.outcomes.watching import inputs


def customers(seed: int, count: int, dearer: float = 0.0, monthly: float = 0.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "customer_id": [f"{seed}-{i}" for i in range(count)],
            "monthly_charges": rng.normal(60 + dearer, 15, count),
            "tenure": rng.integers(0, 72, count),
            "partner": rng.random(count) < 0.5,
            "contract": np.where(rng.random(count) < monthly, "monthly", "yearly"),
            "churn": rng.random(count) < 0.2,
        }
    )


def folder(path: Path, table: pd.DataFrame, **about: str) -> Path:
    path.mkdir()
    (path / "dataset.json").write_text(json.dumps(about))
    half = len(table) // 2
    table.iloc[:half].to_parquet(path / "train.parquet")
    table.iloc[half:].to_parquet(path / "test.parquet")
    return path


def compared(tmp_path: Path, before: pd.DataFrame, now: pd.DataFrame) -> inputs.Finding:
    return inputs.customers_drift(folder(tmp_path / "a", before), folder(tmp_path / "b", now))


def test_a_change_is_told_with_its_columns(tmp_path: Path) -> None:
    found = compared(tmp_path, customers(1, 3_000), customers(2, 3_000, dearer=25, monthly=0.2))
    assert found.state == "error"
    assert found.figures["moved"] == ["monthly_charges", "contract"]
    assert found.figures["auc"] > 0.85
    assert "monthly_charges" in found.sentence


@pytest.mark.parametrize("count", [250, 60_000])
def test_chance_is_no_drift_however_many_rows(tmp_path: Path, count: int) -> None:
    """Of few rows the index is large by chance; of many, a p-value would call anything a change: a
    shift of a fiftieth of the spread is none that matters."""
    found = compared(tmp_path, customers(1, count), customers(2, count, dearer=0.3))
    assert found.state == "ok"
    assert found.figures["rows_compared"] == min(count, inputs.SAMPLE)


def test_customers_who_stayed_are_no_worse_than_chance(tmp_path: Path) -> None:
    """Nine in ten of today's customers are among those learnt from, just as they were: the AUC is
    that of chance, not one far below it."""
    before = customers(1, 1_000)
    now = pd.concat([before[:900], customers(2, 100)])
    found = compared(tmp_path, before, now)
    assert found.state == "ok"
    assert 0.45 < found.figures["auc"] < 0.55


def leaving(seed: int, dearer: float = 0.0) -> pd.DataFrame:
    """One table of 4,000 customers, of whom the 60 % with the shortest contracts have left."""
    table = customers(seed, 4_000, dearer, monthly=0.7)
    rng = np.random.default_rng(seed)
    monthly = table["contract"] == "monthly"
    return table.assign(churn=rng.random(4_000) < np.where(monthly, 0.8, 0.13))


def test_leavers_who_differ_are_no_drift(tmp_path: Path) -> None:
    """Today's customers are those of the one table who stayed, with whom they are compared: those
    of then where the release learnt from an earlier one."""
    history = leaving(1)
    assert history["churn"].mean() == pytest.approx(0.6, abs=0.02)

    def found(name: str, table: pd.DataFrame, **about: str) -> inputs.Finding:
        (tmp_path / name).mkdir()
        stayed = table[~table["churn"]].drop(columns="churn")
        active = folder(tmp_path / name / "active", stayed, **about)
        return inputs.customers_drift(folder(tmp_path / name / "history", history), active)

    stayers = {TAKEN_FROM: STAYERS}
    assert found("the same", history, **stayers).state == "ok"
    assert found("others alike", leaving(2), **stayers).state == "ok"
    assert found("dearer ones", leaving(2, dearer=25), **stayers).state == "error"
    assert found("a table of their own", history).state == "error"


def test_a_later_day_alone_is_no_drift(tmp_path: Path) -> None:
    """Today's rows are of the last snapshot, the history's of all of them."""
    days = pd.date_range("2026-01-31", periods=6, freq="ME")
    before = customers(1, 1_200).assign(snapshot=np.repeat(days, 200))
    now = customers(2, 600).assign(snapshot=days[-1])
    found = compared(tmp_path, before, now)
    assert found.state == "ok"
    assert "snapshot" not in found.figures["psi"]


def test_the_same_customers_who_have_changed_are_told(tmp_path: Path) -> None:
    """Their ids alone don't say that they are as they were."""
    before = customers(1, 3_000)
    now = before.assign(monthly_charges=before["monthly_charges"] + 30)
    assert compared(tmp_path, before, now).figures["moved"] == ["monthly_charges"]


def test_columns_going_together_otherwise_are_told(tmp_path: Path) -> None:
    """Each column is as it was; only a classifier can see it."""
    before, now = customers(1, 3_000), customers(2, 3_000)
    now["tenure"] = np.sort(now["tenure"])
    now["monthly_charges"] = np.sort(now["monthly_charges"])
    found = compared(tmp_path, before, now)
    assert found.figures["moved"] == []
    assert found.state == "error"
    assert "go together" in found.sentence


@pytest.mark.parametrize("dearer", [0.0, 25.0])
@pytest.mark.parametrize("turned", [False, True])
def test_a_column_of_another_kind_is_named_and_the_others_are_compared(
    tmp_path: Path, dearer: float, turned: bool
) -> None:
    """The contract calls a number words from today on, or words a number: the release in service
    has learnt from the other kind, and until another serves the report has to come all the same."""
    before, now = customers(1, 1_000), customers(2, 1_000, dearer)
    now["tenure"] = [f"band {months // 12}" for months in now["tenure"]]
    found = compared(tmp_path, *((now, before) if turned else (before, now)))
    assert found.state == ("error" if dearer else "warn")
    assert found.figures["of_another_kind"] == ["tenure"]
    assert "tenure" not in found.figures["psi"]
    assert ("monthly_charges" in found.figures["moved"]) is bool(dearer)
    kinds = "words then, numbers now" if turned else "numbers then, words now"
    assert f"tenure ({kinds})" in found.sentence


def test_tables_without_a_column_in_common_are_not_compared(tmp_path: Path) -> None:
    before = customers(1, 300)[["customer_id", "tenure", "churn"]]
    found = compared(tmp_path, before, before.assign(tenure="long"))
    assert found.state == "unknown"


def test_the_same_report_twice(tmp_path: Path) -> None:
    """The subsample is fixed."""
    before, now = customers(1, 5_000), customers(2, 5_000, dearer=5)
    one, two = (tmp_path / name for name in "xy")
    one.mkdir()
    two.mkdir()
    assert compared(one, before, now) == compared(two, before, now)


def test_the_same_customers_and_too_few(tmp_path: Path) -> None:
    same = customers(1, 1_000)
    found = compared(tmp_path, same, same)
    assert (found.state, "those that the models learnt from" in found.sentence) == ("ok", True)
    few = inputs.customers_drift(
        folder(tmp_path / "c", customers(1, 50)), folder(tmp_path / "d", customers(2, 5_000))
    )
    assert few.state == "unknown"


def scores(seed: int, count: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    risk = 1 / (1 + np.exp(-rng.normal(-1 + shift, 1, count)))
    return pd.DataFrame({"churn_risk": risk} | {f"accept_prob_{k}": 1 - risk for k in range(4)})


def test_scores() -> None:
    assert inputs.scores_drift(scores(1, 1_000), scores(2, 900)).state == "ok"
    moved = inputs.scores_drift(scores(1, 1_000), scores(2, 900, shift=1.0))
    assert moved.state in ("warn", "error")
    assert "churn_risk" in moved.figures["moved"]
    assert inputs.scores_drift(scores(1, 1_000), scores(2, 10)).state == "unknown"
