"""Fit the generators' summaries to the public files: `telco.json` and `bank.json`.

    python -m churn_assets.datasets.synthetic.fit MIRROR

MIRROR is a folder with `ibm_telco/` and `uci_bank/`. The summaries hold aggregates, never rows;
what fewer than `SMALLEST_CELL` rows have is left out. A table is drawn column by column (`layout`):

- `columns`: for each its `levels`, and a multinomial logistic model of them: `intercepts` and
  `effects` in log-odds against the first level. There is a term for each column before it and for
  each interaction (`a & b`). A number's effects are those at its `knots`, linear in between.
  Only rows with the values `among` have the column, others the value `otherwise`. `bands` says of
  which numbers a band `from-to` is made, and their shares.
- Telco: `prices`, dollars a month; `price_scatter`, its standard deviation by kind of internet;
  `total_scatter`, that of total charges in months' charges, for each root of a month.
- Bank: `eras`, the file's months in order of time with their share and economy;
  `log_duration`, mean and standard deviation of the call's logarithm in seconds by answer.
- `marginals`, `links` (Cramér's V) and `drift` (rate of yes by tenth of the file) are not drawn
  from: they are what tests hold the drawn tables against.
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from churn_assets.datasets.config import DatasetsConfig
from churn_assets.datasets.pull import pull
from churn_assets.datasets.synthetic import bank, telco
from churn_assets.datasets.synthetic.draw import AND, Table, labels, weight
from churn_assets.datasets.synthetic.layout import BANK, TELCO, Layout
from churn_assets.datasets.synthetic.summaries import SMALLEST_CELL, described, drift
from churn_assets.datasets.tables import read_text_table
from churn_assets.storage.trees import write_atomically

RIDGE = 2.0  # inverse strength of the penalty on effects, as in scikit-learn
SMALLEST_EFFECT = 0.03  # in log-odds; labels that change nothing by more are left out
SMALLEST_ERA = 50  # rows
TELCO_COLUMNS = (*TELCO.order, "MonthlyCharges", "TotalCharges")
BANK_COLUMNS = (*BANK.given, *BANK.order)
HERE = Path(__file__).parent


def main() -> None:
    """Read both files, fit, and write the two summaries."""
    parser = argparse.ArgumentParser(description="Fit the generators to the public files.")
    parser.add_argument("mirror", type=Path, help="folder with ibm_telco/ and uci_bank/")
    parser.add_argument("--out", type=Path, default=HERE, help="where to write the summaries")
    given = parser.parse_args()
    config = DatasetsConfig(source="mirror", mirror=given.mirror)
    customers = pd.DataFrame(
        read_text_table(pull("telco_customers", config, given.mirror).path, ",")
    )
    contacts = pd.DataFrame(read_text_table(pull("bank_contacts", config, given.mirror).path, ";"))
    for name, fitted in {"telco": fit_telco(customers), "bank": fit_bank(contacts)}.items():
        text = as_text(fitted)
        write_atomically(given.out / f"{name}.json", text.encode())
        print(f"{given.out / name}.json: {len(text):,} characters")


def fit_telco(raw: pd.DataFrame) -> dict[str, Any]:
    """The summary of the IBM file's billed customers."""
    table = telco.columns_of(raw)
    has, monthly = telco.services(table), table["MonthlyCharges"].to_numpy()
    dollars = np.linalg.lstsq(np.column_stack(list(has.values())), monthly, rcond=None)[0]
    prices = {name: float(round(price)) for name, price in zip(has, dollars, strict=True)}
    scatter = pd.Series(monthly - telco.list_price(table, prices))
    months = table["tenure"].to_numpy() - 1
    changes = (table["TotalCharges"] / monthly - table["tenure"])[months > 0]
    return {
        **fit_columns(table, TELCO),
        "prices": prices,
        "price_scatter": {
            str(kind): round(float(part.std()), 2)
            for kind, part in scatter.groupby(table["InternetService"])
        },
        "total_scatter": round(float(np.sqrt((changes**2 / months[months > 0]).mean())), 3),
        **described(table, TELCO_COLUMNS, TELCO.edges),
    }


def fit_bank(raw: pd.DataFrame) -> dict[str, Any]:
    """The summary of the UCI file's contacts."""
    table = kept_contacts(raw)
    seconds = np.log(table["duration"].clip(lower=1))
    return {
        "eras": {
            str(era): {"share": round(len(part) / len(table), 5)}
            | {name: round(float(part[name].median()), 3) for name in bank.ECONOMY}
            for era, part in table.groupby("era", sort=False)
        },
        **fit_columns(table, BANK),
        "log_duration": {
            str(answer): [round(float(part.mean()), 2), round(float(part.std()), 2)]
            for answer, part in seconds.groupby(table["y"])
        },
        **described(table, BANK_COLUMNS, BANK.edges),
        "drift": drift(table),
    }


def kept_contacts(raw: pd.DataFrame) -> pd.DataFrame:
    """The UCI file's contacts (N, 22) without the months that have fewer than `SMALLEST_ERA`."""
    table = bank.columns_of(raw)
    rows = table.groupby("era")["era"].transform("size")
    return table[rows >= SMALLEST_ERA].reset_index(drop=True)


def fit_columns(frame: pd.DataFrame, layout: Layout) -> dict[str, Any]:
    """`knots` and `columns`: each column of the layout, fitted to those before it."""
    table: Table = {str(name): frame[name].to_numpy() for name in frame}
    before, columns = list(layout.given), {}
    for name in layout.order:
        column: dict[str, Any] = {}
        drawn = name
        if name in layout.bands:
            drawn = f"{name} band"
            table[drawn], column["bands"] = _bands(table[name], layout.bands[name])
        where = np.ones(len(frame), dtype=bool)
        if name in layout.among:
            values, otherwise = layout.among[name]
            for other, allowed in values.items():
                where &= np.isin(table[other], allowed)
            column |= {"among": dict(values), "otherwise": otherwise}
        terms = (*before, *layout.interactions.get(name, ()))
        columns[drawn] = column | _model(table, drawn, terms, where, layout)
        before.append(name if name in layout.knots else drawn)
    return {
        "knots": {name: list(knots) for name, knots in layout.knots.items()},
        "columns": columns,
    }


def _bands(
    numbers: NDArray[np.float64], edges: tuple[int, ...]
) -> tuple[NDArray[np.object_], dict[str, dict[str, float]]]:
    """Each number's band (N,), and each band's numbers with their shares within it."""
    names = [f"{low}-{high - 1}" for low, high in pairwise(edges)]
    at = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(names) - 1)
    band = np.array(names, dtype=object)[at]
    bands = {}
    for name in names:
        counts = pd.Series(numbers[band == name]).astype(int).value_counts().sort_index()
        counts = counts[counts >= SMALLEST_CELL]
        bands[name] = {str(k): round(count / counts.sum(), 3) for k, count in counts.items()}
    return band, {name: numbers for name, numbers in bands.items() if numbers}


def _model(
    table: Table, name: str, terms: tuple[str, ...], where: NDArray[np.bool_], layout: Layout
) -> dict[str, Any]:
    """Multinomial logistic regression of a column on the terms, in the rows `where`."""
    earlier = {column for term in terms for column in term.split(AND)}
    rows = {key: table[key][where] for key in (*earlier, name)}
    counts = pd.Series(rows[name]).value_counts()
    levels = [str(level) for level, count in counts.items() if count >= SMALLEST_CELL]
    kept = np.isin(rows[name], levels)
    found = {
        (term, label): weight(rows, term, label, layout.knots)
        for term in terms
        for label in labels(rows, term, layout.knots)
    }
    found = {key: part[kept] for key, part in found.items() if part.sum() >= SMALLEST_CELL}
    target = rows[name][kept].astype(str)
    if not found:
        shares = counts[levels].to_numpy(dtype=float)
        return _rounded(levels, np.log(shares / shares[0])[1:], {})
    model = LogisticRegression(C=RIDGE, max_iter=2_000, tol=1e-5)
    model.fit(np.column_stack(list(found.values())), target)
    order = [list(model.classes_).index(level) for level in levels]
    if len(levels) == 2:  # one set of effects, on the second class
        sign = 1 if order == [0, 1] else -1
        return _rounded(
            levels, sign * model.intercept_, dict(zip(found, sign * model.coef_.T, strict=True))
        )
    intercepts, effects = model.intercept_[order], model.coef_[order]
    return _rounded(
        levels,
        (intercepts - intercepts[0])[1:],
        dict(zip(found, (effects - effects[0])[1:].T, strict=True)),
    )


def _rounded(
    levels: list[str],
    intercepts: NDArray[np.float64],
    effects: dict[tuple[str, str], NDArray[np.float64]],
) -> dict[str, Any]:
    kept: dict[str, dict[str, list[float]]] = {}
    for (term, label), effect in effects.items():
        if np.abs(effect).max() >= SMALLEST_EFFECT:
            kept.setdefault(term, {})[label] = [round(float(value), 2) for value in effect]
    return {
        "levels": levels,
        "intercepts": [round(float(value), 3) for value in intercepts],
        "effects": kept,
    }


def as_text(value: Any, depth: int = 0) -> str:
    """JSON with a line for each term, which is as deep as a reader compares."""
    if isinstance(value, dict) and depth < 4 and any(isinstance(v, dict) for v in value.values()):
        inner = ",\n".join(
            f"{' ' * (depth + 1)}{json.dumps(key)}: {as_text(part, depth + 1)}"
            for key, part in value.items()
        )
        return f"{{\n{inner}\n{' ' * depth}}}" + ("" if depth else "\n")
    return json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    main()
