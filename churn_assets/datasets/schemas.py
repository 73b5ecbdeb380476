"""The tables at both boundaries: how the sources' cells are read, and what the splits must be."""

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from churn_assets.datasets import cells
from churn_assets.datasets.errors import Refusal, SchemaViolationError
from churn_assets.domain.contracts import CONTRACTS
from churn_assets.domain.splits import SPLITS

YES_NO = ("Yes", "No")
INTERNET_SERVICES = (
    "OnlineSecurity",
    "OnlineBackup",
    "DeviceProtection",
    "TechSupport",
    "StreamingTV",
    "StreamingMovies",
)
INTERNET_EXTRA = ("Yes", "No", "No internet service")
PAYMENT_METHODS = (
    "Electronic check",
    "Mailed check",
    "Bank transfer (automatic)",
    "Credit card (automatic)",
)
INTERNET_EXTRAS = (
    "online_security",
    "online_backup",
    "device_protection",
    "tech_support",
    "streaming_tv",
    "streaming_movies",
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
YES_NO_UNKNOWN = ("yes", "no", "unknown")
BANK_CATEGORIES: dict[str, tuple[str, ...]] = {
    "job": (
        "admin.",
        "blue-collar",
        "entrepreneur",
        "housemaid",
        "management",
        "retired",
        "self-employed",
        "services",
        "student",
        "technician",
        "unemployed",
        "unknown",
    ),
    "marital": ("divorced", "married", "single", "unknown"),
    "education": (
        "basic.4y",
        "basic.6y",
        "basic.9y",
        "high.school",
        "illiterate",
        "professional.course",
        "university.degree",
        "unknown",
    ),
    "default": YES_NO_UNKNOWN,
    "housing": YES_NO_UNKNOWN,
    "loan": YES_NO_UNKNOWN,
    "contact": ("cellular", "telephone"),
    "month": MONTHS,
    "day_of_week": WEEKDAYS,
    "poutcome": ("failure", "nonexistent", "success"),
}


def _one_of(*values: str) -> pa.Column:
    return pa.Column(str, pa.Check.isin(values))


def _flag() -> pa.Column:
    return pa.Column(bool)


def _same_truth(name: str, column: str, value: str, flag: str, flag_value: object) -> pa.Check:
    """Check that `column == value` holds exactly in the rows where `flag == flag_value`."""
    return pa.Check(lambda df: (df[column] == value) == (df[flag] == flag_value), name=name)


# How the sources' columns are read: what is no value of its column is found here, with its row.
RAW_TELCO: dict[str, cells.Column] = {
    "customerID": cells.text(unique=True),
    "gender": cells.one_of("Female", "Male"),
    **{name: cells.flag() for name in ("SeniorCitizen", "Partner", "Dependents")},
    "tenure": cells.whole(0, 600),
    "PhoneService": cells.flag(),
    "MultipleLines": cells.one_of("Yes", "No", "No phone service"),
    "InternetService": cells.one_of("DSL", "Fiber optic", "No"),
    **dict.fromkeys(INTERNET_SERVICES, cells.one_of(*INTERNET_EXTRA)),
    "Contract": cells.one_of(*CONTRACTS),
    "PaperlessBilling": cells.flag(),
    "PaymentMethod": cells.one_of(*PAYMENT_METHODS),
    "MonthlyCharges": cells.number(0, 10_000),
    "TotalCharges": cells.number(0, optional=True),
    "Churn": cells.flag(),
}

TELCO = pa.DataFrameSchema(
    {
        "customerID": pa.Column(str, pa.Check.str_matches(r"\S"), unique=True),
        "gender": pa.Column(str),
        "SeniorCitizen": _one_of("0", "1"),
        **{name: _one_of(*YES_NO) for name in ("Partner", "Dependents")},
        "tenure": pa.Column(str, pa.Check.str_matches(r"^\d+$")),
        "PhoneService": _one_of(*YES_NO),
        **{
            name: pa.Column(str)
            for name in [
                "MultipleLines",
                "InternetService",
                *INTERNET_SERVICES,
                "Contract",
            ]
        },
        "PaperlessBilling": _one_of(*YES_NO),
        "PaymentMethod": pa.Column(str),
        "MonthlyCharges": pa.Column(str, pa.Check.str_matches(r"^\d+(\.\d+)?$")),
        "TotalCharges": pa.Column(str, pa.Check.str_matches(r"^( +|\d*(\.\d+)?)$")),
        "Churn": _one_of(*YES_NO),
    },
    strict=True,
    ordered=True,
)

TELCO = pa.DataFrameSchema(
    {
        "customer_id": pa.Column(str, unique=True),
        "gender": _one_of("Female", "Male"),
        "senior_citizen": _flag(),
        "partner": _flag(),
        "dependents": _flag(),
        "tenure": pa.Column("int64", pa.Check.in_range(1, 600)),
        "phone_service": _flag(),
        "multiple_lines": _one_of("Yes", "No", "No phone service"),
        "internet_service": _one_of("DSL", "Fiber optic", "No"),
        **{name: _one_of(*INTERNET_EXTRA) for name in INTERNET_EXTRAS},
        "contract": _one_of(*CONTRACTS),
        "paperless_billing": _flag(),
        "payment_method": _one_of(*PAYMENT_METHODS),
        "monthly_charges": pa.Column("float64", pa.Check.in_range(0, 10_000, include_min=False)),
        "total_charges": pa.Column("float64", pa.Check.ge(0)),
        "churn": _flag(),
    },
    checks=[
        _same_truth(
            "no_phone_means_no_lines", "multiple_lines", "No phone service", "phone_service", False
        ),
        *(
            _same_truth(
                f"no_internet_means_no_{name}",
                name,
                "No internet service",
                "internet_service",
                "No",
            )
            for name in INTERNET_EXTRAS
        ),
    ],
    strict=True,
    ordered=True,
)

RAW_BANK: dict[str, cells.Column] = {
    "age": cells.whole(14, 120),
    **{name: cells.one_of(*BANK_CATEGORIES[name]) for name in list(BANK_CATEGORIES)[:9]},
    "duration": cells.whole(0),
    "campaign": cells.whole(1),
    "pdays": cells.whole(0, 999),
    "previous": cells.whole(0),
    "poutcome": cells.one_of(*BANK_CATEGORIES["poutcome"]),
    **{
        name: cells.number()
        for name in (
            "emp.var.rate",
            "cons.price.idx",
            "cons.conf.idx",
            "euribor3m",
            "nr.employed",
        )
    },
    "y": cells.flag(),
}

BANK = pa.DataFrameSchema(
    {
        "contact_id": pa.Column("int64", pa.Check.ge(0), unique=True),
        "age": pa.Column("int64", pa.Check.in_range(14, 120)),
        **{name: _one_of(*BANK_CATEGORIES[name]) for name in list(BANK_CATEGORIES)[:9]},
        "campaign": pa.Column("int64", pa.Check.ge(1)),
        "pdays": pa.Column("Int64", pa.Check.in_range(0, 998), nullable=True),
        "previous": pa.Column("int64", pa.Check.ge(0)),
        "poutcome": _one_of(*BANK_CATEGORIES["poutcome"]),
        "accepted": _flag(),
        "chronological_split": _one_of(*SPLITS),
    },
    checks=[_same_truth("no_previous_means_no_outcome", "poutcome", "nonexistent", "previous", 0)],
    strict=True,
    ordered=True,
)


def _text() -> pa.Column:
    return pa.Column(str, pa.Check.str_matches(r"\S"))


OASST1 = pa.DataFrameSchema(
    {name: _text() for name in ("prompt", "response", "source", "group")}, strict=True
)
PREFERENCES = pa.DataFrameSchema(
    {name: _text() for name in ("prompt", "chosen", "rejected", "source", "group")},
    checks=[pa.Check(lambda df: df["chosen"] != df["rejected"], name="the_two_replies_differ")],
    strict=True,
)


def validate(
    frame: pd.DataFrame, schema: pa.DataFrameSchema, what: str, show_values: bool = True
) -> None:
    """Check the whole of `frame` and raise `SchemaViolationError` with every failing row.

    `show_values=False` leaves the values out of the message: texts can be long or offensive.
    """
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as error:
        raise SchemaViolationError(what, _refusals(error.failure_cases, show_values)) from None


def _refusals(cases: pd.DataFrame, show_values: bool) -> list[Refusal]:
    """Pandera's failure cases; one without a row is of a column or of the table as a whole."""
    return [
        Refusal(
            None if pd.isna(case["index"]) else int(case["index"]) + 1,
            "the table" if pd.isna(case["column"]) else str(case["column"]),
            case["failure_case"],
            f"breaks {case['check']}",
            show_values and case["failure_case"] is not False,
        )
        for case in cases.to_dict("records")
    ]
