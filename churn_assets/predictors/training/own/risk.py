"""The stage `risk_model` on a company's own customers.

The same model files and figures as for the built-in contract, and what no contract can be told
beforehand: the features follow from the contract, the trees' settings from the data, and every
figure is relative to a logistic regression on the same folds. Below `trees_from_rows` customers
that regression is the model, and so it is where it ranks better than the trees out of fold (unless
the contract says in which direction a feature works, which only trees keep to).
`held_out.safetensors` has the risk of everybody in the history by models that never saw them:
whoever of them is asked about again is answered with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_assets.customers.schema import CustomerSchema
from churn_assets.domain.statistics import interval
from churn_assets.predictors.config import RiskConfig
from churn_assets.predictors.scoring.calibration import CALIBRATION_KINDS
from churn_assets.predictors.scoring.features import encode
from churn_assets.predictors.scoring.held_out import HeldOut
from churn_assets.predictors.scoring.scorers import RiskScorer
from churn_assets.predictors.training.boosting import OutOfFold, required_only
from churn_assets.predictors.training.frames import read_training_and_test, rows_of
from churn_assets.predictors.training.metrics import bootstrap_auc, summary
from churn_assets.predictors.training.own.calibration import calibration_by_mass
from churn_assets.predictors.training.own.features import OwnFeatures, features_of
from churn_assets.predictors.training.own.in_time import SNAPSHOT, later, within_snapshots
from churn_assets.predictors.training.own.methods import (
    Fitted,
    Groups,
    LogisticMethod,
    Method,
    TreesMethod,
    cross_fit,
    folds_of,
    save_fitted,
)
from churn_assets.predictors.training.plots import plot_calibration, plot_importance
from churn_assets.stages.spec import Progress

Floats = NDArray[np.float64]
LOGISTIC = "logistic_regression"
TREES = "boosted_trees"


def run(
    schema: CustomerSchema, folder: Path, out: Path, config: RiskConfig, progress: Progress
) -> dict[str, Any]:
    """Train, evaluate and write the risk model of a contract's customers.

    Args:
        folder: `customer_history`.
        out: receives `model.json`, `model.ubj` where trees ship, `held_out.safetensors`, `plots/`.

    Returns:
        {"risk": metrics}, `method` and `chosen` among them.
    """
    learn, test = read_training_and_test(folder)
    everyone = pd.concat([learn, test], ignore_index=True)
    own = features_of(schema, everyone)
    learnt = _Rows.of(learn, own)
    folds = folds_of(learnt.labels, config.calibration_folds, config.seed, learnt.groups)
    logistic = LogisticMethod(own.features)
    tried = {LOGISTIC: _Tried.of(logistic, learnt, own, folds)}
    if len(everyone) >= config.trees_from_rows:
        tried[TREES] = _Tried.of(TreesMethod(own, config), learnt, own, folds)
    name = _better(tried, own)
    method, model, fitted = tried[name]
    base_rate = float(learnt.labels.mean())
    calibrator = fitted.calibrator(config.calibration)
    save_fitted(out, "risk", model, calibrator, own.features, base_rate)
    progress(1, 4)
    scorer = RiskScorer.load(out)
    tested = _Rows.of(test, own)
    held_out = _held_out(scorer, fitted, tested)
    progress(2, 4, auc=held_out["auc"], ece=held_out["ece"])
    rows = _Rows.of(everyone, own)
    folds = folds_of(rows.labels, config.folds, config.seed, rows.groups)
    pooled, chosen = rows.cross_fit(method, own, folds)
    pooled_figures = _pooled(pooled, rows, own, config, is_logistic=name == LOGISTIC)
    unseen = pooled.probabilities(config.calibration)
    _held_out_of(schema, everyone, rows, scorer, unseen).save(out)
    metrics = {
        **held_out,
        "source": "own",
        "contract": schema.contract,
        "method": name,
        "why": _why(len(everyone), tried, name, config),
        "auc_tried": {each: one.auc for each, one in tried.items()},
        "chosen": model.settings,
        "chosen_in_folds": chosen,
        "test_rows": len(test),
        "base_rate": base_rate,
        **pooled_figures,
        "snapshots": _in_time(scorer, learn, test, tested, unseen),
    }
    progress(3, 4, auc_oof=metrics["auc_oof"], ece_oof=metrics["ece_oof"])
    _plot(out / "plots", scorer, everyone, pooled, config)
    progress(4, 4)
    return {"risk": metrics}


class _Rows:
    """Encoded customers (N, F), labels (N,), and whose row it is where somebody has several."""

    def __init__(self, matrix: NDArray[np.float32], labels: Floats, groups: Groups) -> None:
        self.matrix, self.labels, self.groups = matrix, labels, groups

    @classmethod
    def of(cls, frame: pd.DataFrame, own: OwnFeatures) -> _Rows:
        ids = frame["customer_id"].astype(str).to_numpy()
        return cls(
            encode(rows_of(frame), own.features),
            frame["churn"].to_numpy(np.float64),
            ids if len(set(ids)) < len(ids) else None,
        )

    def cross_fit(
        self, method: Method, own: OwnFeatures, folds: NDArray[np.int64]
    ) -> tuple[OutOfFold, list[dict[str, Any]]]:
        """Out of fold, with the base rate for everybody where the scores tell nothing."""
        found, chosen = cross_fit(
            method, own.features, self.matrix, self.labels, folds, self.groups
        )
        return replace(found, flat=True), chosen


class _Tried(NamedTuple):
    """A method, its model of those to learn from, and that out of fold."""

    method: Method
    model: Fitted
    fitted: OutOfFold

    @classmethod
    def of(cls, method: Method, rows: _Rows, own: OwnFeatures, folds: NDArray[np.int64]) -> Self:
        model = method.fit(rows.matrix, rows.labels, rows.groups)
        return cls(method, model, rows.cross_fit(method.as_in(model), own, folds)[0])

    @property
    def auc(self) -> float:
        """Of the scores, out of fold."""
        return float(summary(self.fitted.labels, self.fitted.probabilities("sigmoid"))["auc"])


def _better(tried: Mapping[str, _Tried], own: OwnFeatures) -> str:
    """The method that is the model."""
    if TREES not in tried:
        return LOGISTIC
    keeps_directions = own.rising or own.falling
    return TREES if keeps_directions or tried[TREES].auc >= tried[LOGISTIC].auc else LOGISTIC


def _held_out_of(
    schema: CustomerSchema, everyone: pd.DataFrame, rows: _Rows, scorer: RiskScorer, unseen: Floats
) -> HeldOut:
    """The customers that the model learnt from, of several snapshots as in the last one; without an
    id column they are known by their features, as a row's number is somebody else's in the next
    file."""
    order: NDArray[np.integer[Any]] = np.arange(len(everyone))
    if SNAPSHOT in everyone:
        order = everyone[SNAPSHOT].argsort(kind="stable").to_numpy()
    seen = scorer.model.probabilities(rows.matrix)
    ids = everyone["customer_id"].astype(str).to_numpy()[order]
    named = None if schema.id_column is None else ids
    return HeldOut.of(named, rows.matrix[order], unseen[order], seen[order])


def _in_time(
    scorer: RiskScorer, learn: pd.DataFrame, test: pd.DataFrame, tested: _Rows, unseen: Floats
) -> dict[str, Any]:
    """Figures that nothing which is the same for all of a snapshot can raise; empty where there is
    one snapshot, or none. `unseen`: out of fold, of those to learn from and then the tested."""
    if SNAPSHOT not in learn or not learn[SNAPSHOT].max() < test[SNAPSHOT].min():
        return {}
    everyone = pd.concat([learn, test], ignore_index=True)
    return {
        "within": within_snapshots(everyone, everyone["churn"].to_numpy(np.float64), unseen),
        "later": later(tested.labels, scorer.model.probabilities(tested.matrix), tested.groups),
    }


def _why(rows: int, tried: Mapping[str, _Tried], name: str, config: RiskConfig) -> str:
    if name == TREES:
        return f"{rows:,} rows: trees, with settings chosen out of fold"
    if TREES in tried:
        return (
            f"{rows:,} rows: a logistic regression, which ranks better out of fold (AUC "
            f"{tried[LOGISTIC].auc:.3f}) than trees ({tried[TREES].auc:.3f})"
        )
    return (
        f"{rows:,} rows: below {config.trees_from_rows:,} trees can't be shown to rank better than "
        "a logistic regression, which therefore is the model"
    )


def _held_out(scorer: RiskScorer, fitted: OutOfFold, test: _Rows) -> dict[str, Any]:
    """The published model on the test split: complete rows, short rows, both calibrators."""
    model = scorer.model
    short = required_only(test.matrix, model.features)
    scores = model.forest.margins(test.matrix)
    return {
        **summary(test.labels, model.probabilities(test.matrix)),
        "required_only": summary(test.labels, model.probabilities(short)),
        "calibration": {
            kind: summary(test.labels, fitted.calibrator(kind)(scores))
            for kind in CALIBRATION_KINDS
        },
    }


def _pooled(
    pooled: OutOfFold, rows: _Rows, own: OwnFeatures, config: RiskConfig, *, is_logistic: bool
) -> dict[str, Any]:
    """Out-of-fold figures of all rows, and of the logistic regression on the same folds."""
    labels, model = pooled.labels, pooled.probabilities(config.calibration)
    short = pooled.probabilities(config.calibration, "required_only")
    logistic = pooled
    if not is_logistic:
        logistic, _ = rows.cross_fit(LogisticMethod(own.features), own, pooled.folds)
    baseline = logistic.probabilities(config.calibration)
    whose = rows.groups
    resampled = bootstrap_auc(labels, [model, baseline], config.bootstrap, config.seed, whose)
    figures, bounds = summary(labels, model), interval(resampled[:, 0])
    return {
        "auc_oof": figures["auc"],
        "auc_oof_lower": bounds[0],
        "auc_oof_interval": bounds,
        "ece_oof": figures["ece"],
        "brier_oof": figures["brier"],
        "calibration_by_mass": calibration_by_mass(labels, model, config.seed, whose),
        "rows": len(labels),
        "required_only_oof": {
            **summary(labels, short),
            "calibration_by_mass": calibration_by_mass(labels, short, config.seed, whose),
        },
        "calibration_oof": {
            kind: summary(labels, pooled.probabilities(kind)) for kind in CALIBRATION_KINDS
        },
        "baselines_oof": {
            LOGISTIC: {
                **summary(labels, baseline),
                "auc_gain_interval": interval(resampled[:, 0] - resampled[:, 1]),
            }
        },
    }


def _plot(
    folder: Path, scorer: RiskScorer, frame: pd.DataFrame, pooled: OutOfFold, config: RiskConfig
) -> None:
    curves = {"all columns": (pooled.labels, pooled.probabilities(config.calibration))}
    plot_calibration(folder, f"P(churn), {len(frame):,} customers, out of fold", curves)
    plot_importance(folder, scorer.feature_names, scorer.explain(rows_of(frame))[1])
