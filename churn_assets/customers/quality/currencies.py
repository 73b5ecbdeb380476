"""Columns of amounts in several currencies: their numbers can't be added up."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from churn_assets.customers.quality.columns import text, trimmed
from churn_assets.customers.quality.judging import Judged
from churn_assets.customers.quality.workspace import one
from churn_assets.customers.reading.numbers import AMOUNT, CURRENCY

_SIGNS = {"€": "EUR", "euro": "EUR", "euros": "EUR", "Euro": "EUR", "Euros": "EUR", "£": "GBP",
          "$": "USD", "US$": "USD"}  # fmt: skip


def mixed_currencies(connection: duckdb.DuckDBPyConnection, judged: Judged) -> Iterator[str]:
    """The problem that a column of numbers names more than one currency."""
    for column in judged.columns:
        if column.reads != "number" or column.name not in judged.read.columns:
            continue
        cell = trimmed(f"c{judged.read.columns.index(column.name)}")
        sign = f"regexp_extract({cell}, {text(CURRENCY)})"
        amounts = f"FILTER (regexp_full_match({cell}, {text(AMOUNT)}))"
        (found,) = one(connection, f"SELECT list(DISTINCT {sign}) {amounts} FROM {judged.name}")
        codes = sorted({_SIGNS.get(each, each) for each in found or ()})
        if len(codes) > 1:
            yield (
                f"{judged.name}: {column.name} is in several currencies ({', '.join(codes)}): "
                "write all of it in one"
            )
