"""How a company's own risk model is learnt: boosted trees whose settings the data choose, or a
logistic regression where there are too few rows for trees.

The search is a small successive halving (Jamieson & Talwalkar, 2016): every candidate is judged on
one fold, the better third on a second one as well, the best of these on a third; the number of
trees is read off on the way. It sees the rows that the model is fitted to and no others, so that
figures from an outer fold hold for the choice too. Its cost is bounded by counts, not by a clock:
the same data give the same model on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from churn_assets.predictors.config import BoosterConfig, SearchedConfig
from churn_assets.predictors.scoring.calibration import Calibrator
from churn_assets.predictors.scoring.features import Feature
from churn_assets.predictors.scoring.linear import Linear
from churn_assets.predictors.scoring.scorers import FORMAT, ModelKind
from churn_assets.predictors.training.baselines import fit_linear
from churn_assets.predictors.training.boosting import (
    Learner,
    OutOfFold,
    margins,
    required_only,
    save_model,
    stratified_folds,
)
from churn_assets.predictors.training.own.features import OwnFeatures
from churn_assets.predictors.training.streams import stream

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Groups = NDArray[Any] | None
"""(N,) whose row it is; None where everybody has one."""

DEPTHS, RATES, SHARES = (3, 4, 5, 6), (0.05, 0.1, 0.2), (0.4, 0.8)
CHECKPOINTS = (50, 100, 200, 300, 400)  # numbers of trees
SEARCH_FOLDS = 3
KEPT = 3  # of so many candidates one goes on to the next fold


class Fitted(Protocol):
    """A model that was fitted."""

    @property
    def settings(self) -> dict[str, Any]:
        """What was chosen, for the report."""
        ...

    def margins(self, matrix: Matrix) -> Floats:
        """Log-odds (N,)."""
        ...


class Method(Protocol):
    """Fits a model to rows (N, F) and labels (N,), with every choice that it makes."""

    def fit(self, matrix: Matrix, labels: Floats, groups: Groups) -> Fitted:
        """The model; `groups` are kept together wherever rows are split to choose something."""
        ...

    def as_in(self, fitted: Fitted) -> Method:
        """The same method with the choices of a model that it fitted, which it makes no more."""
        ...


@dataclass(frozen=True)
class FittedTrees:
    """A booster and the settings that it was trained with."""

    booster: xgb.Booster
    config: BoosterConfig

    @property
    def settings(self) -> dict[str, Any]:
        names = ("trees", "max_depth", "learning_rate", "columns_per_tree")
        return {name: getattr(self.config, name) for name in names}

    def margins(self, matrix: Matrix) -> Floats:
        return margins(self.booster, matrix)


@dataclass(frozen=True)
class FittedLinear:
    """A logistic regression."""

    linear: Linear

    @property
    def settings(self) -> dict[str, Any]:
        return {}

    def margins(self, matrix: Matrix) -> Floats:
        return self.linear.margins(matrix).astype(np.float64)


@dataclass(frozen=True)
class LogisticMethod:
    """L2-regularised logistic regression."""

    features: tuple[Feature, ...]

    def fit(self, matrix: Matrix, labels: Floats, groups: Groups) -> FittedLinear:
        return FittedLinear(fit_linear(matrix, labels, self.features))

    def as_in(self, fitted: Fitted) -> LogisticMethod:
        return self


@dataclass(frozen=True)
class TreesMethod:
    """Boosted trees; depth, learning rate, share of columns and number are searched for."""

    own: OwnFeatures
    config: SearchedConfig

    def fit(self, matrix: Matrix, labels: Floats, groups: Groups) -> FittedTrees:
        chosen = self.search(matrix, labels, groups)
        return FittedTrees(self._learner(chosen).train(matrix, labels), chosen)

    def as_in(self, fitted: Fitted) -> TreesMethod:
        chosen = {**fitted.settings, "search_candidates": 0}
        return replace(self, config=self.config.model_copy(update=chosen))

    def search(self, matrix: Matrix, labels: Floats, groups: Groups) -> BoosterConfig:
        """The settings with the least log-loss out of fold."""
        candidates = self._candidates()
        if len(candidates) == 1:
            return candidates[0]
        rng = stream(self.config.seed, "search")
        if len(labels) > self.config.search_rows:
            rows = np.sort(rng.choice(len(labels), self.config.search_rows, replace=False))
            matrix, labels = matrix[rows], labels[rows]
            groups = None if groups is None else groups[rows]
        folds = folds_of(labels, SEARCH_FOLDS, self.config.seed, groups)
        losses: dict[int, list[list[float]]] = {i: [] for i in range(len(candidates))}
        alive = list(losses)
        for fold in range(SEARCH_FOLDS):
            for i in alive:
                losses[i].append(self._losses(candidates[i], matrix, labels, folds == fold))
            ranked = sorted(alive, key=lambda i: float(np.mean(losses[i], axis=0).min()))
            alive = ranked[: max(1, len(ranked) // KEPT)]
        best = alive[0]
        at = int(np.mean(losses[best], axis=0).argmin())
        return candidates[best].model_copy(update={"trees": CHECKPOINTS[at]})

    def _candidates(self) -> list[BoosterConfig]:
        """Settings to try, at most `search_candidates`; the fixed ones where that is 0."""
        plain = {} if any(not f.required for f in self.own.features) else {"masked_copies": 0}
        config = self.config.model_copy(update=plain)
        grid = list(product(DEPTHS, RATES, SHARES))
        rng = stream(self.config.seed, "search")
        tried = rng.permutation(len(grid))[: self.config.search_candidates]
        names = ("max_depth", "learning_rate", "columns_per_tree")
        return [
            config.model_copy(
                update={**dict(zip(names, grid[i], strict=True)), "trees": max(CHECKPOINTS)}
            )
            for i in sorted(tried)
        ] or [config]

    def _losses(
        self, config: BoosterConfig, matrix: Matrix, labels: Floats, held: NDArray[np.bool_]
    ) -> list[float]:
        """Log-loss on the held-out rows after each number of trees."""
        booster = self._learner(config).train(matrix[~held], labels[~held])
        losses = []
        for trees in CHECKPOINTS:
            scores = booster.inplace_predict(
                matrix[held], iteration_range=(0, trees), predict_type="margin"
            ).astype(np.float64)
            signed = np.where(labels[held] == 1, -scores, scores)
            losses.append(float(np.logaddexp(0, signed).mean()))
        return losses

    def _learner(self, config: BoosterConfig) -> Learner:
        return Learner(self.own.features, config, self.own.rising, self.own.falling)


def folds_of(labels: Floats, count: int, seed: int, groups: Groups) -> NDArray[np.int64]:
    """A fold for each row (N,), with equal shares of each label; a group's rows are in one."""
    if groups is None:
        return stratified_folds(labels, count, seed)
    folds = np.empty(len(labels), np.int64)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for number, (_, held) in enumerate(splitter.split(np.zeros(len(labels)), labels, groups)):
        folds[held] = number
    return folds


def cross_fit(
    method: Method,
    features: Sequence[Feature],
    matrix: Matrix,
    labels: Floats,
    folds: NDArray[np.int64],
    groups: Groups,
) -> tuple[OutOfFold, list[dict[str, Any]]]:
    """Out-of-fold log-odds of complete rows (`full`) and of such with nothing but what is required
    (`required_only`), and the settings chosen in each fold."""
    views = {"full": matrix, "required_only": required_only(matrix, features)}
    scores = {name: np.empty(len(labels)) for name in views}
    settings = []
    for fold in np.unique(folds):
        held = folds == fold
        fitted = method.fit(matrix[~held], labels[~held], None if groups is None else groups[~held])
        settings.append(fitted.settings)
        for name, view in views.items():
            scores[name][held] = fitted.margins(view[held])
    return OutOfFold(labels, folds, scores), settings


def save_fitted(
    out: Path,
    kind: ModelKind,
    model: Fitted,
    calibrator: Calibrator,
    features: Sequence[Feature],
    base_rate: float,
) -> None:
    """Write `model.json`, and `model.ubj` where the model is trees, into `out`.

    Raises:
        TypeError: a model that no file format is known for.
    """
    if isinstance(model, FittedTrees):
        save_model(out, kind, model.booster, calibrator, features, base_rate=base_rate)
        return
    if not isinstance(model, FittedLinear):
        raise TypeError(f"{type(model).__name__} can't be saved")
    document = {
        "kind": kind,
        "format": FORMAT,
        "features": [feature.to_json() for feature in features],
        "calibrator": calibrator.to_json(),
        "base_rate": base_rate,
        "linear": model.linear.to_json(),
    }
    (out / "model.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
