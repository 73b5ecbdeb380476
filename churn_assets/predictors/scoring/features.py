"""The feature contract: how a customer, a bank contact or an API request becomes numbers.

A *row* is a mapping from column name to value; a key that is absent, None or NaN is a missing
value, and stays one (NaN) all the way into the trees. The same `encode` serves training, batch and
API, so there is no second definition of any feature.

Risk: every feature of the customers' contract.

Accept: what a bank contact and a customer have in common.

    feature               bank contact                        customer
    partner               marital == "married"                partner
    contact_channel       contact                             contact_channel
    contacts_this_period  campaign - 1 (before this contact)  contacts_this_period
    days_since_contact    pdays; never = missing              days_since_contact; never = missing
    previous_contacts     previous                            previous_contacts
    previous_outcome      poutcome                            previous_outcome
    price_pressure        quantile of the debt burden         quantile of monthly_charges
    offer_level           drawn at random, 0..3               each of 0..3 in turn

Seniority is shared too, and left out: 533 of the bank's 663 contacts of 65 and older lie in the
last tenth of its time, in which 46 % of all contacts accept (2.8 % in the first tenth). A model
that knows it takes the era for the age. What is left doesn't tell the last tenth of contacts from
the others where customers are asked about: not the customer's own features, nor all of them
together among first contacts (AUC at most 0.60; a test holds it). The history of earlier contacts
does, in the bank's data: its first campaigns had none before them (`era_auc` in the report).

A row without any contact history describes a customer never contacted: 0 contacts in the period,
0 before it, outcome "nonexistent" (what the bank data records with pdays = 999). Of a history
that is given in part, the absent part is missing like any other value. Decisions ask about the
customer `at_start_of_period`; what contacts since then do is the environment's part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from churn_assets.customers.built_in import BUILT_IN_SCHEMA
from churn_assets.customers.schema import CustomerField
from churn_assets.domain.offers import OFFER_LEVELS

Row = Mapping[str, Any]


LARGEST = float(np.finfo(np.float32).max)  # what the matrix can hold
PLAIN_NUMBERS = (float, int)

NEVER_CONTACTED: dict[str, Any] = {
    "days_since_contact": None,
    "contacts_this_period": 0,
    "previous_contacts": 0,
    "previous_outcome": "nonexistent",
}
EARLIER = ("previous_contacts", "previous_outcome")
"""What is known of the time before the running period: one of them alone leaves the other missing.
"""


class FeatureError(ValueError):
    """A value that the feature contract refuses.

    Attributes:
        field: the column's name.
        row: the row's position in the batch.
    """

    def __init__(self, field_name: str, row: int, problem: str) -> None:
        super().__init__(f"{field_name}: {problem} (row {row})")
        self.field = field_name
        self.row = row


@dataclass(frozen=True)
class Feature:
    """One column of the model's matrix.

    Attributes:
        name: the row's key.
        kind: "number" (finite, low..high), "flag" (bool or 0/1) or "category" (its position in
            `categories` is the code; trees split codes as ordered numbers).
        required: a row without it is refused; every other feature may be missing.
        categories: allowed values of a category, in the order of their codes.
        high: largest allowed number, unbounded if None.
        low: smallest allowed number, unbounded if None.
        other: whether a category's every other value is one more, with the code after the last.
    """

    name: str
    kind: Literal["number", "flag", "category"]
    required: bool = False
    categories: tuple[str, ...] = ()
    high: float | None = None
    low: float | None = 0.0
    other: bool = False
    codes: dict[Any, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        allowed = (False, True) if self.kind == "flag" else self.categories
        codes: dict[Any, float] = {value: float(code) for code, value in enumerate(allowed)}
        object.__setattr__(self, "codes", codes if self.required else {**codes, None: np.nan})

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest number that is allowed."""
        low = -LARGEST if self.low is None else self.low
        return low, LARGEST if self.high is None else self.high

    @property
    def levels(self) -> int:
        """How many codes a category has; 0 of another kind."""
        return len(self.categories) + self.other

    def encode_column(self, values: Sequence[Any]) -> list[float]:
        """`encode` of each row's value; usual values take a short cut past its checks."""
        if self.kind == "number":
            low, high = self.bounds
            return [
                v if type(v) in PLAIN_NUMBERS and low <= v <= high else self.encode(v, i)
                for i, v in enumerate(values)
            ]
        try:
            return [self.codes[value] for value in values]
        except (KeyError, TypeError):  # at least one is missing as NaN, or not allowed
            return [self.encode(value, i) for i, value in enumerate(values)]

    def encode(self, value: Any, row: int) -> float:
        """The number that stands for `value`; NaN if it is missing.

        Raises:
            FeatureError: missing though required, or not what `kind` allows.
        """
        if value is None or value != value:  # NaN is the one value unequal to itself
            if self.required:
                raise FeatureError(self.name, row, "is required")
            return np.nan
        if self.kind == "category":
            code = self.codes.get(value) if isinstance(value, str) else None
            if code is None and self.other and isinstance(value, str):
                return float(len(self.categories))
            if code is None:
                raise FeatureError(
                    self.name, row, f"{value!r} is not one of {list(self.categories)}"
                )
            return code
        if self.kind == "flag":
            if isinstance(value, str) or value not in (0, 1):
                raise FeatureError(self.name, row, f"{value!r} is not true or false")
            return float(value)
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise FeatureError(self.name, row, f"{value!r} is not a number")
        number = float(value)
        low, high = self.bounds
        if not low <= number <= high:
            least = "a finite number" if self.low is None else f"{self.low:g}"
            most = "a finite number" if self.high is None else f"{self.high:g}"
            raise FeatureError(self.name, row, f"{value!r} is not between {least} and {most}")
        return number

    def to_json(self) -> dict[str, Any]:
        """The feature as it stands in `model.json`."""
        return {
            "name": self.name,
            "kind": self.kind,
            "required": self.required,
            "categories": list(self.categories),
            "high": self.high,
            **({} if self.low == 0 else {"low": self.low}),
            **({"other": True} if self.other else {}),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Feature:
        """The inverse of `to_json`."""
        return cls(**{**stored, "categories": tuple(stored["categories"])})


def _risk_feature(field: CustomerField) -> Feature:
    if field.kind in ("number", "flag"):
        return Feature(field.name, field.kind, required=field.required)
    return Feature(field.name, "category", field.required, field.codes or field.levels)


RISK_FEATURES: tuple[Feature, ...] = tuple(
    _risk_feature(field)
    for field in sorted(
        BUILT_IN_SCHEMA.features, key=lambda field: (not field.required, field.kind != "number")
    )
)
"""Of the built-in contract's risk model: what is required first, and of each the numbers first."""

ACCEPT_FEATURES: tuple[Feature, ...] = (
    Feature("partner", "flag"),
    Feature("contact_channel", "category", categories=("telephone", "cellular")),
    Feature("contacts_this_period", "number"),
    Feature("days_since_contact", "number"),
    Feature("previous_contacts", "number"),
    Feature("previous_outcome", "category", categories=("failure", "nonexistent", "success")),
    Feature("price_pressure", "number", required=True, high=1.0),
    Feature("offer_level", "number", required=True, high=float(OFFER_LEVELS - 1)),
)


def encode(rows: Sequence[Row], features: Sequence[Feature]) -> NDArray[np.float32]:
    """The model's matrix, shape (len(rows), len(features)); NaN where a value is missing.

    Raises:
        FeatureError: a value the contract refuses; names field, value, what is allowed and the row.
    """
    columns = [f.encode_column([row.get(f.name) for row in rows]) for f in features]
    return _matrix(columns, len(rows))


def encode_at_start(
    rows: Sequence[Row], features: Sequence[Feature], earlier: bool = True
) -> NDArray[np.float32]:
    """`encode` of the customers `at_start_of_period`, whose rows needn't be copied for it.

    Args:
        earlier: whether what happened before the period counts; else nobody was ever contacted.
    """
    new = [not earlier or _is_new(row) for row in rows]
    columns = []
    for feature in features:
        values: list[Any] = [row.get(feature.name) for row in rows]
        if (name := feature.name) in EARLIER:
            known = zip(values, new, strict=True)
            values = [NEVER_CONTACTED[name] if is_new else value for value, is_new in known]
        elif name in NEVER_CONTACTED:
            values = [NEVER_CONTACTED[name]] * len(rows)
        columns.append(feature.encode_column(values))
    return _matrix(columns, len(rows))


def _matrix(columns: Sequence[Sequence[float]], rows: int) -> NDArray[np.float32]:
    return np.array(columns, dtype=np.float32).reshape(len(columns), rows).T


def _is_new(row: Row) -> bool:
    """Whether nothing is known of the time before the running period."""
    return row.get("previous_contacts") is None and row.get("previous_outcome") is None


def with_contact_history(row: Row) -> Row:
    """`row`, or a copy in which an absent contact history reads "never contacted"."""
    if any(row.get(key) is not None for key in NEVER_CONTACTED):
        return row
    return {**row, **NEVER_CONTACTED}


def at_start_of_period(row: Row) -> Row:
    """A copy of `row` as the customer stood before any contact of the running period.

    What happened before the period (`previous_contacts`, `previous_outcome`) stays. What the
    running period's contacts do to acceptance is the decision environment's to say: it asks the
    model this way and lowers the answer itself.
    """
    earlier = {} if _is_new(row) else {name: row.get(name) for name in EARLIER}
    return {**row, **NEVER_CONTACTED, **earlier}


@dataclass(frozen=True)
class PricePressure:
    """Where a customer's monthly charges lie among all customers': 0 the lowest, 1 the highest.

    A quantile is a scale that currency amounts share with the bank's debt burden.

    Attributes:
        knots: charges at evenly spaced quantiles from 0 to 1, non-decreasing.
    """

    knots: tuple[float, ...]

    @classmethod
    def fit(cls, monthly_charges: NDArray[np.float64], points: int = 101) -> PricePressure:
        """Quantiles of the customers' monthly charges, shape (N,)."""
        quantiles = np.quantile(monthly_charges, np.linspace(0, 1, points))
        return cls(tuple(float(value) for value in quantiles))

    def __call__(self, monthly_charges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Quantile in [0, 1] of each charge; charges outside the knots map to 0 or 1."""
        return np.interp(monthly_charges, *self._curve)

    @cached_property
    def _curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.asarray(self.knots), np.linspace(0, 1, len(self.knots))
