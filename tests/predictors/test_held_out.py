"""Customers whom a risk model learnt from: answered without what it remembers of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from churn_assets.domain.statistics import logit
from churn_assets.predictors.scoring.calibration import SigmoidCalibrator
from churn_assets.predictors.scoring.features import Feature
from churn_assets.predictors.scoring.held_out import FILE, NOBODY, RISK_SOURCES, HeldOut
from churn_assets.predictors.scoring.linear import Linear, Term
from churn_assets.predictors.scoring.scorers import CalibratedModel, RiskScorer
from tests.predictors.test_forest import load, train

NAN = np.float32(np.nan)
LEARNT = np.array([[1, 2, NAN], [4, 5, 6], [7, 8, 9]], np.float32)


def kept() -> HeldOut:
    return HeldOut.of(["A", "B", "A"], LEARNT, np.array([0.1, 0.2, 0.3]), np.array([0.4, 0.5, 0.6]))


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    """Of a customer with several rows the last one's; none beside a model that keeps none."""
    assert HeldOut.load(tmp_path, 3) is None
    kept().save(tmp_path)
    known = HeldOut.load(tmp_path, 3)
    assert known is not None
    assert len(known) == 2
    a, nobody, b, without = known.find(["A", "C", "B", None])
    assert nobody == without == NOBODY
    assert (known.unseen[a], known.seen[a]) == (0.3, 0.6)
    np.testing.assert_array_equal(known.features[[a, b]], LEARNT[[2, 1]])


def test_who_has_no_id_is_nobody_even_beside_somebody_called_none() -> None:
    known = HeldOut.of(["None", "A"], LEARNT[:2], np.array([0.1, 0.2]), np.array([0.4, 0.5]))
    called, without = known.find(["None", None])
    assert known.unseen[called] == 0.1
    assert without == NOBODY


def test_damage_is_said_in_one_line(tmp_path: Path) -> None:
    """A torn file and another model's are not read as nobody."""
    kept().save(tmp_path)
    with pytest.raises(ValueError, match=r"holds features of shape \(2, 3\), the model has 4"):
        HeldOut.load(tmp_path, 4)
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:-8])
    with pytest.raises(ValueError, match=f"{FILE} can't be read"):
        HeldOut.load(tmp_path, 3)


def test_who_has_no_id_is_known_by_features_alone(tmp_path: Path) -> None:
    """Whatever they are called; a missing value is one, and the file says how they are known."""
    HeldOut.of(None, LEARNT, np.array([0.1, 0.2, 0.3]), np.array([0.4, 0.5, 0.6])).save(tmp_path)
    known = HeldOut.load(tmp_path, 3)
    assert known is not None
    assert known.nameless
    asked = np.array([[4, 5, 6], [1, 2, NAN], [1, 2, 3]], np.float32)
    places = known.alike(asked)
    np.testing.assert_array_equal(known.unseen[places[:2]], [0.2, 0.1])
    assert places[2] == NOBODY
    kept().save(tmp_path)
    named = HeldOut.load(tmp_path, 3)
    assert named is not None
    assert not named.nameless


def sources(numbers: NDArray[np.int8]) -> list[str]:
    return [RISK_SOURCES[number] for number in numbers]


def test_unchanged_customers_get_the_risk_out_of_fold() -> None:
    """To the last bit, a missing value being equal to a missing one; strangers get the model's."""
    known = HeldOut.of(["A", "B"], LEARNT[:2], np.array([0.25, 0.5]), np.array([0.9, 0.1]))
    scorer = RiskScorer(linear_model(), known)
    risk = np.array([0.9, 0.1, 0.7])
    told, source = scorer.of_customers(["A", "B", "C"], LEARNT, risk)
    np.testing.assert_array_equal(told, [0.25, 0.5, 0.7])
    assert sources(source) == ["out_of_fold", "out_of_fold", "model"]
    np.testing.assert_array_equal(risk, [0.9, 0.1, 0.7])  # the caller's own stays
    told, source = RiskScorer(linear_model()).of_customers(["A", "B", "C"], LEARNT, risk)
    np.testing.assert_array_equal(told, risk)
    assert sources(source) == ["model"] * 3


def test_a_regression_takes_along_what_it_remembers() -> None:
    """Whatever has changed: its log-odds move as the model's do."""
    known = HeldOut.of(["A"], LEARNT[:1], np.array([0.25]), np.array([0.4]))
    scorer = RiskScorer(linear_model(), known)
    moved = LEARNT[:1] + np.float32(1)
    told, source = scorer.of_customers(["A"], moved, np.array([0.6]))
    assert sources(source) == ["adjusted"]
    expected = logit(np.array([0.6])) + logit(np.array([0.25])) - logit(np.array([0.4]))
    np.testing.assert_allclose(logit(told), expected, atol=1e-12)


def linear_model() -> CalibratedModel:
    terms = tuple(Term(1.0, (), 0.0, 0.0) for _ in range(3))
    features = tuple(Feature(f"f{i}", "number") for i in range(3))
    return CalibratedModel(features, Linear(0.0, terms), SigmoidCalibrator(1.0, 0.0), {})


def test_trees_forget_in_the_leaves_that_are_left(tmp_path: Path) -> None:
    """A change that no tree asks about leaves the risk as it was; somebody else under the same id
    takes as much of the correction as there are trees that take both for one."""
    booster, matrix = train(3)
    forest = load(booster, tmp_path)
    features = tuple(Feature(f"f{i}", "number") for i in range(matrix.shape[1]))
    model = CalibratedModel(features, forest, SigmoidCalibrator(1.0, 0.0), {})
    seen, unseen = model.probabilities(matrix), np.full(len(matrix), 0.5)
    ids = [f"C{i}" for i in range(len(matrix))]
    scorer = RiskScorer(model, HeldOut.of(ids, matrix, unseen, seen))

    hardly = matrix + np.float32(1e-6)  # values have one decimal, and so have the thresholds
    told, source = scorer.of_customers(ids, hardly, model.probabilities(hardly))
    assert set(sources(source)) == {"adjusted"}
    np.testing.assert_allclose(told, unseen, atol=1e-12)

    others = np.roll(matrix, 1, axis=0)
    now, share = model.probabilities(others), forest.same_leaves(matrix, others)
    told, _ = scorer.of_customers(ids, others, now)
    expected = logit(now) + share * (logit(unseen) - logit(seen))
    np.testing.assert_allclose(logit(told), expected, atol=1e-9)
    assert np.abs(logit(told) - logit(now)).mean() < np.abs(logit(told) - logit(unseen)).mean()
