"""Score customers: the one path that API, batch predictions and evaluation share.

    rows -> encode (numpy) -> forest (log-odds) -> calibrator -> probability

Needs numpy only. A model folder holds `model.ubj` (the booster, XGBoost's own format) and
`model.json` (feature contract, calibrator, base rate, price-pressure knots). A row is a mapping as
`features` describes: the contract's fields, and contact history for the accept model; other keys
are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.predictors.scoring.calibration import Calibrator, calibrator_from_json
from churn_assets.predictors.scoring.corrected import corrected
from churn_assets.predictors.scoring.features import (
    Feature,
    PricePressure,
    Row,
    encode,
    with_contact_history,
)
from churn_assets.predictors.scoring.forest import Forest
from churn_assets.predictors.scoring.linear import Linear

FORMAT = 1
ModelKind = Literal["risk", "accept"]


@dataclass(frozen=True)
class CalibratedModel:
    """A booster and its calibrator over a fixed feature contract.

    Attributes:
        features: the matrix's columns, in order.
        forest: the booster, or the logistic regression that few rows are answered with.
        calibrator: log-odds -> probability.
        metadata: the whole `model.json`.
    """

    features: tuple[Feature, ...]
    forest: Forest | Linear
    calibrator: Calibrator
    metadata: dict[str, Any]

    @classmethod
    def load(cls, folder: Path, kind: ModelKind) -> CalibratedModel:
        """Read `model.ubj` and `model.json` from `folder`.

        Raises:
            FileNotFoundError: a file is missing.
            ValueError: not a model of this kind and format; says what was found.
        """
        metadata = json.loads((folder / "model.json").read_text())
        found = (metadata.get("kind"), metadata.get("format"))
        if found != (kind, FORMAT):
            raise ValueError(
                f"{folder}/model.json holds (kind, format) {found}, expected {(kind, FORMAT)}"
            )
        features = tuple(Feature.from_json(item) for item in metadata["features"])
        linear = metadata.get("linear")
        forest = Linear.from_json(linear) if linear else Forest.load(folder / "model.ubj")
        if forest.features != len(features):
            raise ValueError(
                f"{folder}: the model has {forest.features} features, model.json {len(features)}"
            )
        return cls(features, forest, calibrator_from_json(metadata["calibrator"]), metadata)

    def probabilities(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrated probabilities (N,) of an encoded matrix (N, F)."""
        return self.calibrator(self.forest.margins(matrix))


@dataclass(frozen=True)
class RiskScorer:
    """P(churn) of customers."""

    model: CalibratedModel

    @classmethod
    def load(cls, folder: Path) -> RiskScorer:
        """Read a risk model's folder; raises as `CalibratedModel.load`."""
        return cls(CalibratedModel.load(folder, "risk"))

    def predict(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        """P(churn), shape (N,), strictly within (0, 1).

        Raises:
            FeatureError: (a ValueError) a required field is missing or a value is not allowed.
        """
        return self.model.probabilities(encode(rows, self.model.features))

    def explain(self, rows: Sequence[Row]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """P(churn), and what each feature adds to its log-odds before calibration.

        Returns:
            The probabilities (N,) of `predict`, and exact SHAP values (N, F) in the order of
            `feature_names`: positive raises the risk. A row sums to its log-odds minus the
            training data's average.

        Raises:
            FeatureError: as `predict`.
        """
        margins, contributions = self.model.forest.explain(encode(rows, self.model.features))
        return self.model.calibrator(margins), contributions.astype(np.float64)

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The F features, in the order of the contributions' columns."""
        return tuple(feature.name for feature in self.model.features)


@dataclass(frozen=True)
class AcceptScorer:
    """P(accept | offer level) of customers.

    Attributes:
        model: its last feature is the offer's level.
        price_pressure: of the bank's contacts, whose second last feature it is; None in a model of
            a company's own log, which knows the customers' own columns.
    """

    model: CalibratedModel
    price_pressure: PricePressure | None

    @classmethod
    def load(cls, folder: Path) -> AcceptScorer:
        """Read an accept model's folder; raises as `CalibratedModel.load`."""
        model = CalibratedModel.load(folder, "accept")
        last, priced = model.features[-1].name, model.metadata.get("price_pressure")
        if last != "offer_level":
            raise ValueError(f"{folder}/model.json: the last feature is {last}, not offer_level")
        return cls(model, PricePressure(tuple(priced["knots"])) if priced else None)

    def predict(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        """P(accept | offer level 0..3), shape (N, 4).

        Strictly within (0, 1) and non-decreasing in the offer.

        Raises:
            FeatureError: (a ValueError) a required field is missing or a value is not allowed.
        """
        matrix = np.repeat(self.contact_matrix(rows), OFFER_LEVELS, axis=0)
        matrix[:, -1] = np.arange(len(matrix)) % OFFER_LEVELS
        accept = self.model.probabilities(matrix).reshape(-1, OFFER_LEVELS)
        offsets = self.model.metadata.get("offsets")
        return corrected(accept, offsets) if offsets else accept

    def contact_matrix(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """The customers as they would be contacted with offer level 0 (the last column), (N, F).

        Raises:
            FeatureError: as `predict`.
        """
        features = self.model.features
        given = features[: -1 if self.price_pressure is None else -2]
        contacts = [with_contact_history(row) for row in rows]
        matrix = np.zeros((len(rows), len(features)), np.float32)
        matrix[:, : len(given)] = encode(contacts, given)
        if self.price_pressure is not None:
            charges = encode(rows, [_MONTHLY_CHARGES])[:, 0].astype(np.float64)
            matrix[:, -2] = self.price_pressure(charges)
        return matrix


_MONTHLY_CHARGES = Feature("monthly_charges", "number", required=True)
