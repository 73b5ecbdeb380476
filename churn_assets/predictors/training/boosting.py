"""Train calibrated boosters: masking of optional values, out-of-fold scores, calibrators."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from sklearn.model_selection import StratifiedKFold

from churn_assets.domain.statistics import logit, sigmoid
from churn_assets.predictors.config import BoosterConfig, CalibrationKind
from churn_assets.predictors.scoring.calibration import (
    Calibrator,
    IsotonicCalibrator,
    SigmoidCalibrator,
)
from churn_assets.predictors.scoring.features import Feature
from churn_assets.predictors.scoring.scorers import FORMAT, ModelKind
from churn_assets.predictors.training.streams import stream

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

BARE_SHARE = 0.3  # of the masked copies have required values only, as the shortest request has


def mask_optional(matrix: Matrix, features: Sequence[Feature], rng: np.random.Generator) -> Matrix:
    """A copy of `matrix` (N, F) with optional values made missing.

    Each row draws its own masking rate, uniform in [0, 1] or 1 (share BARE_SHARE), so that every
    number of missing values occurs.
    """
    rate = np.where(rng.random(len(matrix)) < BARE_SHARE, 1.0, rng.random(len(matrix)))
    hidden = rng.random(matrix.shape) < rate[:, None]
    hidden[:, [feature.required for feature in features]] = False
    return np.where(hidden, np.float32(np.nan), matrix)


def required_only(matrix: Matrix, features: Sequence[Feature]) -> Matrix:
    """A copy of `matrix` (N, F) with every optional value missing."""
    required = np.array([feature.required for feature in features])
    return np.where(required, matrix, np.float32(np.nan))


@dataclass(frozen=True)
class Learner:
    """What a booster learns from: contract, hyperparameters, and where P may only rise or fall.

    Attributes:
        features: the F columns.
        config: hyperparameters.
        rising: names of the features in which P must be non-decreasing.
        falling: names of the features in which P must be non-increasing.
    """

    features: tuple[Feature, ...]
    config: BoosterConfig
    rising: frozenset[str] = frozenset()
    falling: frozenset[str] = frozenset()

    def train(self, matrix: Matrix, labels: Floats) -> xgb.Booster:
        """One booster on (N, F) and labels (N,), with masked copies of the rows beside them."""
        config = self.config
        rng = stream(config.seed, "masking")
        copies = [mask_optional(matrix, self.features, rng) for _ in range(config.masked_copies)]
        data = xgb.QuantileDMatrix(
            np.concatenate([matrix, *copies]),
            np.tile(labels, 1 + config.masked_copies),
            max_bin=config.bins,
            nthread=config.threads,
        )
        parameters = {
            "objective": "binary:logistic",
            "tree_method": "hist",
            "max_depth": config.max_depth,
            "learning_rate": config.learning_rate,
            "colsample_bytree": config.columns_per_tree,
            "subsample": config.rows_per_tree,
            "max_bin": config.bins,
            "nthread": config.threads,
            "seed": config.seed,
            "monotone_constraints": tuple(
                int(f.name in self.rising) - int(f.name in self.falling) for f in self.features
            ),
        }
        return xgb.train(parameters, data, num_boost_round=config.trees)

    def cross_fit(
        self, matrix: Matrix, labels: Floats, folds: NDArray[np.int64], **views: Matrix
    ) -> OutOfFold:
        """Out-of-fold log-odds of N rows by boosters trained on the other folds' rows.

        Args:
            matrix: (N, F).
            labels: (N,).
            folds: which fold each row is held out in, (N,).
            views: further versions of the same rows to score, such as with values missing.
        """
        versions = {"full": matrix, **views}
        if self.config.masked_copies:
            rng = stream(self.config.seed, "masked_view")
            versions["masked"] = mask_optional(matrix, self.features, rng)
        scores = {name: np.empty(len(labels)) for name in versions}
        for fold in np.unique(folds):
            held = folds == fold
            booster = self.train(matrix[~held], labels[~held])
            for name, version in versions.items():
                scores[name][held] = margins(booster, version[held])
        return OutOfFold(labels, folds, scores)


@dataclass(frozen=True)
class OutOfFold:
    """Out-of-fold log-odds, and the calibrators that they support.

    Calibrators are fitted on the views "full" and, of boosters that learned to bear missing values,
    "masked" together: one calibrator has to hold for complete and for short requests.

    Attributes:
        labels: (N,).
        folds: (N,).
        scores: view -> log-odds (N,).
        flat: whether scores that tell nothing of the labels become the base rate for everybody, so
            that a gate says what they are worth; otherwise they are an error.
    """

    labels: Floats
    folds: NDArray[np.int64]
    scores: Mapping[str, Floats]
    flat: bool = False

    def calibrator(
        self, kind: CalibrationKind, rows: NDArray[np.bool_] | None = None
    ) -> Calibrator:
        """A calibrator fitted on `rows` (N,), all if absent; raises what `fit_calibrator` does."""
        chosen = np.ones(len(self.labels), bool) if rows is None else rows
        views = [self.scores[name][chosen] for name in ("full", "masked") if name in self.scores]
        labels = self.labels[chosen]
        fit = calibrator_or_rate if self.flat else fit_calibrator
        return fit(kind, np.concatenate(views), np.tile(labels, len(views)))

    def probabilities(self, kind: CalibrationKind, view: str = "full") -> Floats:
        """Calibrated out-of-fold probabilities (N,) of a view.

        The calibrator of each fold is fitted on the other folds' rows only.
        """
        out = np.empty(len(self.labels))
        for fold in np.unique(self.folds):
            held = self.folds == fold
            out[held] = self.calibrator(kind, ~held)(self.scores[view][held])
        return out


def margins(booster: xgb.Booster, matrix: Matrix) -> Floats:
    """Log-odds (N,) by XGBoost itself."""
    return booster.inplace_predict(matrix, predict_type="margin").astype(np.float64)


def stratified_folds(labels: NDArray[Any], count: int, seed: int) -> NDArray[np.int64]:
    """A fold number 0..count-1 for each row (N,), with equal shares of each label per fold."""
    folds = np.empty(len(labels), np.int64)
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    for number, (_, held) in enumerate(splitter.split(np.zeros(len(labels)), labels)):
        folds[held] = number
    return folds


class UselessScoresError(ValueError):
    """Scores that tell nothing of the outcome: no slope of them can be a probability's."""


def fit_calibrator(kind: CalibrationKind, scores: Floats, labels: Floats) -> Calibrator:
    """A calibrator from out-of-fold log-odds (N,) and labels (N,).

    Raises:
        UselessScoresError: for a sigmoid, they are all the same, or fall as the outcome rises.
        ValueError: a sigmoid's fit doesn't converge.
    """
    return _fit_sigmoid(scores, labels) if kind == "sigmoid" else _fit_isotonic(scores, labels)


def calibrator_or_rate(kind: CalibrationKind, scores: Floats, labels: Floats) -> Calibrator:
    """`fit_calibrator`, and the base rate for everybody where scores tell nothing of the labels."""
    try:
        return fit_calibrator(kind, scores, labels)
    except UselessScoresError:
        return SigmoidCalibrator(0.0, float(logit(labels.mean())))


def _fit_sigmoid(scores: Floats, labels: Floats, steps: int = 100) -> SigmoidCalibrator:
    """Platt scaling by Newton's method on the log-loss with Platt's smoothed targets."""
    if np.ptp(scores) == 0:
        raise UselessScoresError("all scores are the same: there is nothing to calibrate")
    positives = labels.sum()
    high, low = (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2)
    targets = np.where(labels == 1, high, low)
    weights = np.zeros(2)
    for _ in range(steps):
        p = sigmoid(weights[0] * scores + weights[1])
        error, weight = p - targets, p * (1 - p)
        # Plain sums: a matrix product's last digits depend on the number of BLAS threads.
        gradient = np.array([(error * scores).sum(), error.sum()])
        cross = (weight * scores).sum()
        hessian = np.array([[(weight * scores**2).sum(), cross], [cross, weight.sum()]])
        step = np.linalg.solve(hessian, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-10:
            if weights[0] <= 0:
                raise UselessScoresError(
                    f"scores fall as the outcome rises (slope {weights[0]:.3g})"
                )
            return SigmoidCalibrator(float(weights[0]), float(weights[1]))
    raise ValueError(f"sigmoid calibration did not converge in {steps} steps")


def _fit_isotonic(scores: Floats, labels: Floats) -> IsotonicCalibrator:
    """Isotonic regression; end plateaus at 0 or 1 are held half a row away from certainty."""
    knots, index = np.unique(scores, return_inverse=True)
    count = np.bincount(index)
    fitted = isotonic_regression(np.bincount(index, labels) / count, weights=count).x
    certain = 0.5 / len(labels)
    values = np.clip(fitted, certain, 1 - certain)
    # Inside a plateau the interpolation needs only its two ends.
    kept = np.ones(len(knots), bool)
    kept[1:-1] = (values[1:-1] != values[:-2]) | (values[1:-1] != values[2:])
    return IsotonicCalibrator(tuple(knots[kept].tolist()), tuple(values[kept].tolist()))


def save_model(
    out: Path,
    kind: ModelKind,
    booster: xgb.Booster,
    calibrator: Calibrator,
    features: Sequence[Feature],
    **further: Any,
) -> None:
    """Write `model.ubj` and `model.json` into `out`; `further` goes into the latter."""
    booster.save_model(out / "model.ubj")
    document = {
        "kind": kind,
        "format": FORMAT,
        "features": [feature.to_json() for feature in features],
        "calibrator": calibrator.to_json(),
        **further,
    }
    (out / "model.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
