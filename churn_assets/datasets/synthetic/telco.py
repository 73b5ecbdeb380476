"""Customers in the IBM file's format, who leave by a known logistic truth."""

import numpy as np
import pandas as pd

from churn_assets.datasets.synthetic.draw import Column, Draw, linear, yes_no

CHURN_RATE = 0.265
UNBILLED_SHARE = 0.0016  # new customers without a first bill, as in the IBM file

# Effects in log-odds on top of tenure's. Directions are those known of the IBM data.
EFFECTS = {
    "Contract": {"Month-to-month": 1.5, "Two year": -1.7},
    "InternetService": {"Fiber optic": 1.3, "No": -1.0},
    "OnlineSecurity": {"Yes": -0.6},
    "TechSupport": {"Yes": -0.6},
    "PaymentMethod": {"Electronic check": 0.6},
    "PaperlessBilling": {"Yes": 0.3},
    "Dependents": {"Yes": -0.3},
}
TENURE_EFFECT = -1.8  # from the newest customer to the one of 72 months

_EXTRAS = {
    "OnlineSecurity": (0.37, 5),
    "OnlineBackup": (0.44, 5),
    "DeviceProtection": (0.44, 5),
    "TechSupport": (0.37, 5),
    "StreamingTV": (0.49, 10),
    "StreamingMovies": (0.49, 10),
}


def csv_text(rows: int, seed: int) -> str:
    """`rows` billed customers and a few unbilled ones, with the IBM file's header."""
    draw = Draw(rows + round(rows * UNBILLED_SHARE), seed)
    unbilled = draw.rng.permutation(draw.rows) >= rows
    tenure = np.where(unbilled, 0, np.clip(draw.rng.beta(0.7, 0.8, draw.rows) * 73, 1, 72))
    table = _services(draw, tenure.astype(int))
    charges = _monthly_charges(draw, table)
    total = charges * table["tenure"] * draw.rng.normal(1, 0.03, draw.rows)
    table["MonthlyCharges"] = [f"{value:.2f}" for value in charges]
    table["TotalCharges"] = np.where(unbilled, " ", [f"{value:.2f}" for value in total])
    logits = linear(table, EFFECTS) + TENURE_EFFECT * table["tenure"].to_numpy(dtype=float) / 72
    table["Churn"] = yes_no(draw.labels(logits, CHURN_RATE) & ~unbilled)
    return table.to_csv(index=False, lineterminator="\n")


def _services(draw: Draw, tenure: "np.typing.NDArray[np.int_]") -> pd.DataFrame:
    """The customer, the services and the contract, in the file's column order."""
    partner = draw.when(0.48)
    phone = draw.when(0.90)
    internet = np.where(phone, draw.one_of(DSL=0.3, Fiber=0.47, No=0.23), "DSL").astype(object)
    internet[internet == "Fiber"] = "Fiber optic"
    loyal = tenure / 72
    contract = np.where(
        draw.when(0.75 - 0.55 * loyal),
        "Month-to-month",
        yes_no(draw.when(0.3 + 0.5 * loyal), "Two year", "One year"),
    )
    lines = np.where(phone, yes_no(draw.when(0.47)), "No phone service")
    return pd.DataFrame(
        {
            "customerID": _ids(draw),
            "gender": draw.one_of(Female=0.5, Male=0.5),
            "SeniorCitizen": draw.when(0.16).astype(int),
            "Partner": yes_no(partner),
            "Dependents": yes_no(draw.when(np.where(partner, 0.5, 0.1))),
            "tenure": tenure,
            "PhoneService": yes_no(phone),
            "MultipleLines": lines,
            "InternetService": internet,
            **{
                name: np.where(internet == "No", "No internet service", yes_no(draw.when(share)))
                for name, (share, _) in _EXTRAS.items()
            },
            "Contract": contract,
            "PaperlessBilling": yes_no(draw.when(0.59)),
            "PaymentMethod": _payment_methods(draw),
        }
    )


def _payment_methods(draw: Draw) -> Column:
    names = {
        "Electronic check": 0.34,
        "Mailed check": 0.23,
        "Bank transfer (automatic)": 0.22,
        "Credit card (automatic)": 0.21,
    }
    return draw.one_of(**names)


def _ids(draw: Draw) -> list[str]:
    """Distinct ids in the file's form, `0000-AAAAA`."""
    numbers = draw.rng.permutation(10_000 * 26)[: draw.rows]
    letters = draw.rng.integers(0, 26, (draw.rows, 4))
    return [
        f"{number % 10_000:04d}-{chr(65 + number // 10_000)}{''.join(chr(65 + k) for k in row)}"
        for number, row in zip(numbers, letters, strict=True)
    ]


def _monthly_charges(draw: Draw, table: pd.DataFrame) -> "np.typing.NDArray[np.float64]":
    """Dollars per month: a price for each service, and some scatter."""
    price = linear(
        table,
        {
            "PhoneService": {"Yes": 20.0},
            "MultipleLines": {"Yes": 5.0},
            "InternetService": {"DSL": 25.0, "Fiber optic": 50.0},
            **{name: {"Yes": float(dollars)} for name, (_, dollars) in _EXTRAS.items()},
        },
    )
    return np.asarray(np.round(price + draw.rng.normal(0, 1, draw.rows), 2), dtype=np.float64)
