"""The calibration error of a company's own models: seen where few leave, and not by chance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from checks.own_campaign import OWN_ACCEPT_GATES
from checks.own_customers import OWN_RISK_GATES
from churn_assets.domain.statistics import sigmoid
from churn_assets.predictors.training.metrics import ece
from churn_assets.predictors.training.own.calibration import calibration_by_mass

Floats = NDArray[np.float64]
RISK = "risk_is_calibrated_beyond_chance"
ACCEPT = "acceptance_is_calibrated_beyond_chance"


def held(labels: Floats, probabilities: Floats) -> dict[str, bool]:
    """Whether the gates of risk and acceptance hold."""
    found = calibration_by_mass(labels, probabilities, seed=1)
    report = {"source": "own", "rows": len(labels), "calibration_by_mass": found}
    report["oof"] = {"calibration_by_mass": found}
    gates = {gate.name: gate for gate in (*OWN_RISK_GATES, *OWN_ACCEPT_GATES)}
    return {name: bool(gates[name].judge(report).passed) for name in (RISK, ACCEPT)}


def drawn(count: int, level: float, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """What is known of customers, their true probabilities, and what they did."""
    rng = np.random.default_rng(seed)
    known = rng.normal(size=count)
    true = sigmoid(level + known)
    return known, true, (rng.random(count) < true).astype(np.float64)


def fitted(rate: float, scores: Floats) -> Floats:
    """The scores, moved until their mean probability is the rate."""
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if sigmoid(middle + scores).mean() < rate else (low, middle)
    return sigmoid(low + scores)


@pytest.mark.parametrize("seed", range(3))
def test_twice_too_sharp_is_seen_where_few_leave(seed: int) -> None:
    """1.7 % leave, the mean is right, and nearly everybody is below 0.1: bins of equal width see
    hardly anything."""
    known, true, left = drawn(20_000, -4.5, seed)
    sharp = fitted(left.mean(), 2 * known)
    assert ece(left, sharp) < 0.025
    assert held(left, sharp) == {RISK: False, ACCEPT: False}
    assert held(left, true) == {RISK: True, ACCEPT: True}


@pytest.mark.parametrize("count", [300, 1000, 20_000])
def test_nobody_leaves_is_no_answer_where_few_do(count: int) -> None:
    """One in 33 leaves: a model that tells nobody's risk is off by all of it."""
    left = (np.arange(count) % 33 == 0).astype(np.float64)
    assert held(left, np.full(count, 1e-6)) == {RISK: False, ACCEPT: False}
    assert held(left, np.full(count, left.mean())) == {RISK: True, ACCEPT: True}
    assert held(1 - left, np.full(count, 1 - 1e-6)) == {RISK: False, ACCEPT: False}


@pytest.mark.parametrize(
    ("count", "level"), [(300, -4.0), (300, -1.0), (1000, -4.0), (5000, -3.0), (20_000, 0.0)]
)
def test_exact_probabilities_hold_however_few_rows_there_are(count: int, level: float) -> None:
    """Many samples each: what so few rows show by chance stops nobody."""
    samples = (drawn(count, level, seed) for seed in range(min(200, 60_000 // count)))
    found = [held(left, true) for _, true, left in samples]
    assert all(all(gates.values()) for gates in found)


def test_equal_probabilities_are_in_one_bin_whatever_the_rows_order() -> None:
    """A table sorted by its outcome is as well calibrated as another."""
    left = np.sort(np.arange(1000) % 4 == 0).astype(np.float64)
    assert calibration_by_mass(left, np.full(1000, 0.25), seed=1)["ece"] == 0
    two = np.where(np.arange(1000) % 2, 0.3, 0.2)
    assert calibration_by_mass(left, two, seed=1)["ece"] == pytest.approx(0.05)


def test_few_rows_have_a_calibration_error_by_chance() -> None:
    """The floor is what exact probabilities show, and the error how much that varies."""
    rng = np.random.default_rng(0)
    p = rng.uniform(0.05, 0.6, 300)
    answers = (rng.random((200, 300)) < p).astype(np.float64)
    exact = [calibration_by_mass(labels, p, seed=1)["ece"] for labels in answers]
    found = calibration_by_mass(answers[0], p, seed=2)
    assert found["floor"] == pytest.approx(np.mean(exact), abs=0.005)
    assert found["error"] == pytest.approx(np.std(exact), abs=0.003)
    many = np.repeat(p, 30)
    more = calibration_by_mass((rng.random(9000) < many).astype(np.float64), many, seed=1)
    assert more["floor"] < found["floor"] / 4
