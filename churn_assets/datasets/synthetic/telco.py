"""Customers in the IBM file's format, drawn from the summary of that file."""

import numpy as np
import pandas as pd

from churn_assets.datasets.schemas import INTERNET_SERVICES
from churn_assets.datasets.synthetic.draw import Draw, Floats, Table, summary

UNBILLED_SHARE = 0.0016  # new customers without a first bill, as in the IBM file
STEP = 0.05  # dollars, of monthly charges
LOWEST_CHARGE = 18.25

COLUMNS = (
    *("customerID", "gender", "SeniorCitizen", "Partner", "Dependents", "tenure", "PhoneService"),
    *("MultipleLines", "InternetService", *INTERNET_SERVICES, "Contract", "PaperlessBilling"),
    *("PaymentMethod", "MonthlyCharges", "TotalCharges", "Churn"),
)


def csv_text(rows: int, seed: int) -> str:
    """`rows` billed customers and a few unbilled ones, with the IBM file's header."""
    draw, fitted = Draw("telco", rows + round(rows * UNBILLED_SHARE), seed), summary("telco")
    unbilled = draw.rng.permutation(draw.rows) >= rows
    table = draw.columns(fitted, {})
    scatter = np.array([fitted["price_scatter"][kind] for kind in table["InternetService"]])
    charges = list_price(table, fitted["prices"]) + scatter * draw.rng.standard_normal(draw.rows)
    monthly = np.maximum(np.round(charges / STEP) * STEP, LOWEST_CHARGE)
    # The first bill is one month's charge; prices and plans that changed since then add up.
    months = np.maximum(table["tenure"] - 1, 0)
    changes = fitted["total_scatter"] * np.sqrt(months) * draw.rng.standard_normal(draw.rows)
    total = monthly * np.maximum(table["tenure"] + changes, 1)
    file = pd.DataFrame({"customerID": _ids(draw), **table})
    file.loc[unbilled, "tenure"] = 0
    file.loc[unbilled, "Churn"] = "No"
    file["MonthlyCharges"] = [f"{value:.2f}" for value in monthly]
    file["TotalCharges"] = np.where(unbilled, " ", [f"{value:.2f}" for value in total])
    return file[list(COLUMNS)].to_csv(index=False, lineterminator="\n")


def columns_of(raw: pd.DataFrame) -> pd.DataFrame:
    """The IBM file's text columns as they are drawn: billed customers, numbers as numbers."""
    billed = raw[raw["TotalCharges"].str.strip() != ""].reset_index(drop=True)
    return billed.assign(
        tenure=billed["tenure"].astype(int),
        MonthlyCharges=billed["MonthlyCharges"].astype(float),
        TotalCharges=billed["TotalCharges"].astype(float),
    )


def services(table: Table | pd.DataFrame) -> dict[str, Floats]:
    """What the bill is made of: for each service 1 where the customer has it, else 0 (N,)."""
    yes = ("PhoneService", "MultipleLines", *INTERNET_SERVICES)
    kinds = ("DSL", "Fiber optic")
    internet = {kind: np.asarray(table["InternetService"] == kind, dtype=float) for kind in kinds}
    return internet | {name: np.asarray(table[name] == "Yes", dtype=float) for name in yes}


def list_price(table: Table | pd.DataFrame, prices: dict[str, float]) -> Floats:
    """Dollars per month by the price list (N,)."""
    priced = [prices[name] * has for name, has in services(table).items()]
    return np.asarray(np.sum(priced, axis=0), dtype=np.float64)


def _ids(draw: Draw) -> list[str]:
    """Distinct ids in the file's form, `0000-AAAAA`."""
    numbers = draw.rng.permutation(10_000 * 26)[: draw.rows]
    letters = draw.rng.integers(0, 26, (draw.rows, 4))
    return [
        f"{number % 10_000:04d}-{chr(65 + number // 10_000)}{''.join(chr(65 + k) for k in row)}"
        for number, row in zip(numbers, letters, strict=True)
    ]
