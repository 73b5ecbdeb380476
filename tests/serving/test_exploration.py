"""Served decisions that explore: the same answer for the same question, true probabilities, and a
log from which other policies' worth can be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn_assets.domain.experiment import CONTROL, ExperimentConfig, group_of
from churn_assets.release.config import ReleaseConfig, ScoringConfig
from churn_assets.serving.bulk.scoring import run
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.schemas import PredictRequest
from tests.release.small_release import made_up_rows
from tests.serving.kept import Kept

NOW = datetime(2026, 1, 12, 12, tzinfo=UTC)
RUNNING = ExperimentConfig(enabled=True, control_share=0.1, exploration=0.2)
FAST: dict[str, Any] = {"with_message": False, "explain": False}


def requests(count: int) -> list[PredictRequest]:
    """Customers without a history."""
    rows = made_up_rows(count, seed=3)
    return [PredictRequest.model_validate({"name": "Sam", **row}) for row in rows]


def option_of(answer: dict[str, Any]) -> int:
    """0 for no contact, 1..4 for the offers."""
    decision: dict[str, Any] = answer["decision"]
    return int(decision["offer_level"]) + 1 if decision["contact"] else 0


def test_a_fifth_of_the_decisions_is_the_second_choice(engine: RetentionEngine) -> None:
    """As many as the setting says, with the probability in answer and log; and what is logged is
    what was answered."""
    asked, sink = requests(3_000), Kept()
    plain = engine.predict_many(asked, now=NOW, **FAST)
    answers = engine.predict_many(asked, now=NOW, experiment=RUNNING, decisions=sink, **FAST)
    tried = 0
    for request, before, answer, row in zip(asked, plain, answers, sink.rows(), strict=True):
        option, probability = option_of(answer), answer["metadata"]["action_probability"]
        assert row["propensity"] == pytest.approx(probability)
        assert row["preferred"] == option_of(before)
        assert row["exploration"] == 0.2
        chosen = [a for a in answer["metadata"]["alternatives"] if a["chosen"]]
        assert len(chosen) == 1
        if group_of(request.customer_id, RUNNING, NOW) == CONTROL:
            assert (option, probability) == (0, 1.0)
        elif option == row["preferred"]:
            assert probability == 0.8
        else:
            assert (option, probability) == (row["runner_up"], 0.2)
            tried += 1
    treated = sum(row["group"] != CONTROL for row in sink.rows())
    assert abs(tried - 0.2 * treated) < 4 * np.sqrt(treated * 0.2 * 0.8)


def test_who_asks_twice_gets_the_same_answer(engine: RetentionEngine) -> None:
    """One by one, together, and later on the same day; on another day others are drawn."""
    asked = requests(200)
    morning = NOW.replace(hour=0, minute=5)
    together = engine.predict_many(asked, now=morning, experiment=RUNNING, **FAST)
    evening = morning.replace(hour=23)
    alone = [engine.predict(r, now=evening, experiment=RUNNING, **FAST) for r in asked]
    assert [a["decision"] for a in alone] == [a["decision"] for a in together]
    tomorrow = morning + timedelta(days=1)
    later = engine.predict_many(asked, now=tomorrow, experiment=RUNNING, **FAST)
    assert [a["decision"] for a in later] != [a["decision"] for a in together]


@pytest.mark.parametrize(
    "off", [None, RUNNING.model_copy(update={"enabled": False}), ExperimentConfig()]
)
def test_nothing_is_tried_unless_an_experiment_runs(
    engine: RetentionEngine, off: ExperimentConfig | None
) -> None:
    """The specification's sample is answered as written."""
    asked = requests(200)
    assert engine.predict_many(asked, now=NOW, experiment=off) == engine.predict_many(
        asked, now=NOW
    )


def test_exploration_can_be_switched_off_alone(engine: RetentionEngine) -> None:
    """A control group without it: everything is certain, and the log says that nothing explored."""
    sink = Kept()
    certain = RUNNING.model_copy(update={"exploration": 0.0})
    answers = engine.predict_many(
        requests(300), now=NOW, experiment=certain, decisions=sink, **FAST
    )
    assert {answer["metadata"]["action_probability"] for answer in answers} == {1.0}
    assert {answer["metadata"]["group"] for answer in answers} == {"treated", "control"}
    assert all(row["exploration"] is row["runner_up"] is None for row in sink.rows())


def test_the_kill_switch_tries_nothing(engine: RetentionEngine) -> None:
    """In an emergency nobody is experimented with, neither for all nor by request."""
    asked = requests(300)
    forced = engine.predict_many(asked, now=NOW, experiment=RUNNING, force_baseline=True, **FAST)
    assert {answer["metadata"]["action_probability"] for answer in forced} == {1.0}
    half = [r.model_copy(update={"force_baseline": i % 2 == 0}) for i, r in enumerate(asked)]
    sink = Kept()
    engine.predict_many(half, now=NOW, experiment=RUNNING, decisions=sink, **FAST)
    rows = sink.rows()
    assert all(row["propensity"] == 1 and row["runner_up"] is None for row in rows[::2])
    assert any(row["propensity"] == 0.2 for row in rows[1::2])


def test_who_pays_nothing_is_offered_no_discount_of_it(engine: RetentionEngine) -> None:
    """5 % of nothing is no offer, tried or not."""
    free = [r.model_copy(update={"monthly_charges": 0.0}) for r in requests(300)]
    answers = engine.predict_many(
        free, now=NOW, experiment=RUNNING.model_copy(update={"exploration": 0.25}), **FAST
    )
    assert any(answer["metadata"]["action_probability"] == 0.25 for answer in answers)
    assert not any(answer["decision"]["offer_percentage"] for answer in answers)


def test_nightly_predictions_try_what_the_api_tries(
    bundle: Path, engine: RetentionEngine, tmp_path: Path
) -> None:
    """The list of the morning and the API must agree about whom something is tried with."""
    rows, table = made_up_rows(300, seed=3), tmp_path / "customers"
    table.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), table / "all.parquet")
    begun = datetime.now(UTC)
    config = ScoringConfig.of(ReleaseConfig(), force_baseline=False, experiment=RUNNING)
    run({"release": bundle, "active_customers": table}, tmp_path, config)
    scored = pq.read_table(tmp_path / "predictions.parquet").to_pylist()
    found = [(r["contact"], r["offer_level"], r["action_probability"]) for r in scored]
    assert any(probability == 0.2 for _, _, probability in found)
    asked: list[list[tuple[Any, ...]]] = []
    for when in (begun, datetime.now(UTC)):  # midnight may have come in between
        answers = engine.predict_many(requests(300), now=when, experiment=RUNNING, **FAST)
        decided = [(a["decision"], a["metadata"]["action_probability"]) for a in answers]
        asked.append([(d["contact"], d["offer_level"], p) for d, p in decided])
    assert found in asked
