"""Intervals and floors of figures count people: somebody's several rows tell much the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from checks.own_campaign import OWN_ACCEPT_GATES
from churn_assets.datasets.tables import write_parquet
from churn_assets.domain.splits import SPLITS
from churn_assets.domain.statistics import interval, sigmoid
from churn_assets.predictors.config import AcceptConfig
from churn_assets.predictors.training import accept, risk
from churn_assets.predictors.training.accept_evaluation import discrimination, offer_curve
from churn_assets.predictors.training.metrics import (
    auc,
    auc_effects,
    auc_error,
    bootstrap_auc,
    error_of_sum,
)
from churn_assets.predictors.training.own.calibration import calibration_by_mass
from churn_assets.predictors.training.own.in_time import later, within_snapshots
from tests.predictors.test_campaign_log import log
from tests.predictors.test_own_risk import FAST, SCHEMA, customers

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Several:
    """Rows (N,): whose, which snapshot's or contact's, the exact probability, what happened."""

    whose: NDArray[np.int64]
    turn: NDArray[np.int64]
    exact: Floats
    labels: Floats


def snapshots(people: int, count: int, horizon: int, hazard: float, seed: int) -> Several:
    """Customers, of monthly snapshots, who leave within `horizon` months, each at a constant
    hazard."""
    rng = np.random.default_rng(seed)
    hazards = np.clip(hazard * rng.gamma(2, 0.5, people), 1e-4, 0.5)
    life = rng.exponential(1 / hazards)
    there = [np.flatnonzero(life > month) for month in range(count)]
    whose = np.concatenate(there)
    turn = np.repeat(np.arange(count), [len(those) for those in there])
    exact = 1 - np.exp(-hazards[whose] * horizon)
    return Several(whose, turn, exact, (life[whose] <= turn + horizon).astype(np.float64))


def contacts(people: int, count: int, rate: float, seed: int) -> Several:
    """Customers, each contacted `count` times, whose answers are theirs and on average right."""
    rng = np.random.default_rng(seed)
    exact = np.clip(rate * rng.lognormal(0, 0.5, people), 0.002, 0.9)
    whose, turn = np.divmod(np.arange(people * count), count)
    answers = rng.random(len(whose)) < rng.beta(exact, 1 - exact)[whose]
    return Several(whose, turn, exact[whose], answers.astype(np.float64))


def test_the_interval_of_useless_scores_holds_chance_as_often_as_promised() -> None:
    """A year's monthly snapshots of who leaves within it are one event: by row most
    intervals lay beside 0.5, and a model without use passed for one that ranks."""
    beside = {"by row": 0, "by customer": 0}
    for seed in range(40):
        rows = snapshots(600, 24, 12, 0.01, seed)
        score = np.random.default_rng(100 + seed).random(600)[rows.whose]
        for name, whose in (("by row", None), ("by customer", rows.whose)):
            low, high = interval(bootstrap_auc(rows.labels, [score], 100, 1, whose)[:, 0])
            beside[name] += not low <= 0.5 <= high
    assert beside["by row"] >= 20
    assert beside["by customer"] <= 5  # of 40, of which 5 % are promised


def away(rows: Several, seed: int, whose: NDArray[np.int64] | None) -> float:
    """Of exact probabilities: by how many standard errors they are off beyond chance."""
    found = calibration_by_mass(rows.labels, rows.exact, seed, whose)
    return (found["ece"] - found["floor"]) / found["error"]


@pytest.mark.parametrize(
    ("people", "count", "horizon", "hazard"), [(800, 24, 12, 0.01), (800, 12, 3, 0.02)]
)
def test_exact_probabilities_are_off_by_chance_alone(
    people: int, count: int, horizon: int, hazard: float
) -> None:
    """By row they lay up to sixteen standard errors beyond it."""
    tables = [snapshots(people, count, horizon, hazard, seed) for seed in range(12)]
    assert np.mean([away(rows, 1, None) for rows in tables]) > 1.5
    by_customer = [away(rows, 1, rows.whose) for rows in tables]
    assert abs(np.mean(by_customer)) < 0.9  # three standard errors of the mean of twelve
    assert max(by_customer) < 4


def test_a_sound_model_of_repeated_contacts_is_not_stopped() -> None:
    """300 customers with 20 contacts each, of whom 5 % accept: every fifth log stopped it."""
    [gate] = [g for g in OWN_ACCEPT_GATES if g.name == "acceptance_is_calibrated_beyond_chance"]

    def held(rows: Several, whose: NDArray[np.int64] | None) -> bool:
        found = calibration_by_mass(rows.labels, rows.exact, 42, whose)
        report = {"source": "own", "oof": {"calibration_by_mass": found}}
        return bool(gate.judge(report).passed)

    logs = [contacts(300, 20, 0.05, seed) for seed in range(30)]
    assert sum(not held(rows, None) for rows in logs) >= 4
    assert all(held(rows, rows.whose) for rows in logs)


def test_what_is_wrong_is_seen_by_customer_too() -> None:
    """Rows that vary together hide no model that says nobody, or twice everybody, leaves."""
    rows = snapshots(3000, 12, 3, 0.02, seed=1)
    wrong = {"nobody": np.full(len(rows.exact), 1e-6), "double": np.minimum(2 * rows.exact, 0.99)}
    for probabilities in wrong.values():
        found = calibration_by_mass(rows.labels, probabilities, 1, rows.whose)
        assert found["beyond_floor"] - 4 * found["error"] > 0.25 * found["rate"]


def test_rows_of_as_many_customers_are_as_they_were() -> None:
    """Deviations of one row each have no products with others': the same figures."""
    rows = contacts(500, 1, 0.1, seed=3)
    alone = calibration_by_mass(rows.labels, rows.exact, 1)
    named = np.array([f"C{number}" for number in rows.whose])
    assert calibration_by_mass(rows.labels, rows.exact, 1, named) == pytest.approx(alone, abs=1e-9)


def test_the_effects_of_rows_on_the_auc_are_its_error() -> None:
    """Perfectly ranked rows have none; whole copies of customers leave the error as it was."""
    labels = np.array([0.0, 0.0, 1.0, 1.0])
    assert (auc_effects(labels, labels) == 0).all()
    rng = np.random.default_rng(2)
    scores = rng.random(400)
    labels = (rng.random(400) < scores).astype(np.float64)
    assert auc_effects(labels, scores).sum() == pytest.approx(0, abs=1e-12)
    whose = np.tile(np.arange(400), 3)
    effects = auc_effects(np.tile(labels, 3), np.tile(scores, 3))
    assert error_of_sum(effects, whose) == pytest.approx(auc_error(labels, scores))


def test_errors_in_time_are_what_other_tables_show() -> None:
    """Among customers of a snapshot and of later ones, over snapshots of the same customers."""
    found: dict[str, list[float]] = {"within": [], "within_error": [], "later": [], "error": []}
    for seed in range(40):
        rows = snapshots(400, 24, 12, 0.01, seed)
        score = np.random.default_rng(100 + seed).random(400)[rows.whose]
        start = np.datetime64("2024-01", "M")
        frame = pd.DataFrame(
            {
                "customer_id": rows.whose.astype(str),
                "snapshot": (start + rows.turn).astype("datetime64[ns]"),
            }
        )
        within = within_snapshots(frame, rows.labels, score)
        after = later(rows.labels, score, rows.whose)
        found["within"].append(within["auc"])
        found["within_error"].append(within["error"])
        found["later"].append(after["auc"])
        found["error"].append(after["error"])
    for figure, error in (("within", "within_error"), ("later", "error")):
        assert np.mean(found[error]) == pytest.approx(float(np.std(found[figure])), rel=0.3)


def written(folder: Path, copies: int) -> dict[str, Path]:
    """500 customers as `customer_history` has them, each so many times."""
    frame = customers(500)
    frame["churn"] = np.random.default_rng(4).random(500) < sigmoid(frame["balance"] / 50 - 1)
    part = np.arange(500) % 10
    folder.mkdir()
    for name, rows in zip(SPLITS, (part < 8, part == 8, part == 9), strict=True):
        write_parquet(pd.concat([frame[rows]] * copies), folder / f"{name}.parquet")
    SCHEMA.save(folder)
    (folder / "dataset.json").write_text(json.dumps({"source": "own"}))
    return {"customer_history": folder}


def test_the_stage_counts_customers(tmp_path: Path) -> None:
    """Every row three times, of the same customers: nothing is known more closely for it."""
    found = []
    for copies in (1, 3):
        (out := tmp_path / f"model_{copies}").mkdir()
        config = FAST.model_copy(update={"trees_from_rows": 10_000, "bootstrap": 400})
        found.append(risk.run(written(tmp_path / str(copies), copies), out, config)["risk"])
    once, three = found
    for place in (once, three):
        place["width"] = float(np.diff(place["auc_oof_interval"])[0])
        place["short"] = place["required_only_oof"]["calibration_by_mass"]["error"]
        place["error"] = place["calibration_by_mass"]["error"]
    for figure in ("width", "error", "short"):
        assert three[figure] == pytest.approx(once[figure], rel=0.3)  # by row it was 0.58 of it


def test_the_interval_of_a_log_holds_the_truth_as_often_as_promised() -> None:
    """200 people with ten contacts each, who mostly answer as before: by contact every other
    interval of the AUC lay beside what such logs show on average, by person one in twenty does."""
    config, logs = AcceptConfig(bootstrap=100), [contacts(200, 10, 0.2, seed) for seed in range(30)]
    missed = {"by contact": 0, "by person": 0}
    matrix = np.zeros((2000, 8), np.float32)
    matrix[:, -1] = np.arange(2000) % 4
    truth = np.mean([auc(rows.labels, rows.exact) for rows in logs])
    for rows in logs:
        for name, whose in (("by contact", None), ("by person", rows.whose)):
            found = discrimination(matrix, rows.labels, rows.exact, config, whose)
            low, high = found["auc_interval"]
            missed[name] += not low <= truth <= high
    assert missed["by contact"] >= 8
    assert missed["by person"] <= 4


def test_copies_of_contacts_tell_nothing_of_a_log() -> None:
    """Every contact three times, of the same people: the errors stay to the last digits."""
    rows, config = contacts(800, 1, 0.3, seed=5), AcceptConfig(bootstrap=100)
    matrix = np.zeros((800, 8), np.float32)
    matrix[:, -1] = np.arange(800) % 4
    found = []
    for copies in (1, 3):
        whole = np.tile(matrix, (copies, 1))
        labels, exact, whose = (np.tile(a, copies) for a in (rows.labels, rows.exact, rows.whose))
        curve = offer_curve(whole, labels, exact, whose)
        found.append(discrimination(whole, labels, exact, config, whose) | curve)
    for figure in (
        "auc_interval",
        "auc_error",
        "ece_error",
        "auc_offer0_error",
        "observed_interval",
    ):
        np.testing.assert_allclose(found[1][figure], found[0][figure], rtol=1e-9, err_msg=figure)
    np.testing.assert_allclose(found[1]["ece_by_offer_error"], found[0]["ece_by_offer_error"])


def test_the_stage_counts_the_people_of_a_log(inputs: dict[str, Path], tmp_path: Path) -> None:
    """A log of your own with every contact three times: gates and intervals know no more."""
    config = AcceptConfig(trees=10, calibration_folds=2, bootstrap=200)
    found = []
    for copies in (1, 3):
        (out := tmp_path / f"model_{copies}").mkdir()
        (folder := tmp_path / f"log_{copies}").mkdir()
        rows = log(1600).assign(customer=[f"C{number}" for number in range(1600)])
        pd.concat([rows] * copies).to_parquet(folder / "contacts.parquet")
        named = config.model_copy(update={"campaign_log": folder / "contacts.parquet"})
        found.append(accept.run({**inputs, "campaign_log": folder}, out, named)["accept"])
    for place in found:
        place["width"] = float(np.diff(place["auc_interval"])[0])
        place |= {name: place["oof"][name] for name in ("auc_offer0_error", "ece_error")}
        place["reach"] = place["support_reach_by_level"][0]
    for figure in ("width", "auc_offer0_error", "ece_error", "reach"):
        assert found[1][figure] == pytest.approx(found[0][figure], rel=0.3)  # by row 0.58 of it
