"""The numpy forest is XGBoost's model: same log-odds, same SHAP values, from the same file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb
from numpy.typing import NDArray

import churn_assets.predictors.scoring.forest as forest_module
from churn_assets.predictors.scoring.forest import LARGE, ROWS_AT_A_TIME, Forest
from churn_assets.predictors.scoring.ubjson import load_ubjson

Matrix = NDArray[np.float32]


def draw(rows: int, seed: int) -> tuple[Matrix, NDArray[np.float64]]:
    """Six features with missing values, ties and a label that depends on three of them."""
    rng = np.random.default_rng(seed)
    matrix = np.round(rng.normal(size=(rows, 6)), 1).astype(np.float32)
    score = matrix[:, 0] - matrix[:, 1] * matrix[:, 2]
    labels = (score + rng.normal(size=rows) > 0).astype(np.float64)
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    return matrix, labels


def train(depth: int, trees: int = 30, **parameters: object) -> tuple[xgb.Booster, Matrix]:
    matrix, labels = draw(800, seed=depth)
    settings = {"objective": "binary:logistic", "max_depth": depth, "nthread": 1, **parameters}
    return xgb.train(settings, xgb.DMatrix(matrix, labels), trees), draw(700, seed=99)[0]


def load(booster: xgb.Booster, folder: Path) -> Forest:
    booster.save_model(folder / "model.ubj")
    return Forest.load(folder / "model.ubj")


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6])
def test_margins_are_xgboosts_to_the_last_bit(depth: int, tmp_path: Path) -> None:
    """A serving score that differs from training's can't be told from a wrong model."""
    booster, matrix = train(depth)
    expected = booster.inplace_predict(matrix, predict_type="margin")
    np.testing.assert_array_equal(load(booster, tmp_path).margins(matrix), expected)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_rows_share_the_leaves_that_xgboost_says(depth: int, tmp_path: Path) -> None:
    """Of trees with leaves at every level, missing values among the rows; a row shares all of its
    leaves with itself."""
    booster, matrix = train(depth, gamma=1.0)
    forest, other = load(booster, tmp_path), np.roll(matrix, 1, axis=0)
    one, two = (booster.predict(xgb.DMatrix(m), pred_leaf=True) for m in (matrix, other))
    expected = (one == two).mean(axis=1)
    assert 0 < expected.mean() < 1
    np.testing.assert_allclose(forest.same_leaves(matrix, other), expected, atol=1e-12)
    np.testing.assert_array_equal(forest.same_leaves(matrix, matrix), 1.0)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_contributions_are_xgboosts(depth: int, tmp_path: Path) -> None:
    """Reasons shown to an agent are exact SHAP values, also where a path repeats a feature."""
    booster, matrix = train(depth)
    expected = booster.predict(xgb.DMatrix(matrix), pred_contribs=True)[:, :-1]
    found = load(booster, tmp_path).explain(matrix)[1]
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_contribution_of_one_split_has_its_closed_form(tmp_path: Path) -> None:
    """With one split the value is the leaf minus the mean leaf, weighted by the training rows."""
    matrix = np.array([[0.0], [0.0], [0.0], [1.0]], np.float32)
    settings = {"max_depth": 1, "base_score": 0.5, "lambda": 0, "min_child_weight": 0}
    booster = xgb.train(
        {"objective": "binary:logistic", **settings},
        xgb.DMatrix(matrix, [0, 0, 1, 1]),
        num_boost_round=1,
    )
    forest = load(booster, tmp_path)
    leaves = forest.margins(matrix).astype(np.float64)  # all hessians are 1/4: equal weights
    found = forest.explain(matrix)[1][:, 0]
    np.testing.assert_allclose(found, leaves - leaves.mean(), atol=1e-6)


def test_number_of_rows_does_not_change_a_score(tmp_path: Path) -> None:
    """Batch and API agree to the last bit, also across the borders of chunks."""
    booster, _ = train(3)
    forest = load(booster, tmp_path)
    matrix = draw(ROWS_AT_A_TIME + 3, seed=7)[0]
    together = forest.margins(matrix)
    for row in (0, 1, ROWS_AT_A_TIME - 1, ROWS_AT_A_TIME, ROWS_AT_A_TIME + 2):
        assert forest.margins(matrix[row : row + 1])[0] == together[row]
    assert forest.margins(matrix[:0]).shape == (0,)


def test_stump_forest_without_a_split_is_constant(tmp_path: Path) -> None:
    """Labels that no feature explains give trees that are a single leaf."""
    matrix = np.zeros((10, 2), np.float32)
    booster = xgb.train(
        {"objective": "binary:logistic", "max_depth": 3}, xgb.DMatrix(matrix, [0, 1] * 5), 3
    )
    forest = load(booster, tmp_path)
    expected = booster.inplace_predict(matrix, predict_type="margin")
    np.testing.assert_array_equal(forest.margins(matrix), expected)
    np.testing.assert_array_equal(forest.explain(matrix)[1], np.zeros((10, 2)))


def test_refuses_what_it_cannot_score(tmp_path: Path) -> None:
    """A model it would score wrongly is an error on load, not a wrong number later."""
    with pytest.raises(ValueError, match="at most 6"):
        load(train(8, trees=40)[0], tmp_path)
    with pytest.raises(ValueError, match="reg:squarederror"):
        load(train(2, objective="reg:squarederror")[0], tmp_path)
    booster, matrix = train(2)
    with pytest.raises(ValueError, match=r"expected \(N, 6\)"):
        load(booster, tmp_path).margins(matrix[:, :4])


@pytest.mark.parametrize("kept", [0, 1, 100, 5000])
def test_truncated_file_is_named(kept: int, tmp_path: Path) -> None:
    """A half-written model file must never load."""
    train(3)[0].save_model(tmp_path / "model.ubj")
    content = (tmp_path / "model.ubj").read_bytes()
    (tmp_path / "model.ubj").write_bytes(content[:kept])
    with pytest.raises(ValueError, match=r"model\.ubj is not an XGBoost UBJSON model"):
        load_ubjson(tmp_path / "model.ubj")


@pytest.mark.parametrize("depth", [1, 3, 4, 6])
@pytest.mark.parametrize("rows", [LARGE - 1, LARGE, LARGE + 1, 3 * LARGE])
def test_tables_are_scored_to_the_same_bit_on_both_sides_of_the_switch(
    depth: int, rows: int, tmp_path: Path
) -> None:
    """XGBoost answers large batches, numpy small ones: a customer's risk must not tell which."""
    booster, _ = train(depth)
    booster.save_model(tmp_path / "model.ubj")
    matrix = draw(rows, seed=rows)[0]
    both, numpy_only = (Forest.load(tmp_path / "model.ubj", tables=t) for t in (True, False))
    assert numpy_only.booster is None
    found = both.margins(matrix)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, numpy_only.margins(matrix))
    columns_first = np.asfortranarray(matrix)
    np.testing.assert_array_equal(both.margins(columns_first), found)


def test_the_switch_is_at_large_batches(tmp_path: Path) -> None:
    """For a few rows XGBoost's set-up costs more than its trees."""
    booster, _ = train(3)
    booster.save_model(tmp_path / "model.ubj")
    asked: list[int] = []

    class Counting:
        def inplace_predict(self, matrix: Matrix, **given: object) -> Matrix:
            asked.append(len(matrix))
            return np.zeros(len(matrix), np.float32)

    forest = replace(load(booster, tmp_path), booster=Counting())  # type: ignore[arg-type]
    for rows in (1, LARGE - 1, LARGE, LARGE + 1):
        forest.margins(draw(rows, seed=1)[0])
    assert asked == [LARGE, LARGE + 1]


@pytest.mark.parametrize("largest", [2**62, 50])
def test_rows_of_one_kind_have_one_score(
    largest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only one of each kind is scored; a kind that mixed two would give one the other's score."""
    monkeypatch.setattr(forest_module, "LARGEST_KIND", largest)
    booster, _ = train(2, trees=3)
    forest = load(booster, tmp_path)
    matrix = draw(900, seed=5)[0]
    examples, kinds = forest.kinds(matrix)
    assert len(examples) < len(matrix) / 2
    np.testing.assert_array_equal(forest.margins(matrix[examples])[kinds], forest.margins(matrix))
    # No more kinds than there are different decisions of all nodes.
    bits = forest._bits(matrix).reshape(-1, len(matrix))
    assert len(examples) >= len(np.unique(bits, axis=1).T)
    assert forest.kinds(matrix[:0])[0].shape == (0,)
