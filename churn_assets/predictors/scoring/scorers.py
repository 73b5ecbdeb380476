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
from churn_assets.domain.statistics import Floats, logit, sigmoid
from churn_assets.predictors.scoring.calibration import Calibrator, calibrator_from_json
from churn_assets.predictors.scoring.corrected import Correction, about, corrected
from churn_assets.predictors.scoring.features import (
    Feature,
    PricePressure,
    Row,
    encode,
    encode_at_start,
    with_contact_history,
)
from churn_assets.predictors.scoring.forest import Forest
from churn_assets.predictors.scoring.held_out import NOBODY, RISK_SOURCES, HeldOut
from churn_assets.predictors.scoring.linear import Linear

MONTHLY_CHARGES = Feature("monthly_charges", "number", required=True)
"""What a customer's price pressure is told from."""
FORMAT = 1
MANY = 64  # customers among whom some are alike
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
    def load(cls, folder: Path, kind: ModelKind, *, tables: bool = False) -> CalibratedModel:
        """Read `model.ubj` and `model.json` from `folder`.

        Args:
            tables: whether XGBoost is to score large batches (`Forest.load`).

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
        forest = (
            Linear.from_json(linear) if linear else Forest.load(folder / "model.ubj", tables=tables)
        )
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
    """P(churn) of customers.

    Attributes:
        held_out: the customers that the model learnt from, and their risk by models that never saw
            them; None where the training kept none.
    """

    model: CalibratedModel
    held_out: HeldOut | None = None

    @classmethod
    def load(cls, folder: Path, *, tables: bool = False) -> RiskScorer:
        """Read a risk model's folder; takes and raises what `CalibratedModel.load` and
        `HeldOut.load` do."""
        model = CalibratedModel.load(folder, "risk", tables=tables)
        return cls(model, HeldOut.load(folder, len(model.features)))

    def predict(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        """P(churn), shape (N,), strictly within (0, 1).

        Raises:
            FeatureError: (a ValueError) a required field is missing or a value is not allowed.
        """
        return self.model.probabilities(encode(rows, self.model.features))

    def of_customers(
        self, ids: Sequence[Any], matrix: NDArray[np.float32], risk: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
        """The model's `risk` (N,) of encoded customers (N, F), without what it remembers of those
        that it learnt from (`held_out` says how).

        Args:
            ids: N customers' ids; None for one without.

        Returns:
            P(churn) (N,), strictly within (0, 1), and where each is from (N,): a place in
            `RISK_SOURCES`.
        """
        source = np.zeros(len(risk), np.int8)
        known = self.held_out
        if known is None:
            return risk, source
        places = known.alike(matrix) if known.nameless else known.find(ids)
        rows = np.flatnonzero(places != NOBODY)
        if not len(rows):
            return risk, source
        at, now = places[rows], matrix[rows]
        then, unseen = known.features[at], known.unseen[at]
        same = ((now == then) | (np.isnan(now) & np.isnan(then))).all(axis=1)
        told = unseen.copy()
        if not same.all():
            moved = ~same
            share = self.model.forest.same_leaves(now[moved], then[moved])
            remembered = logit(known.seen[at[moved]]) - logit(unseen[moved])
            told[moved] = sigmoid(logit(risk[rows[moved]]) - share * remembered)
        risk = risk.copy()
        risk[rows] = told
        source[rows] = np.where(
            same, RISK_SOURCES.index("out_of_fold"), RISK_SOURCES.index("adjusted")
        )
        return risk, source

    def explain(self, rows: Sequence[Row]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """P(churn), and what each feature adds to its log-odds before calibration.

        Returns:
            The probabilities (N,) of `predict`, and exact SHAP values (N, F) in the order of
            `feature_names`: positive raises the risk. A row sums to its log-odds minus the
            training data's average.

        Raises:
            FeatureError: as `predict`.
        """
        return self.explain_matrix(encode(rows, self.model.features))

    def explain_matrix(
        self, matrix: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`explain` of encoded customers (N, F)."""
        margins, contributions = self.model.forest.explain(matrix)
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
    def load(cls, folder: Path, *, tables: bool = False) -> AcceptScorer:
        """Read an accept model's folder; takes and raises what `CalibratedModel.load` does."""
        model = CalibratedModel.load(folder, "accept", tables=tables)
        last, priced = model.features[-1].name, model.metadata.get("price_pressure")
        if last != "offer_level":
            raise ValueError(f"{folder}/model.json: the last feature is {last}, not offer_level")
        return cls(model, PricePressure(tuple(priced["knots"])) if priced else None)

    def predict(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        """P(accept | offer level 0..3), shape (N, 4), of customers of whom no risk is known.

        Strictly within (0, 1) and non-decreasing in the offer.

        Raises:
            FeatureError: (a ValueError) a required field is missing or a value is not allowed.
        """
        return self.acceptances(self.contact_matrix(rows))

    def acceptances(
        self,
        contacts: NDArray[np.float32],
        risk: Floats | None = None,
        bills: Floats | None = None,
    ) -> NDArray[np.float64]:
        """`predict` of customers encoded as in `contact_matrix`, (N, F) -> (N, 4).

        Of many, most are alike to the trees, which ask for little but the bill: each kind is scored
        once, a hundred thousand customers in the time of a few thousand.

        Args:
            risk, bills: (N,) P(churn) before any contact of the period, monthly charges: by them
                outcomes may have corrected the model (`corrected`); both or none.
        """
        forest = self.model.forest
        if len(contacts) < MANY or isinstance(forest, Linear):
            accept = self._each(contacts)
        else:
            examples, kinds = forest.kinds(contacts)
            accept = self._each(contacts[examples])[kinds]
        if self.correction is None:
            return accept
        known = None if risk is None or bills is None else about(risk, bills)
        return corrected(accept, self.correction, known)

    def _each(self, contacts: NDArray[np.float32]) -> NDArray[np.float64]:
        matrix = np.repeat(contacts, OFFER_LEVELS, axis=0)
        matrix[:, -1] = np.arange(len(matrix)) % OFFER_LEVELS
        return self.model.probabilities(matrix).reshape(-1, OFFER_LEVELS)

    @cached_property
    def correction(self) -> Correction | None:
        """What outcomes have measured on top of the model; None where they haven't."""
        return Correction.of(self.model.metadata)

    def contact_matrix(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """The customers as they would be contacted with offer level 0 (the last column), (N, F).

        Raises:
            FeatureError: as `predict`.
        """
        return self._with_charges(rows, encode(list(map(with_contact_history, rows)), self.told))

    def start_matrix(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """`contact_matrix` of the customers as they stood at the start of the running period."""
        told = encode_at_start(rows, self.told, earlier=not self.of_others)
        return self._with_charges(rows, told)

    @property
    def of_others(self) -> bool:
        """Whether it learnt from contacts of another company: what came of earlier ones there, by
        that company's choice of whom to contact again, says nothing of these customers."""
        return bool(self.model.metadata.get("of_others"))

    def _with_charges(self, rows: Sequence[Row], told: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.price_pressure is None:
            return self.computed(told, None)
        return self.computed(told, encode(rows, [MONTHLY_CHARGES])[:, 0])

    @property
    def told(self) -> tuple[Feature, ...]:
        """The features that a row holds; the others are computed."""
        return self.model.features[: -1 if self.price_pressure is None else -2]

    def computed(
        self, told: NDArray[np.float32], charges: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """The `contact_matrix` of the encoded `told` features (N, ...) and the monthly charges (N,)
        where the model has a price pressure."""
        matrix = np.zeros((len(told), len(self.model.features)), np.float32)
        matrix[:, : told.shape[1]] = told
        if self.price_pressure is not None and charges is not None:
            matrix[:, -2] = self.price_pressure(charges.astype(np.float64))
        return matrix
