"""The search for a company's own settings: what is tried, who goes on, how a loss is measured."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from churn_assets.domain.statistics import sigmoid
from churn_assets.predictors.config import BoosterConfig, RiskConfig
from churn_assets.predictors.scoring.features import Feature
from churn_assets.predictors.training.own.features import OwnFeatures
from churn_assets.predictors.training.own.methods import (
    CHECKPOINTS,
    LogisticMethod,
    TreesMethod,
    cross_fit,
    folds_of,
)

NUMBERS = (Feature("a", "number", required=True), Feature("b", "number", required=True))
OWN = OwnFeatures(NUMBERS, frozenset(), frozenset())


def method(**changes: object) -> TreesMethod:
    return TreesMethod(OWN, RiskConfig().model_copy(update=changes))


def settings_of(config: BoosterConfig) -> tuple[float, ...]:
    return config.max_depth, config.learning_rate, config.columns_per_tree


def rows(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    matrix = rng.random((count, 2)).astype(np.float32)
    return matrix, (rng.random(count) < matrix[:, 0]).astype(float)


def test_a_third_goes_on_and_the_best_of_these_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine on one fold, three on two, one on three; the number of trees with the least loss."""
    asked: list[tuple[BoosterConfig, int]] = []

    def losses(
        self: TreesMethod, config: BoosterConfig, matrix: object, labels: object, held: np.ndarray
    ) -> list[float]:
        asked.append((config, int(held.sum())))
        place = tried.index(config)
        on = sum(config == seen for seen, _ in asked)
        loss = {4: 0.30, 7: 0.31, 2: 0.32}.get(place, 0.4 + place / 100)
        loss += 0.1 if place == 4 and on == 2 else 0.0  # the first fold flattered it
        return [loss + 0.02, loss + 0.01, loss, loss + 0.01, loss + 0.02]

    monkeypatch.setattr(TreesMethod, "_losses", losses)
    search = method(search_candidates=9)
    tried = search._candidates()
    chosen = search.search(*rows(90), None)
    assert chosen == tried[7].model_copy(update={"trees": CHECKPOINTS[2]})
    order = [tried.index(config) for config, _ in asked]
    assert sorted(order[:9]) == list(range(9))
    assert order[9:] == [4, 7, 2, 7]
    assert {held for _, held in asked} == {30}


def test_what_is_tried_is_the_grids() -> None:
    """No setting twice, none beside the grid; masked copies only where something can be missing."""
    tried = method(search_candidates=24)._candidates()
    settings = [settings_of(config) for config in tried]
    assert sorted(set(settings)) == settings  # all 24, none twice
    assert len(settings) == 24
    assert {config.trees for config in tried} == {max(CHECKPOINTS)}
    assert {config.masked_copies for config in tried} == {0}
    few = [settings_of(config) for config in method(search_candidates=5)._candidates()]
    assert len(set(few) & set(settings)) == len(few) == 5
    optional = OwnFeatures((*NUMBERS, Feature("c", "number", required=False)), *[frozenset()] * 2)
    config = RiskConfig(search_candidates=1)
    [only] = TreesMethod(optional, config)._candidates()
    assert only.masked_copies == config.masked_copies > 0


def test_a_loss_is_the_log_loss_after_so_many_trees() -> None:
    """On the held-out rows, by boosters of the others."""
    search, (matrix, labels) = method(), rows(200)
    held = np.arange(200) % 4 == 0
    config = BoosterConfig(trees=max(CHECKPOINTS), max_depth=2, masked_copies=0)
    losses = search._losses(config, matrix, labels, held)
    assert len(losses) == len(CHECKPOINTS)
    for trees, loss in zip(CHECKPOINTS[:2], losses, strict=False):
        fewer = search._learner(config.model_copy(update={"trees": trees}))
        booster = fewer.train(matrix[~held], labels[~held])
        told = sigmoid(booster.inplace_predict(matrix[held], predict_type="margin").astype(float))
        assert loss == pytest.approx(log_loss(labels[held], told), rel=1e-5)


def test_a_fold_is_scored_by_a_model_of_the_others() -> None:
    """Whole rows, and such with nothing but what is required."""
    features = (*NUMBERS[:1], Feature("b", "number", required=False))
    regression, (matrix, labels) = LogisticMethod(features), rows(120)
    folds = folds_of(labels, 3, 0, None)
    pooled, settings = cross_fit(regression, features, matrix, labels, folds, None)
    assert settings == [{}] * 3
    short = matrix.copy()
    short[:, 1] = np.nan
    for fold in range(3):
        held = folds == fold
        fitted = regression.fit(matrix[~held], labels[~held], None)
        np.testing.assert_array_equal(pooled.scores["full"][held], fitted.margins(matrix[held]))
        np.testing.assert_array_equal(
            pooled.scores["required_only"][held], fitted.margins(short[held])
        )
