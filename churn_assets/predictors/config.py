"""Settings of the predictors: two boosters, their calibration and the assumed offer response."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from churn_assets.domain.paths import AbsolutePath

CalibrationKind = Literal["sigmoid", "isotonic"]
MAX_DEPTH = 6
"""Deepest trees that the scorer takes: it completes each tree to 2^depth leaves."""


class BoosterConfig(BaseModel):
    """XGBoost's hyperparameters and how its scores are calibrated.

    Attributes:
        trees: boosting rounds.
        max_depth: of a tree; at most 6, which the scorer completes to 2^depth leaves.
        learning_rate: what each tree adds is multiplied by it.
        columns_per_tree: share of the features that each tree may split on.
        rows_per_tree: share of the rows that each tree is fitted to.
        bins: histogram bins of a feature (XGBoost's `max_bin`).
        threads: XGBoost's; more give the same model faster.
        seed: of the draws of rows, columns and folds.
        calibration: from log-odds to probabilities: Platt's `sigmoid` or `isotonic` regression.
        calibration_folds: folds whose out-of-fold scores the calibration is fitted on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    trees: int = Field(200, ge=1)
    max_depth: int = Field(3, ge=1, le=MAX_DEPTH)
    learning_rate: float = Field(0.05, gt=0, le=1)
    columns_per_tree: float = Field(0.4, gt=0, le=1)
    rows_per_tree: float = Field(0.8, gt=0, le=1)
    bins: int = Field(64, ge=2)
    threads: int = Field(1, ge=1)
    seed: int = 42
    calibration: CalibrationKind = "sigmoid"
    calibration_folds: int = Field(5, ge=2)
    masked_copies: int = Field(1, ge=0)
    """Copies of each training row whose optional values are masked at random, so that a missing
    value has been learned, not guessed."""


SPECIFICATION = BoosterConfig(
    trees=100,
    max_depth=6,
    learning_rate=0.3,
    columns_per_tree=1.0,
    rows_per_tree=1.0,
    bins=256,
    calibration="isotonic",
    masked_copies=0,
)
"""The specification's booster, a baseline (learning rate and bins: XGBoost's defaults)."""


class SearchedConfig(BoosterConfig):
    """How the booster's settings are found for your own customers (`training/own/methods.py`)."""

    search_candidates: int = Field(12, ge=0)
    """Of your own customers: settings of the trees (depth, learning rate, share of columns) that
    are tried, in each fold anew; 0 takes the settings above, as the public tables' models do."""
    search_rows: int = Field(10_000, ge=100)
    """Rows that the search looks at, at most."""
    trees_from_rows: int = Field(1000, ge=0)
    """Of your own customers: with fewer rows a logistic regression ships instead of trees."""


class RiskConfig(SearchedConfig):
    """P(churn).

    Attributes:
        bootstrap: resamples behind every interval.
    """

    folds: int = Field(10, ge=2)
    """Folds of the pooled out-of-fold evaluation."""
    bootstrap: int = Field(1000, ge=100)


class OfferEffect(BaseModel):
    """logit p_k = logit p_0 + strength · s(z) · k^exponent, k the offer level, z price pressure.

    Attributes:
        strength: log-odds that the first offer level adds at price pressure 1/2.
        exponent: how the effect grows with the level; 1 is a straight line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    strength: float = Field(ge=0)
    exponent: float = Field(gt=0)


OFFER_EFFECTS = {
    "illustrative": OfferEffect(strength=1.79, exponent=0.75),
    "conservative": OfferEffect(strength=0.35, exponent=1.0),
}


class AcceptConfig(SearchedConfig):
    """P(accept | offer): how the boosters are trained, and where the offers' responses are from.

    Attributes:
        bootstrap: resamples behind every interval.
    """

    trees: int = Field(100, ge=1)
    max_depth: int = Field(4, ge=1, le=MAX_DEPTH)
    learning_rate: float = Field(0.1, gt=0, le=1)
    columns_per_tree: float = Field(1.0, gt=0, le=1)
    calibration_folds: int = Field(3, ge=2)

    effect: Literal["illustrative", "conservative"] = "illustrative"
    """The assumed response to a discount (`OFFER_EFFECTS`); the public data has none."""
    campaign_log: AbsolutePath | None = None
    """A Parquet or CSV file of your own contacts (features, offer_level, accepted; `campaign_log`
    has the columns). It replaces the simulated responses."""
    bootstrap: int = Field(1000, ge=100)
    support_rows: int = Field(5, ge=1)
    """A customer is inside the support at an offer if at least so many training contacts with that
    offer are like them (five: the smallest count that statistics' rules of thumb accept in a cell),
    """
    support_reach: float = Field(0.10, gt=0, lt=1)
    """and if those tell their acceptance to within so much (half of its 95 % interval)."""
    thin_support_rows: int = Field(100, ge=1)
    """Below this a customer's support is reported as thin."""

    @property
    def offer_effect(self) -> OfferEffect:
        """The preset's numbers."""
        return OFFER_EFFECTS[self.effect]
