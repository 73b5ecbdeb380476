"""Predictions that fail a blocking check are never named: servers and plans don't wait for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn_assets.domain.splits import SPLITS
from churn_assets.release.scored import FILE, figures_in_range, scored_once
from churn_assets.serving.rehearsal import EngineRehearsal
from churn_assets.storage.current import current_artifact
from tests.release.test_assets import World, failure_text, instance, run, world

__all__ = ["instance", "world"]

Change = Callable[[pa.Table], pa.Table]


def with_column(name: str, value: float) -> Change:
    """The table with another value in the first row of a column."""

    def change(table: pa.Table) -> pa.Table:
        values = [value, *table[name].to_pylist()[1:]]
        place = table.column_names.index(name)
        return table.set_column(place, name, pa.array(values, table[name].type))

    return change


UNSOUND = {
    "a customer is missing": (lambda table: table.slice(1), "every_customer_is_scored_once"),
    "a customer is there twice": (
        lambda table: pa.concat_tables([table.slice(1), table.slice(1, 1)]),
        "every_customer_is_scored_once",
    ),
    "no risk": (with_column("churn_risk", float("nan")), "figures_are_finite_and_in_range"),
    "no value": (with_column("expected_value", float("inf")), "figures_are_finite_and_in_range"),
    "acceptance falls": (with_column("accept_prob_3", 1e-9), "figures_are_finite_and_in_range"),
}


@pytest.mark.parametrize("fault", UNSOUND)
def test_predictions_that_fail_a_blocking_check_are_not_named(
    world: World, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """A customer without a decision, or one by no number, reached the console and the campaign's
    plan; the run that said so was over by then. The next sound run is named again."""
    change, check = UNSOUND[fault]
    run(world, "everything", instance)
    before = current_artifact(world.store, "predictions")
    score = EngineRehearsal.score

    def score_wrongly(
        self: EngineRehearsal, release: Path, customers: Path, out: Path, *others: Any
    ) -> dict[str, Any]:
        report = score(self, release, customers, out, *others)
        pq.write_table(change(pq.read_table(out / FILE)), out / FILE)
        return report

    world.seed = 1  # another release, so that there is something to score
    with monkeypatch.context() as patched:
        patched.setattr(EngineRehearsal, "score", score_wrongly)
        result = run(world, "everything", instance, raise_on_error=False)
    assert not result.success
    assert f"{check} failed" in failure_text(result)
    assert current_artifact(world.store, "predictions") == before
    assert run(world, "score_customers", instance).success
    assert current_artifact(world.store, "predictions") != before


def test_counts_are_those_of_sets(tmp_path: Path) -> None:
    """Nobody among no customers, one of several, a stranger, one twice: as sets and lengths say."""
    ids: dict[str, list[str]] = {"none": [], "all": ["a", "b", "c"]}
    for name, known in ids.items():
        (tmp_path / name).mkdir()
        for split, own in zip(SPLITS, [known[:1], known[1:2], known[2:]], strict=True):
            table = pa.table({"customer_id": pa.array(own, pa.large_string())})
            pq.write_table(table, tmp_path / name / f"{split}.parquet")
    for scored in ([], ["a"], ["c", "b", "a"], ["a", "b", "d"], ["a", "b", "c", "c"]):
        pq.write_table(pa.table({"customer_id": pa.array(scored, pa.string())}), tmp_path / FILE)
        for name, known in ids.items():
            found = scored_once(tmp_path, tmp_path / name)
            assert found.passed == (sorted(scored) == known), (scored, name)
            assert found.figures == {"scored": len(scored), "customers": len(known)}


def test_a_probability_of_acceptance_may_not_be_certain(tmp_path: Path) -> None:
    row = {"churn_risk": 0.0, "estimated_retention_prob": 1.0, "action_probability": 0.5}
    row |= {f"accept_prob_{level}": 0.2 for level in range(4)} | {"expected_value": -1.0}
    table = pa.table({name: [value] for name, value in row.items()})
    pq.write_table(table, tmp_path / FILE)
    assert figures_in_range(tmp_path).passed
    for level in range(4):
        pq.write_table(with_column(f"accept_prob_{level}", 1.0)(table), tmp_path / FILE)
        assert figures_in_range(tmp_path).figures["outside_0_1"] == 1
