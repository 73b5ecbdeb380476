"""What a booster learns from, out-of-fold scores, and calibrators, each against its definition."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from churn_assets.domain.statistics import sigmoid
from churn_assets.predictors.config import BoosterConfig
from churn_assets.predictors.scoring.calibration import IsotonicCalibrator, SigmoidCalibrator
from churn_assets.predictors.scoring.features import Feature
from churn_assets.predictors.training.accept_evaluation import later_contacts
from churn_assets.predictors.training.boosting import (
    Learner,
    OutOfFold,
    fit_calibrator,
    margins,
    mask_optional,
    stratified_folds,
)

FEATURES = (
    Feature("first", "number", required=True),
    Feature("second", "number", required=False),
)
CONFIG = BoosterConfig(
    trees=7, max_depth=2, columns_per_tree=1, rows_per_tree=1, bins=16, masked_copies=0, seed=3
)


def noisy(rows: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Two features of which the first one raises the outcome."""
    rng = np.random.default_rng(seed)
    matrix = rng.random((rows, 2)).astype(np.float32)
    return matrix, (rng.random(rows) < 0.2 + 0.6 * matrix[:, 0]).astype(float)


def test_hyperparameters_reach_the_booster() -> None:
    """A setting that gets lost trains another model without a word."""
    config = CONFIG.model_copy(
        update={"learning_rate": 0.07, "columns_per_tree": 0.5, "rows_per_tree": 0.75, "trees": 5}
    )
    booster = Learner(FEATURES, config).train(*noisy(100))
    made = json.loads(booster.save_config())["learner"]["gradient_booster"]["tree_train_param"]
    asked = {"max_depth": 2, "learning_rate": 0.07, "colsample_bytree": 0.5, "subsample": 0.75}
    assert {name: float(made[name]) for name in asked} == pytest.approx(asked)
    assert booster.num_boosted_rounds() == 5


def test_a_booster_learns_from_masked_copies_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each copy with its own gaps, beside the whole rows and with their labels."""
    seen: list[tuple[NDArray[np.float32], NDArray[np.float64]]] = []
    made = xgb.QuantileDMatrix

    def kept(matrix: Any, labels: Any, **options: Any) -> xgb.QuantileDMatrix:
        seen.append((matrix, labels))
        return made(matrix, labels, **options)

    monkeypatch.setattr(xgb, "QuantileDMatrix", kept)
    matrix, labels = noisy(50)
    Learner(FEATURES, CONFIG.model_copy(update={"masked_copies": 2})).train(matrix, labels)
    [(stacked, repeated)] = seen
    np.testing.assert_array_equal(repeated, np.concatenate([labels] * 3))
    np.testing.assert_array_equal(stacked[:50], matrix)
    np.testing.assert_array_equal(stacked[:, 0], np.tile(matrix[:, 0], 3))
    gaps = np.isnan(stacked[50:, 1]).reshape(2, 50)
    assert (gaps[0] != gaps[1]).any()
    assert 0.4 < gaps.mean() < 0.9


@pytest.mark.parametrize(("held", "sign"), [("rising", 1), ("falling", -1)])
def test_a_constraint_holds_against_the_data(held: str, sign: int) -> None:
    """Even where the rows say the opposite, and only in its own feature."""
    matrix, labels = noisy(400)
    labels = 1 - labels if sign > 0 else labels
    learner = Learner(FEATURES, CONFIG, **{held: frozenset({"first"})})
    free = Learner(FEATURES, CONFIG)
    grid = np.column_stack([np.linspace(0, 1, 50), np.full(50, 0.5)]).astype(np.float32)
    steps = [np.diff(margins(one.train(matrix, labels), grid)) for one in (learner, free)]
    assert (sign * steps[0] >= 0).all()
    assert (sign * steps[1] < 0).any()


def test_rows_are_scored_by_boosters_that_never_saw_them() -> None:
    """Fold by fold by hand, and the views by the same boosters."""
    matrix, labels = noisy(120)
    folds = stratified_folds(labels, 3, seed=1)
    assert [labels[folds == f].mean() for f in range(3)] == pytest.approx([labels.mean()] * 3, 0.05)
    learner, other = Learner(FEATURES, CONFIG), matrix[::-1].copy()
    fitted = learner.cross_fit(matrix, labels, folds, other=other)
    assert fitted.scores.keys() == {"full", "other"}
    for fold in range(3):
        held = folds == fold
        booster = learner.train(matrix[~held], labels[~held])
        np.testing.assert_array_equal(fitted.scores["full"][held], margins(booster, matrix[held]))
        np.testing.assert_array_equal(fitted.scores["other"][held], margins(booster, other[held]))
    masked = Learner(FEATURES, CONFIG.model_copy(update={"masked_copies": 1}))
    views = masked.cross_fit(matrix, labels, folds).scores
    assert views.keys() == {"full", "masked"}
    assert (views["masked"] != views["full"]).any()


def test_a_fold_is_calibrated_by_the_others() -> None:
    """On whole and masked scores together, and applied to the view that is asked for."""
    rng = np.random.default_rng(4)
    labels, folds = (rng.random(300) < 0.4).astype(float), np.arange(300) % 3
    scores = {name: labels + rng.normal(0, 1, 300) for name in ("full", "masked", "short")}
    pooled = OutOfFold(labels, folds, scores)
    for view in ("full", "short"):
        told = pooled.probabilities("sigmoid", view)
        for fold in range(3):
            rest = folds != fold
            both = np.concatenate([scores["full"][rest], scores["masked"][rest]])
            fitted = fit_calibrator("sigmoid", both, np.tile(labels[rest], 2))
            np.testing.assert_array_equal(told[~rest], fitted(scores[view][~rest]))


def test_platts_targets_keep_few_rows_from_certainty() -> None:
    """The minimum of the log-loss at his smoothed targets, found by another optimiser."""
    scores = np.array([-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0])
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1.0])  # separable: bare targets have no minimum
    targets = np.where(labels == 1, 5 / 6, 1 / 7)

    def loss(weights: NDArray[np.float64]) -> float:
        told = sigmoid(weights[0] * scores + weights[1])
        return -float((targets * np.log(told) + (1 - targets) * np.log(1 - told)).sum())

    best = minimize(loss, np.zeros(2), tol=1e-12).x
    fitted = fit_calibrator("sigmoid", scores, labels)
    assert isinstance(fitted, SigmoidCalibrator)
    assert (fitted.slope, fitted.intercept) == pytest.approx(tuple(best), abs=1e-5)


def test_scores_that_say_nothing_cannot_be_calibrated() -> None:
    """A model without a single split: an error, not a division by zero."""
    with pytest.raises(ValueError, match="all scores are the same"):
        fit_calibrator("sigmoid", np.full(4, 0.3), np.array([0, 1, 0, 1.0]))


def test_an_isotonic_plateau_is_its_two_ends() -> None:
    """Its file is short however many rows there were, and the curve the same."""
    scores = np.arange(9.0)
    fitted = fit_calibrator("isotonic", scores, np.array([0, 0, 0, 1, 0, 1, 0, 1, 1.0]))
    assert isinstance(fitted, IsotonicCalibrator)
    certain = 0.5 / 9
    assert fitted.margins == (0, 2, 3, 6, 7, 8)
    np.testing.assert_allclose(
        fitted.probabilities, [certain, certain, 0.5, 0.5, *[1 - certain] * 2]
    )
    tied = fit_calibrator("isotonic", np.array([1.0, 1, 1, 2]), np.array([0, 0, 1.0, 1]))
    np.testing.assert_allclose(tied(np.array([1.0, 2.0])), [1 / 3, 7 / 8])


def test_optional_values_are_missing_at_every_rate() -> None:
    """Three in ten copies have none at all; of the others each has a rate of its own."""
    features = (FEATURES[0], *[Feature(f"f{i}", "number", required=False) for i in range(40)])
    masked = mask_optional(np.ones((3000, 41), np.float32), features, np.random.default_rng(0))
    share = np.isnan(masked[:, 1:]).mean(axis=1)
    assert (share == 1).mean() == pytest.approx(0.3 + 0.7 / 41, abs=0.03)
    some = share[share < 1]
    assert np.quantile(some, [0.25, 0.5, 0.75]) == pytest.approx([0.25, 0.5, 0.75], abs=0.05)


def test_later_contacts_are_told_by_earlier_ones() -> None:
    """Trained on the first part, calibrated on the second, measured on the third."""
    matrix, accepted = noisy(400)
    split = np.repeat(["train", "valid", "test"], [240, 100, 60])
    learner = Learner(FEATURES, CONFIG.model_copy(update={"calibration": "sigmoid"}))
    found = later_contacts(learner, matrix, accepted, split)
    booster = learner.train(matrix[:240], accepted[:240])
    fitted = fit_calibrator("sigmoid", margins(booster, matrix[240:340]), accepted[240:340])
    told = fitted(margins(booster, matrix[340:]))
    assert found["auc"] == pytest.approx(roc_auc_score(accepted[340:], told))
    assert found["brier"] == pytest.approx(((told - accepted[340:]) ** 2).mean())
    assert found["rate_learned"] == pytest.approx(accepted[:340].mean())
    assert found["rate_tested"] == pytest.approx(accepted[340:].mean())
    assert found["rows"] == 60
