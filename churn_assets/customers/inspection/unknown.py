"""Words that stand among a column's numbers, as "k.A." does where nobody knows one."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from churn_assets.customers.quality.columns import is_missing, number, trimmed
from churn_assets.customers.quality.profile import ColumnProfile
from churn_assets.customers.reading.numbers import Marks

_MOST_WORDS = 3  # more are no sign for "unknown"
_FEWEST_NUMBERS, _MOST_NUMBERS = 0.5, 0.99  # of a column's cells; with more, the others are damaged


def find_unknown(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[ColumnProfile], marks: Marks
) -> dict[str, tuple[str, ...]]:
    """Column of the table `cells` -> the few words among its numbers; column i is `c{i}`."""
    found = {}
    for i, column in enumerate(columns):
        few, most = _FEWEST_NUMBERS * column.known, _MOST_NUMBERS * column.known
        if not few <= column.numbers < most:
            continue
        if column.distinct <= 2 + _MOST_WORDS:  # a code, most likely
            continue
        cell = f"c{i}"
        words = connection.execute(
            f"""SELECT DISTINCT {trimmed(cell)} FROM cells
                WHERE NOT {is_missing(cell, ())} AND {number(cell, marks)} IS NULL
                ORDER BY 1 LIMIT {_MOST_WORDS + 1}"""
        ).fetchall()
        if len(words) <= _MOST_WORDS and not any(c.isdigit() for [w] in words for c in w):
            found[column.name] = tuple(word for [word] in words)
    return found
