"""A logistic regression as the scorer reads it: log-odds as a sum of one term for each feature.

Few rows can't teach trees more than that. It stands in `model.json` under `linear`, where a model
of trees has its `model.ubj`, and answers as `Forest` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Term:
    """What one feature adds to the log-odds.

    Attributes:
        slope: of a number, per unit; 0 for a category.
        levels: of a category, what each code adds; empty for a number.
        if_missing: what a missing value adds.
        average: what it adds on average over the training rows.
    """

    slope: float
    levels: tuple[float, ...]
    if_missing: float
    average: float

    def __call__(self, column: Floats32) -> NDArray[np.float64]:
        """Of each value of an encoded column (N,)."""
        missing = np.isnan(column)
        known = np.where(missing, 0.0, column.astype(np.float64))
        if self.levels:
            table = np.array(self.levels)
            added = table[np.minimum(known.astype(np.int64), len(table) - 1)]
        else:
            added = self.slope * known
        return np.where(missing, self.if_missing, added)


@dataclass(frozen=True)
class Linear:
    """The sum of an intercept and a term for each of the F features."""

    intercept: float
    terms: tuple[Term, ...]

    @property
    def features(self) -> int:
        """How many columns it reads."""
        return len(self.terms)

    def margins(self, matrix: Floats32) -> Floats32:
        """Log-odds (N,) of an encoded matrix (N, F)."""
        return self._sum(self._added(matrix))

    def explain(self, matrix: Floats32) -> tuple[Floats32, Floats32]:
        """`margins`, and what each feature adds beyond its average, (N, F): for a sum of terms of
        independent features these are the exact SHAP values."""
        added = self._added(matrix)
        average = np.array([term.average for term in self.terms])
        return self._sum(added), (added - average).astype(np.float32)

    def same_leaves(self, one: Floats32, other: Floats32) -> NDArray[np.float64]:
        """(N,) ones: what a regression remembers of a row stands in its coefficients, wherever the
        row has moved to."""
        return np.ones(len(one))

    def _added(self, matrix: Floats32) -> NDArray[np.float64]:
        if matrix.ndim != 2 or matrix.shape[1] != self.features:
            raise ValueError(f"matrix of shape {matrix.shape}, expected (N, {self.features})")
        return np.column_stack(
            [term(column) for term, column in zip(self.terms, matrix.T, strict=True)]
        )

    def _sum(self, added: NDArray[np.float64]) -> Floats32:
        # Term after term, so that a row's sum doesn't depend on how many rows are asked about.
        total = np.full(len(added), self.intercept)
        for column in added.T:
            total += column
        return total.astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """As it stands in `model.json`."""
        terms = [
            {
                "slope": term.slope,
                "levels": list(term.levels),
                "if_missing": term.if_missing,
                "average": term.average,
            }
            for term in self.terms
        ]
        return {"intercept": self.intercept, "terms": terms}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Linear:
        """The inverse of `to_json`; raises ValueError where it is none."""
        try:
            terms: Sequence[Mapping[str, Any]] = stored["terms"]
            return cls(
                float(stored["intercept"]),
                tuple(
                    Term(
                        float(t["slope"]),
                        tuple(map(float, t["levels"])),
                        float(t["if_missing"]),
                        float(t["average"]),
                    )
                    for t in terms
                ),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"no linear model: {error!r}") from error
