"""Boosted trees in numpy: log-odds and exact SHAP values of an XGBoost model, without XGBoost.

Why not the library: for one row it spends 0.25 ms on set-up (0.5 ms with contributions), and
importing it pulls in scikit-learn, SciPy and pandas. For a table of customers that is nothing, and
its trees are compiled code: `Forest.load(path, tables=True)` asks it for `LARGE` batches. Both read
the same file and agree to the last bit; `make bench` measures both.

Every tree is completed to the forest's depth D, so that all T trees have one shape. Each distinct
condition "feature >= threshold" is evaluated once per row; then the trees are folded from the
leaves up, all trees and rows at a time: a node's value is that of the child its bit points to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.predictors.config import MAX_DEPTH
from churn_assets.predictors.scoring.shapley import SubtreeShapley
from churn_assets.predictors.scoring.ubjson import load_ubjson

if TYPE_CHECKING:
    import xgboost

LARGEST_KIND = 2**62
ROWS_AT_A_TIME = 48  # the arrays of a chunk stay within the processor's nearer caches
LARGE = 512  # rows from which XGBoost is faster, its set-up and all

Floats32 = NDArray[np.float32]
Bits = NDArray[np.bool_]


def _depth(tree: Mapping[str, Any], node: int = 0) -> int:
    left, right = tree["left_children"][node], tree["right_children"][node]
    return 0 if left < 0 else 1 + max(_depth(tree, left), _depth(tree, right))


@dataclass(frozen=True)
class Forest:
    """T complete binary trees of depth D over F features; I = 2^D - 1 inner nodes, level by level.

    Attributes:
        features: F, the width of the matrix it scores.
        base: log-odds before the first tree.
        condition_feature, condition_threshold, condition_if_missing: (K,) the distinct conditions
            "x[feature] >= threshold", and the answer when x[feature] is missing.
        node_condition: (I, T) which condition decides at each inner node; true goes right.
        leaf: (2^D, T) log-odds added by each leaf.
        left_share: (I, T) share of the training weight that went left (for SHAP); NaN where a
            node only completes the tree, and both of its children are the same leaf.
        booster: XGBoost's own of the same file; None: numpy answers whatever the number of rows.
    """

    features: int
    base: np.float32
    condition_feature: NDArray[np.intp]
    condition_threshold: Floats32
    condition_if_missing: Bits
    node_condition: NDArray[np.intp]
    leaf: Floats32
    left_share: NDArray[np.float64]
    booster: xgboost.Booster | None = None

    @classmethod
    def load(cls, path: Path, *, tables: bool = False) -> Forest:
        """Read a binary:logistic model that XGBoost saved as UBJSON.

        Args:
            tables: XGBoost itself answers for `LARGE` batches, on one thread; it has to be
                installed.

        Raises:
            ValueError: not such a model, or one with categorical splits or deeper than MAX_DEPTH.
        """
        learner = load_ubjson(path)["learner"]
        objective = learner["objective"]["name"]
        if objective != "binary:logistic":
            raise ValueError(f"{path}: objective is {objective!r}, expected 'binary:logistic'")
        trees = learner["gradient_booster"]["model"]["trees"]
        if any(np.any(tree["split_type"]) for tree in trees):
            raise ValueError(f"{path}: categorical splits are not supported; encode as numbers")
        depth = max(1, *(_depth(tree) for tree in trees))
        if depth > MAX_DEPTH:
            raise ValueError(f"{path}: trees of depth {depth}, at most {MAX_DEPTH} are supported")
        parameters = learner["learner_model_param"]
        prior = np.float32(parameters["base_score"].strip("[]"))
        # As XGBoost's C++: the odds in float32, their logarithm rounded correctly.
        base = np.float32(-math.log(np.float32(1) / prior - np.float32(1)))
        forest = cls._complete(trees, depth, int(parameters["num_feature"]), base)
        if not tables:
            return forest
        # Imported here: a second and a hundred megabytes, which no request has to pay for.
        import xgboost

        return replace(forest, booster=xgboost.Booster({"nthread": 1}, model_file=path))

    @classmethod
    def _complete(
        cls, trees: list[dict[str, Any]], depth: int, features: int, base: np.float32
    ) -> Forest:
        inner, count = 2**depth - 1, len(trees)
        conditions: dict[tuple[int, float, bool], int] = {}
        node_condition = np.zeros((inner, count), np.intp)
        left_share = np.full((inner, count), np.nan)
        leaf = np.zeros((inner + 1, count), np.float32)

        def place(t: int, source: int, target: int) -> None:
            tree = trees[t]
            left, right = tree["left_children"][source], tree["right_children"][source]
            if target >= inner:
                leaf[target - inner, t] = tree["split_conditions"][source]
                return
            if left < 0:  # a leaf above the last level: both children repeat it
                left = right = source
            else:
                feature, threshold = tree["split_indices"][source], tree["split_conditions"][source]
                condition = (int(feature), float(threshold), not tree["default_left"][source])
                node_condition[target, t] = conditions.setdefault(condition, len(conditions))
                left_share[target, t] = tree["sum_hessian"][left] / tree["sum_hessian"][source]
            place(t, left, 2 * target + 1)
            place(t, right, 2 * target + 2)

        for t in range(count):
            place(t, 0, 0)
        feature, threshold, if_missing = zip(*(conditions or {(0, 0.0, False): 0}), strict=True)
        return cls(
            features=features,
            base=base,
            condition_feature=np.array(feature, np.intp),
            condition_threshold=np.array(threshold, np.float32)[:, None],
            condition_if_missing=np.array(if_missing, np.bool_)[:, None],
            node_condition=node_condition,
            leaf=leaf,
            left_share=left_share,
        )

    def margins(self, matrix: Floats32) -> Floats32:
        """Log-odds of each row of `matrix` (N, F), shape (N,); NaN in the matrix is missing."""
        if self.booster is not None and len(matrix) >= LARGE:
            return np.asarray(self.booster.inplace_predict(matrix, predict_type="margin"))
        margins = np.empty(len(matrix), np.float32)
        for chunk, bits in self._decided(matrix):
            margins[chunk] = self._fold(bits)
        return margins

    def explain(self, matrix: Floats32) -> tuple[Floats32, Floats32]:
        """`margins`, and path-dependent SHAP values (N, F) in log-odds (Lundberg et al., 2020).

        A row of values sums to its margin minus the average margin of the training data.
        """
        margins = np.empty(len(matrix), np.float32)
        contributions = np.empty((len(matrix), self.features), np.float32)
        for chunk, bits in self._decided(matrix):
            margins[chunk] = self._fold(bits)
            contributions[chunk] = self._subtrees.contributions(bits)
        return margins, contributions

    def kinds(self, matrix: Floats32) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Which rows of `matrix` (N, F) no tree can tell apart, since all of their values lie
        between the same thresholds.

        Returns:
            (K,) one row of each kind, and (N,) which of the K kinds each row is of.
        """
        kind, count = np.zeros(len(matrix), np.int64), 1
        for values, thresholds in zip(matrix.T, self._thresholds, strict=True):
            place = thresholds.searchsorted(values, side="right")
            place[np.isnan(values)] = len(thresholds) + 1
            if count * (len(thresholds) + 2) > LARGEST_KIND:  # number them anew, without gaps
                kind, count = np.unique(kind, return_inverse=True)[1], len(matrix)
            kind = kind * (len(thresholds) + 2) + place
            count *= len(thresholds) + 2
        _, examples, kinds = np.unique(kind, return_index=True, return_inverse=True)
        return examples, kinds

    def same_leaves(self, one: Floats32, other: Floats32) -> NDArray[np.float64]:
        """(N,) the share of trees that put a row of both matrices (N, F) into one leaf."""
        leaves = self._leaves(np.concatenate([one, other]))  # of a few rows the calls are the cost
        return np.asarray((leaves[: len(one)] == leaves[len(one) :]).mean(axis=1))

    def _leaves(self, matrix: Floats32) -> NDArray[np.intp]:
        """(N, T) the leaf of each tree that a row falls into."""
        found = np.empty((len(matrix), self.leaf.shape[1]), np.intp)
        trees = np.arange(self.leaf.shape[1])[:, None]
        for chunk, bits in self._decided(matrix):
            bits &= self._asks[:, :, None]  # what only completes a tree has one leaf, the left one
            node = np.zeros(bits.shape[1:], np.intp)
            for _ in range(len(self.leaf).bit_length() - 1):
                node = 2 * node + 1 + bits[node, trees, np.arange(bits.shape[2])]
            found[chunk] = node.T
        return found

    def _decided(self, matrix: Floats32) -> Iterator[tuple[slice, Bits]]:
        """The rows a chunk at a time: where they stand, and their nodes' decisions."""
        if matrix.ndim != 2 or matrix.shape[1] != self.features:
            raise ValueError(f"matrix of shape {matrix.shape}, expected (N, {self.features})")
        for start in range(0, len(matrix), ROWS_AT_A_TIME):
            chunk = slice(start, start + ROWS_AT_A_TIME)
            yield chunk, self._bits(matrix[chunk])

    def _bits(self, matrix: Floats32) -> Bits:
        """Whether each inner node sends each row to the right, shape (I, T, N)."""
        values = matrix.T.take(self.condition_feature, axis=0)
        holds = values >= self.condition_threshold  # false for NaN
        holds |= np.isnan(values) & self.condition_if_missing
        return holds.take(self.node_condition, axis=0)

    def _fold(self, bits: Bits) -> Floats32:
        values = self.leaf[:, :, None]
        while len(values) > 1:
            level = len(values) // 2
            values = np.where(bits[level - 1 : 2 * level - 1], values[1::2], values[0::2])
        sums = np.empty((values.shape[1] + 1, bits.shape[2]), np.float32)
        sums[0], sums[1:] = self.base, values[0]
        # Tree after tree in float32, as XGBoost adds them: the result agrees to the last bit, does
        # not depend on the number of rows, and stays monotone where every tree is.
        return np.add.accumulate(sums, axis=0)[-1]

    @cached_property
    def _thresholds(self) -> list[Floats32]:
        """Of each feature, what the trees compare it with, in order."""
        return [
            np.unique(self.condition_threshold[self.condition_feature == feature, 0])
            for feature in range(self.features)
        ]

    @cached_property
    def _asks(self) -> Bits:
        """(I, T) whether a node has two different leaves below it."""
        return ~np.isnan(self.left_share)

    @cached_property
    def _subtrees(self) -> SubtreeShapley:
        return SubtreeShapley.of(
            self.condition_feature[self.node_condition], self.left_share, self.leaf, self.features
        )
