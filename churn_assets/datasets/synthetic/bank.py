"""Campaign contacts in the UCI file's format, accepted by a known logistic truth."""

import csv

import numpy as np
import pandas as pd

from churn_assets.datasets.schemas import BANK_CATEGORIES, MONTHS
from churn_assets.datasets.synthetic.draw import Draw, linear, yes_no

ACCEPT_RATE = 0.113

# Effects in log-odds. Directions are those known of the UCI data.
EFFECTS = {
    "contact": {"cellular": 1.1},
    "poutcome": {"success": 3.0, "failure": 0.4},
    "default": {"unknown": -0.4},
    "marital": {"single": 0.1},
    "job": {"student": 0.5, "retired": 0.3},
}
SENIOR_EFFECT = 0.9
CAMPAIGN_EFFECT = -0.3  # for each further contact in the campaign, up to ten
PREVIOUS_EFFECT = 0.3

_SHARES = {
    "job": (0.253, 0.225, 0.035, 0.026, 0.071, 0.042, 0.034, 0.096, 0.021, 0.164, 0.025, 0.008),
    "marital": (0.112, 0.605, 0.281, 0.002),
    "education": (0.101, 0.056, 0.147, 0.231, 0.001, 0.127, 0.295, 0.042),
    "default": (0.0001, 0.7909, 0.209),
    "housing": (0.524, 0.452, 0.024),
    "loan": (0.152, 0.824, 0.024),
    "contact": (0.635, 0.365),
    "day_of_week": (0.207, 0.196, 0.197, 0.209, 0.191),
}


def csv_text(rows: int, seed: int) -> str:
    """`rows` contacts in order of time, `;`-separated, with the UCI file's header."""
    draw = Draw(rows, seed)
    table = pd.DataFrame({"age": np.clip(draw.rng.gamma(14, 2.86, rows), 17, 98).astype(int)})
    for name, shares in _SHARES.items():
        table[name] = draw.one_of(**dict(zip(BANK_CATEGORIES[name], shares, strict=True)))
    table.insert(8, "month", np.array(MONTHS, dtype=object)[np.arange(rows) * 12 // rows])
    table["duration"] = draw.rng.gamma(1.0, 258, rows).astype(int)
    table["campaign"] = np.minimum(draw.rng.geometric(0.39, rows), 43)
    contacted = draw.when(0.137)
    success = contacted & draw.when(0.25)
    table["pdays"] = np.where(success, np.minimum(draw.rng.poisson(6, rows), 27), 999)
    table["previous"] = np.where(contacted, draw.rng.geometric(0.8, rows), 0)
    table["poutcome"] = np.where(success, "success", yes_no(contacted, "failure", "nonexistent"))
    for name, value in _economy(draw).items():
        table[name] = value
    logits = (
        linear(table, EFFECTS)
        + SENIOR_EFFECT * (table["age"] >= 60).to_numpy(dtype=float)
        + CAMPAIGN_EFFECT * np.minimum(table["campaign"].to_numpy() - 1, 10)
        + PREVIOUS_EFFECT * table["previous"].to_numpy()
    )
    table["y"] = yes_no(draw.labels(logits, ACCEPT_RATE), "yes", "no")
    return table.to_csv(index=False, sep=";", quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")


def _economy(draw: Draw) -> dict[str, "np.typing.NDArray[np.float64]"]:
    """The five macro-economic columns, which cleaning drops: one slow fall over the file."""
    time = np.linspace(0, 1, draw.rows)
    return {
        "emp.var.rate": np.round(1.1 - 4 * time, 1),
        "cons.price.idx": np.round(93.994 - 1.2 * time, 3),
        "cons.conf.idx": np.round(-36.4 - 10 * time, 1),
        "euribor3m": np.round(4.857 - 4 * time, 3),
        "nr.employed": np.round(5191 - 200 * time, 1),
    }
