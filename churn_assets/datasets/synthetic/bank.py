"""Campaign contacts in the UCI file's format and order, drawn from the summary of that file."""

import csv

import numpy as np
import pandas as pd

from churn_assets.datasets.schemas import MONTHS
from churn_assets.datasets.synthetic.draw import Column, Draw, Floats, summary

FIRST_YEAR = 2008
# The economy's columns, which cleaning drops: they tell the era.
ECONOMY = ("emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed")
NUMBERS = ("age", "campaign", "pdays", "previous", "duration", *ECONOMY)

COLUMNS = (
    *("age", "job", "marital", "education", "default", "housing", "loan", "contact", "month"),
    *("day_of_week", "duration", "campaign", "pdays", "previous", "poutcome", *ECONOMY, "y"),
)


def csv_text(rows: int, seed: int) -> str:
    """`rows` contacts in order of time, `;`-separated, with the UCI file's header."""
    draw, fitted = Draw("bank", rows, seed), summary("bank")
    era = _eras(rows, {name: facts["share"] for name, facts in fitted["eras"].items()})
    table = pd.DataFrame(draw.columns(fitted, {"era": era}))
    table["month"] = [MONTHS[int(name[-2:]) - 1] for name in era]
    table["duration"] = _durations(draw, table["y"], fitted["log_duration"])
    for name in ECONOMY:
        table[name] = table["era"].map({at: facts[name] for at, facts in fitted["eras"].items()})
    return table[list(COLUMNS)].to_csv(
        index=False, sep=";", quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n"
    )


def _eras(rows: int, shares: dict[str, float]) -> Column:
    """The month of each contact, `2008-05`, in order (N,): as many of each as its share says."""
    bounds = np.cumsum(list(shares.values()))
    at = np.searchsorted(bounds / bounds[-1], (np.arange(rows) + 0.5) / rows)
    return np.array(list(shares), dtype=object)[at]


def _durations(
    draw: Draw, answers: "pd.Series[str]", logarithms: dict[str, tuple[float, float]]
) -> Floats:
    """Seconds of each call (N,), longer where the answer was yes; cleaning drops them."""
    mean, deviation = np.array([logarithms[answer] for answer in answers]).T
    return np.exp(mean + deviation * draw.rng.standard_normal(draw.rows)).astype(int)


def columns_of(raw: pd.DataFrame) -> pd.DataFrame:
    """The UCI file's text columns as they are drawn: numbers as numbers, and each row's `era`.

    The file has months but no years; it is in order of time, so a month before the last one is
    in the next year.
    """
    month = raw["month"].map({name: number for number, name in enumerate(MONTHS, start=1)})
    year = FIRST_YEAR + (month.diff() < 0).cumsum()
    numbers = {name: raw[name].astype(float) for name in NUMBERS}
    return raw.assign(**numbers, era=[f"{y}-{m:02d}" for y, m in zip(year, month, strict=True)])
