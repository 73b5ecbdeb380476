"""The stage `risk_model`: P(churn) from a customer's columns. `own` has it for a company's own.

Two measurements for two questions. *Held-out*: the model that is published (trained on train +
valid) on the test split. *Pooled* (`_oof`): ten-fold out-of-fold predictions of all rows, whose
interval is three times narrower; the calibrator that a fold is scored with never saw its rows.
These predictions are kept beside the model: whom it learnt from is answered with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_assets.customers.built_in import BUILT_IN_SCHEMA
from churn_assets.customers.schema import load_schema
from churn_assets.domain.statistics import interval
from churn_assets.predictors.config import SPECIFICATION, RiskConfig
from churn_assets.predictors.scoring.calibration import CALIBRATION_KINDS
from churn_assets.predictors.scoring.features import RISK_FEATURES, encode
from churn_assets.predictors.scoring.held_out import HeldOut
from churn_assets.predictors.scoring.scorers import RiskScorer
from churn_assets.predictors.training.baselines import logistic_regression
from churn_assets.predictors.training.boosting import (
    Learner,
    OutOfFold,
    required_only,
    save_model,
    stratified_folds,
)
from churn_assets.predictors.training.frames import data_source, read_training_and_test, rows_of
from churn_assets.predictors.training.metrics import bootstrap_auc, summary
from churn_assets.predictors.training.own import risk as own
from churn_assets.predictors.training.plots import plot_calibration, plot_importance
from churn_assets.stages.spec import Progress, silent

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

FALLING = frozenset(field.name for field in BUILT_IN_SCHEMA.features if field.direction < 0)
"""In which the risk may only fall, as the built-in contract says, with the reason."""


def run(
    inputs: Mapping[str, Path], out: Path, config: RiskConfig, progress: Progress = silent
) -> dict[str, Any]:
    """Train, evaluate and write the risk model.

    Args:
        inputs: `customer_history`.
        out: receives `model.ubj`, `model.json`, `held_out.safetensors` and `plots/`.
        config: hyperparameters.
        progress: told after each of four steps.

    Returns:
        {"risk": metrics}.
    """
    folder = inputs["customer_history"]
    if schema := load_schema(folder):
        return own.run(schema, folder, out, config, progress)
    learn, test = read_training_and_test(folder)
    everyone = pd.concat([learn, test], ignore_index=True)
    learner = Learner(RISK_FEATURES, config, falling=FALLING)

    fitted = _cross_fit(learner, learn, config.calibration_folds)
    booster = learner.train(*_matrix_and_labels(learn))
    base_rate = float(fitted.labels.mean())
    save_model(
        out,
        "risk",
        booster,
        fitted.calibrator(config.calibration),
        RISK_FEATURES,
        base_rate=base_rate,
    )
    progress(1, 4)
    scorer = RiskScorer.load(out)
    held_out = _held_out(scorer, fitted, test)
    progress(2, 4, auc=held_out["auc"], ece=held_out["ece"])
    pooled = _cross_fit(learner, everyone, config.folds)
    matrix, _ = _matrix_and_labels(everyone)
    seen, unseen = scorer.model.probabilities(matrix), pooled.probabilities(config.calibration)
    HeldOut.of(everyone["customer_id"].astype(str), matrix, unseen, seen).save(out)
    metrics = {
        **held_out,
        "source": data_source(folder),
        "test_rows": len(test),
        "base_rate": base_rate,
        **_pooled(pooled, everyone, config),
    }
    progress(3, 4, auc_oof=metrics["auc_oof"], ece_oof=metrics["ece_oof"])
    _plot(out / "plots", scorer, everyone, pooled, config)
    progress(4, 4)
    return {"risk": metrics}


def _matrix_and_labels(frame: pd.DataFrame) -> tuple[Matrix, Floats]:
    return encode(rows_of(frame), RISK_FEATURES), frame["churn"].to_numpy(np.float64)


def _cross_fit(learner: Learner, frame: pd.DataFrame, count: int) -> OutOfFold:
    matrix, labels = _matrix_and_labels(frame)
    folds = stratified_folds(labels, count, learner.config.seed)
    short = required_only(matrix, RISK_FEATURES)
    return learner.cross_fit(matrix, labels, folds, required_only=short)


def _held_out(scorer: RiskScorer, fitted: OutOfFold, test: pd.DataFrame) -> dict[str, Any]:
    """The published model on the test split: complete rows, short rows, both calibrators."""
    rows, labels = rows_of(test), test["churn"].to_numpy(np.float64)
    required = [feature.name for feature in RISK_FEATURES if feature.required]
    short = [{name: row[name] for name in required} for row in rows]
    scores = scorer.model.forest.margins(encode(rows, RISK_FEATURES))
    return {
        **summary(labels, scorer.predict(rows)),
        "required_only": summary(labels, scorer.predict(short)),
        "calibration": {
            kind: summary(labels, fitted.calibrator(kind)(scores)) for kind in CALIBRATION_KINDS
        },
    }


def _pooled(pooled: OutOfFold, frame: pd.DataFrame, config: RiskConfig) -> dict[str, Any]:
    """Out-of-fold figures of all rows, and of the baselines on the same folds."""
    labels = pooled.labels
    model = pooled.probabilities(config.calibration)
    baselines = _baselines(config, frame, pooled.folds)
    resampled = bootstrap_auc(
        labels, [model, *baselines.values()], config.bootstrap, seed=config.seed
    )
    figures = summary(labels, model)
    auc_interval = interval(resampled[:, 0])
    return {
        "auc_oof": figures["auc"],
        "auc_oof_lower": auc_interval[0],
        "auc_oof_interval": auc_interval,
        "ece_oof": figures["ece"],
        "brier_oof": figures["brier"],
        "rows": len(labels),
        "required_only_oof": summary(
            labels, pooled.probabilities(config.calibration, "required_only")
        ),
        "calibration_oof": {
            kind: summary(labels, pooled.probabilities(kind)) for kind in CALIBRATION_KINDS
        },
        "baselines_oof": {
            name: {
                **summary(labels, scores),
                "auc_gain_interval": interval(resampled[:, 0] - resampled[:, column]),
            }
            for column, (name, scores) in enumerate(baselines.items(), start=1)
        },
    }


def _baselines(
    config: RiskConfig, frame: pd.DataFrame, folds: NDArray[np.int64]
) -> dict[str, Floats]:
    """Out-of-fold probabilities (N,) of each baseline.

    `trained_without_masking` is this model without masked copies: what learning to bear missing
    values costs on complete rows.
    """
    matrix, labels = _matrix_and_labels(frame)
    logistic = np.empty(len(labels))
    for fold in np.unique(folds):
        held = folds == fold
        logistic[held] = logistic_regression(
            matrix[~held], labels[~held], matrix[held], RISK_FEATURES
        )
    unmasked = config.model_copy(update={"masked_copies": 0})
    specification = SPECIFICATION.model_copy(update={"threads": config.threads})
    learners = {
        "specification": Learner(RISK_FEATURES, specification),
        "trained_without_masking": Learner(RISK_FEATURES, unmasked, falling=FALLING),
    }
    boosted = {
        name: learner.cross_fit(matrix, labels, folds).probabilities(learner.config.calibration)
        for name, learner in learners.items()
    }
    return {"logistic_regression": logistic, **boosted}


def _plot(
    folder: Path, scorer: RiskScorer, frame: pd.DataFrame, pooled: OutOfFold, config: RiskConfig
) -> None:
    short = pooled.probabilities(config.calibration, "required_only")
    curves = {
        "all columns": (pooled.labels, pooled.probabilities(config.calibration)),
        "required columns only": (pooled.labels, short),
    }
    plot_calibration(folder, f"P(churn), {len(frame):,} customers, out of fold", curves)
    plot_importance(folder, scorer.feature_names, scorer.explain(rows_of(frame))[1])
