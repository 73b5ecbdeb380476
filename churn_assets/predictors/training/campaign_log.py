"""A campaign log as a file: `churn feedback` or a company writes it, the accept model reads it.

One row is one contact, answered or out of time, in order of time, with the columns of `COLUMNS` and
either `price_pressure` or `monthly_charges`; with a column `customer`, the contacts of one customer
are on one side of every split, and figures' intervals count people. Other columns are ignored. CSV
(also gzip) and Parquet.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from churn_assets.datasets.cells import flag, number, one_of, read_cells, text, whole
from churn_assets.datasets.errors import DataError
from churn_assets.datasets.formats import table_format
from churn_assets.datasets.splits import chronological_split, stratified_split, together
from churn_assets.datasets.tables import read_any_table
from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.predictors.scoring.features import PricePressure
from churn_assets.predictors.training.offer_response import ROWS_PER_OFFER, checked
from churn_assets.storage.trees import write_atomically

LONGEST_PAUSE = 36_525
"""Days: a customer whom nobody contacted for more than a century is a wrong date."""
ROWS_PER_ANSWER = 30
"""The fewest acceptances, and refusals, that leave some in each split and calibration fold."""
ROWS_PER_ANSWER_TO_AN_OFFER = 10
"""The fewest of each at one offer: of ten, each split has at least one."""
FIRSTS_PER_OFFER = 10
"""The fewest customers to whom an offer was the first that was made."""

COLUMNS = {
    "partner": flag(optional=True),
    "contact_channel": one_of("telephone", "cellular", optional=True),
    "contacts_this_period": whole(0),
    "days_since_contact": number(0, LONGEST_PAUSE, optional=True),
    "previous_contacts": whole(0),
    "previous_outcome": one_of("failure", "nonexistent", "success"),
    "offer_level": whole(0, OFFER_LEVELS - 1),
    "accepted": flag(),
}
WHOM = {"customer": text()}
PRICES = {"price_pressure": number(0, 1), "monthly_charges": number(0)}


def read_log(file: Path) -> pd.DataFrame:
    """The log's contacts (N, 9), every value checked as it stands in the file.

    Raises:
        DataError: there is no such file, it is a folder, its name is of no known format, or
            an offer or an answer occurs too rarely to learn from.
        CorruptFileError: it is not what its name says, or rows are longer or shorter than the
            header.
        SchemaViolationError: columns are missing or values are none of their column's; says where.
    """
    if file.is_dir():
        raise DataError(f"the campaign log {file} is a folder; name the file in it")
    if not file.is_file():
        raise DataError(f"the campaign log {file} does not exist")
    table = read_any_table(file, [*COLUMNS, *PRICES, *WHOM])
    price = next((name for name in PRICES if name in table), None)
    if price is None:
        raise DataError(f"{file}: needs a column price_pressure or monthly_charges")
    whom = WHOM if "customer" in table else {}
    log = read_cells(table, COLUMNS | {price: PRICES[price]} | whom, str(file))
    _refuse_too_few(file, log)
    if whom:
        _refuse_too_few_first(file, log.drop_duplicates("customer"))
    return log


def _refuse_too_few(file: Path, log: pd.DataFrame) -> None:
    """Raise DataError unless every offer was made, accepted and refused often enough."""
    for level, rows in _counts(log["offer_level"], range(OFFER_LEVELS)):
        if rows < ROWS_PER_OFFER:
            raise DataError(
                f"{file}: offer level {level} has {rows} rows; every level needs {ROWS_PER_OFFER}"
            )
    for answer, rows in _counts(log["accepted"], (True, False)):
        if rows < ROWS_PER_ANSWER:
            raise DataError(
                f"{file}: accepted is {str(answer).lower()} in {rows} rows; "
                f"{ROWS_PER_ANSWER} are needed to learn and to test"
            )
    for level in range(OFFER_LEVELS):
        answers = log.loc[log["offer_level"] == level, "accepted"]
        for answer, rows in _counts(answers, (True, False)):
            if rows < ROWS_PER_ANSWER_TO_AN_OFFER:
                raise DataError(
                    f"{file}: offer level {level} was {'accepted' if answer else 'refused'} in "
                    f"{rows} rows; {ROWS_PER_ANSWER_TO_AN_OFFER} are needed to learn and to test"
                )


def _refuse_too_few_first(file: Path, firsts: pd.DataFrame) -> None:
    """Raise DataError unless every offer was made to enough customers whom nobody had contacted:
    by these it is told whether offers were chosen without a look at the customer."""
    for level, rows in _counts(firsts["offer_level"], range(OFFER_LEVELS)):
        if rows < FIRSTS_PER_OFFER:
            raise DataError(
                f"{file}: offer level {level} is the first contact of {rows} customers; "
                f"{FIRSTS_PER_OFFER} are needed to tell whether offers were made by chance"
            )


def _refuse_unsplit(file: Path, log: pd.DataFrame, split: NDArray[np.str_]) -> None:
    """Raise DataError where a few customers have so many contacts that a part lacks an offer or an
    answer, since a customer's contacts are in one part."""
    test = log[split == "test"]
    learn = log[split != "test"].drop_duplicates(["offer_level", "accepted"])
    if (
        test["offer_level"].nunique() < OFFER_LEVELS
        or test["accepted"].nunique() < 2
        or len(learn) < 2 * OFFER_LEVELS
    ):
        raise DataError(
            f"{file}: {log['customer'].nunique()} customers have so many contacts each that those "
            "to test on, or to learn from, lack an offer or an answer; more customers are needed"
        )


def _counts(column: pd.Series[Any], values: Iterable[Any]) -> list[tuple[Any, int]]:
    return [(value, int((column == value).sum())) for value in values]


def campaign_log(folder: Path, price_pressure: PricePressure) -> pd.DataFrame:
    """Your own contacts, from the one file in `folder`; columns as `bank_contacts`.

    Raises:
        ValueError: not exactly one file.
        DataError: as `read_log`, or CONTACTS refuses the contacts.
    """
    files = sorted(folder.iterdir())
    if len(files) != 1:
        raise ValueError(f"{folder}: expected one campaign log, found {len(files)} files")
    log = read_log(files[0])
    if "price_pressure" not in log:
        charges = log["monthly_charges"].to_numpy(np.float64)
        log = log.assign(price_pressure=price_pressure(charges))
    log = checked(log, files[0].name)
    # Each answer to each offer is in every split: what is measured is measured at each offer.
    split = stratified_split(log["offer_level"].to_numpy() * 2 + log["accepted"].to_numpy())
    if "customer" in log:
        log["customer"] = pd.factorize(log["customer"])[0]
        split = together(split, log["customer"].to_numpy(np.int64))
        _refuse_unsplit(files[0], log, split)
    return log.assign(
        split=split,
        chronological_split=chronological_split(len(log)),
    )


def write_log(rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Write the rows in the format that the file's name says, in one step.

    Raises:
        DataError: the name is of no known format.
    """
    kind, table, written = table_format(file), pa.Table.from_pylist(list(rows)), io.BytesIO()
    (pq.write_table if kind == ".parquet" else pyarrow.csv.write_csv)(table, written)
    content = written.getvalue()
    write_atomically(file, gzip.compress(content, mtime=0) if kind == ".csv.gz" else content)
