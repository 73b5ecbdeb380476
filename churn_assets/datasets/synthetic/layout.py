"""In which order, and from what, each table's columns are drawn; its summary is fitted to this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from churn_assets.datasets.schemas import INTERNET_SERVICES

INTERNET = {"InternetService": ["DSL", "Fiber optic"]}


@dataclass(frozen=True)
class Layout:
    """How a table is drawn.

    Attributes:
        given: columns that are there at the beginning.
        order: the columns in the order of drawing. Each depends on all before it.
        interactions: pairs of columns, `a & b`, that a column depends on beyond their sum.
        among: a column exists only in rows with these values; the others have `otherwise`.
        bands: first numbers of the bands in which a whole number is drawn; the last one starts
            after the largest.
        knots: numbers between which effects on later columns are interpolated; a number without
            knots acts by its band.
        edges: of the bands in which numbers are summarised.
    """

    order: tuple[str, ...]
    given: tuple[str, ...] = ()
    interactions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    among: Mapping[str, tuple[Mapping[str, Sequence[str]], str]] = field(default_factory=dict)
    bands: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    knots: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    edges: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


TELCO = Layout(
    order=(
        "tenure",
        "InternetService",
        "PhoneService",
        "Contract",
        "MultipleLines",
        "SeniorCitizen",
        "Partner",
        "Dependents",
        *INTERNET_SERVICES,
        "PaperlessBilling",
        "PaymentMethod",
        "Churn",
        "gender",
    ),
    interactions={
        "Contract": ("tenure & InternetService",),
        "Churn": (
            "tenure & Contract",
            "tenure & InternetService",
            "Contract & InternetService",
            "InternetService & PaymentMethod",
        ),
    },
    among={
        "PhoneService": ({"InternetService": ["DSL"]}, "Yes"),
        "MultipleLines": ({"PhoneService": ["Yes"]}, "No phone service"),
        **dict.fromkeys(INTERNET_SERVICES, (INTERNET, "No internet service")),
    },
    bands={"tenure": (1, 73)},
    knots={"tenure": (1, 3, 6, 12, 24, 36, 48, 60, 69, 72)},
    edges={
        "tenure": (1, 2, 7, 13, 25, 37, 49, 61, 72),
        "MonthlyCharges": (0, 22, 35, 50, 60, 75, 85, 100),
        "TotalCharges": (0, 100, 400, 1_000, 2_000, 4_000, 6_000),
    },
)

BANK = Layout(
    given=("era",),
    order=(
        "age",
        "marital",
        "job",
        "education",
        "default",
        "housing",
        "loan",
        "contact",
        "day_of_week",
        "poutcome",
        "previous",
        "pdays",
        "campaign",
        "y",
    ),
    interactions={
        "y": ("contact & poutcome",),
    },
    among={
        "loan": ({"housing": ["no", "yes"]}, "unknown"),
        "previous": ({"poutcome": ["failure", "success"]}, "0-0"),
        "pdays": ({"poutcome": ["failure", "success"]}, "999-999"),
    },
    bands={
        "age": (17, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 80, 90),
        "campaign": (1, 2, 3, 4, 5, 6, 8, 11, 16, 26, 44),
        "previous": (0, 1, 2, 3, 8),
        "pdays": (0, 3, 4, 6, 7, 10, 14, 23, 999, 1_000),
    },
    knots={
        "age": (18, 23, 28, 33, 40, 48, 55, 60, 64, 65, 72, 85),
        "campaign": (1, 2, 3, 5, 10, 20),
    },
    edges={
        "age": (17, 25, 30, 35, 40, 50, 60, 65, 75),
        "campaign": (1, 2, 3, 4, 6, 11),
        "previous": (0, 1, 2, 3),
        "pdays": (0, 3, 6, 10, 999),
    },
)
