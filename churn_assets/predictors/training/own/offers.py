"""How a company's own accept model is learnt from its log: three methods, the simplest first.

All know that acceptance never falls in the offer, unless they are `free`, for the placebo. Each
level's own effect is a step of its own, not a straight line: what a level gives need not grow
evenly, nor what it brings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from churn_assets.domain.statistics import logit
from churn_assets.predictors.config import AcceptConfig
from churn_assets.predictors.scoring.features import Feature
from churn_assets.predictors.scoring.linear import Linear, Term
from churn_assets.predictors.training.baselines import fit_linear
from churn_assets.predictors.training.own.features import OwnFeatures
from churn_assets.predictors.training.own.methods import (
    FittedLinear,
    Groups,
    Method,
    TreesMethod,
)

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

OFFER_ALONE, LOGISTIC, TREES = "offer_alone", "logistic_regression", "boosted_trees"


def level_log_odds(matrix: Matrix, accepted: Floats, levels: int, free: bool) -> Floats:
    """Log-odds of the acceptance at each offer (L,), of contacts (N, F) and their answers (N,).

    Never falling in the offer unless `free` (isotonic regression, weighted by the contacts). A row
    of the mean acceptance is added to each level, so that none is certain.
    """
    offer = matrix[:, -1].astype(np.int64)
    made = np.bincount(offer, minlength=levels) + 1.0
    rates = (np.bincount(offer, accepted, minlength=levels) + accepted.mean()) / made
    return logit(rates if free else isotonic_regression(rates, weights=made).x)


def _offer_term(added: Floats, matrix: Matrix) -> Term:
    term = Term(0.0, tuple(map(float, added)), 0.0, 0.0)
    return replace(term, average=float(term(matrix[:, -1]).mean()))


@dataclass(frozen=True)
class OfferAlone:
    """The acceptance of each offer, the same for everybody."""

    features: tuple[Feature, ...]
    levels: int
    free: bool = False

    def fit(self, matrix: Matrix, labels: Floats, groups: Groups) -> FittedLinear:
        added = level_log_odds(matrix, labels, self.levels, self.free)
        nothing = [Term(0.0, (), 0.0, 0.0)] * (len(self.features) - 1)
        return FittedLinear(Linear(0.0, (*nothing, _offer_term(added, matrix))))

    def as_in(self, fitted: object) -> OfferAlone:
        return self


@dataclass(frozen=True)
class OfferAndLogistic:
    """L2-regularised logistic regression on the features and each level's log-odds."""

    features: tuple[Feature, ...]
    levels: int
    free: bool = False

    def fit(self, matrix: Matrix, labels: Floats, groups: Groups) -> FittedLinear:
        added = level_log_odds(matrix, labels, self.levels, self.free)
        shown = matrix.copy()
        shown[:, -1] = added[matrix[:, -1].astype(np.int64)]
        linear = fit_linear(shown, labels, self.features)
        *others, offer = linear.terms
        slope = offer.slope if self.free else max(offer.slope, 0.0)
        lost = (offer.slope - slope) * float(shown[:, -1].mean())
        terms = (*others, _offer_term(slope * added, matrix))
        return FittedLinear(Linear(linear.intercept + lost, terms))

    def as_in(self, fitted: object) -> OfferAndLogistic:
        return self


def methods(
    own: OwnFeatures, levels: int, config: AcceptConfig, rows: int
) -> dict[str, OfferAlone | OfferAndLogistic | TreesMethod]:
    """The methods that so many rows can teach, the simplest first."""
    found: dict[str, OfferAlone | OfferAndLogistic | TreesMethod] = {
        OFFER_ALONE: OfferAlone(own.features, levels),
        LOGISTIC: OfferAndLogistic(own.features, levels),
    }
    if rows >= config.trees_from_rows:
        found[TREES] = TreesMethod(own, config)
    return found


def free(method: Method) -> Method:
    """The same method, free to find that acceptance falls in the offer."""
    if isinstance(method, TreesMethod):
        own = replace(method.own, rising=frozenset(), falling=frozenset())
        return replace(
            method, own=own, config=method.config.model_copy(update={"masked_copies": 0})
        )
    if isinstance(method, OfferAlone | OfferAndLogistic):
        return replace(method, free=True)
    raise TypeError(f"{type(method).__name__} is no method of a log")
