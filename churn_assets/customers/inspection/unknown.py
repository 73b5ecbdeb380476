"""Words that stand among a column's numbers, as "k.A." does where nobody knows one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from churn_assets.customers.quality.columns import is_missing, number, trimmed
from churn_assets.customers.quality.personal import is_email, is_sign
from churn_assets.customers.quality.profile import ColumnProfile
from churn_assets.customers.quality.workspace import one
from churn_assets.customers.reading.numbers import Marks

_MOST_WORDS = 3  # more are no sign for "unknown"
_FEWEST_NUMBERS, _MOST_NUMBERS = 0.5, 0.99  # of a column's cells; with more, the others are damaged


@dataclass(frozen=True)
class Unknown:
    """What stands among a column's numbers.

    Attributes:
        words: short ones of many rows, which may mean that nobody knows.
        others: how many cells have something else, none of which is shown.
    """

    words: tuple[str, ...]
    others: int


def find_unknown(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[ColumnProfile], marks: Marks
) -> dict[str, Unknown]:
    """Column of the table `cells` -> what stands among its numbers; column i is `c{i}`."""
    found = {}
    for i, column in enumerate(columns):
        few, most = _FEWEST_NUMBERS * column.known, _MOST_NUMBERS * column.known
        if not few <= column.numbers < most:
            continue
        if column.distinct <= 2 + _MOST_WORDS:  # a code, most likely
            continue
        cell, written = f"c{i}", marks.of(column.name)
        sign = is_sign()
        signs, others, codes = one(
            connection,
            f"""SELECT list(t ORDER BY t) FILTER ({sign}),
                  coalesce(sum(n) FILTER (NOT ({sign})), 0),
                  coalesce(bool_or(regexp_matches(t, '[0-9]') AND NOT ({is_email()})), false)
                FROM (SELECT {trimmed(cell)} AS t, count(*) AS n FROM cells
                      WHERE NOT {is_missing(cell, ())} AND {number(cell, written)} IS NULL
                      GROUP BY t)""",
        )
        words = tuple(signs or ())
        if len(words) <= _MOST_WORDS and not codes:
            found[column.name] = Unknown(words, int(others))
    return found


def what_of(unknown: Mapping[str, Unknown]) -> str:
    """What a person must decide about them; empty for nothing."""
    said = "; ".join(f"{', '.join(u.words)} in {name}" for name, u in unknown.items() if u.words)
    asked = (
        f"do these words mean that nobody knows? {said} (they are then missing in every "
        "column, and no permission where a consent has them)"
    )
    others = [
        f"{u.others:,} cells of {name} are no numbers" if u.others > 1
        else f"1 cell of {name} is no number"
        for name, u in unknown.items() if u.others
    ]  # fmt: skip
    return "; ".join([*([asked] if said else []), *others])


def without_words(column: ColumnProfile) -> ColumnProfile:
    """A column of numbers without its most frequent cells where some are words: remarks, maybe."""
    damaged = column.guess == "number" and column.numbers < column.known
    return replace(column, top=()) if damaged else column
