"""What a table's columns hold: missing shares, values, ranges, and a guess at their kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import duckdb

from churn_assets.customers.quality.columns import (
    date,
    is_amount,
    is_missing,
    number,
    trimmed,
    word,
)
from churn_assets.customers.quality.workspace import one
from churn_assets.customers.reading.numbers import Marks, grouped
from churn_assets.domain.cells import TRUTHS

Guess = Literal["empty", "constant", "flag", "number", "date", "category", "text"]
MOST_LEVELS = 50  # of a category, else it is text...
_ROWS_A_LEVEL, _MOST_OF_MANY = 20, 250  # ...unless so many rows have each of these, on average
_MOST = 4  # values shown


@dataclass(frozen=True)
class ColumnProfile:
    """What a column holds.

    Attributes:
        name: of the column.
        rows, missing: counts.
        distinct: how many different values, missing ones aside.
        numbers, dates: how many cells are one.
        truths: how many are yes/no, true/false or 1/0.
        unclear: how many are numbers whose point may stand between thousands.
        low, high, mean: of the numbers.
        whole: whether all numbers are whole.
        top: the most frequent cells, each as it is spelled most often, and their rows.
    """

    name: str
    rows: int
    missing: int
    distinct: int
    numbers: int
    dates: int
    truths: int
    unclear: int
    low: float | None
    high: float | None
    mean: float | None
    whole: bool
    top: tuple[tuple[str, int], ...]

    @property
    def known(self) -> int:
        """Cells that aren't missing."""
        return self.rows - self.missing

    @property
    def missing_share(self) -> float:
        """Of all rows."""
        return self.missing / self.rows if self.rows else 0.0

    @property
    def guess(self) -> Guess:
        """What kind of column it seems to be; 99 % of the cells decide."""
        if not self.known:
            return "empty"
        if self.distinct == 1:
            return "constant"
        most = 0.99 * self.known
        if self.distinct == 2 and self.truths >= most:
            return "flag"
        if self.numbers >= most:
            return "number" if self.distinct > 2 else "category"  # 1 and 2 are a code
        if self.dates >= most:
            return "date"
        many = min(self.known / _ROWS_A_LEVEL, _MOST_OF_MANY)
        return "category" if self.distinct <= max(MOST_LEVELS, many) else "text"


def profile(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    column: str,
    cell: str,
    marks: Marks,
    missing: Iterable[str] = (),
) -> ColumnProfile:
    """The profile of one column of text cells.

    Args:
        connection: of the workspace.
        source: what follows FROM, with its WHERE.
        column: the column's name.
        cell: the SQL name of its cells.
        marks: how numbers and dates are written.
        missing: cells that mean "unknown" beside the usual ones.
    """
    blank, marks = is_missing(cell, missing), marks.of(column)
    truths = ", ".join(f"'{truth}'" for truth in TRUTHS)
    unclear = "false" if marks.told else is_amount(cell, grouped("."))
    rows, blanks, distinct, numbers, dates, truth, doubt, low, high, mean, whole = one(
        connection,
        f"""SELECT count(*), count(*) FILTER (blank), count(DISTINCT w) FILTER (NOT blank),
          count(n) FILTER (NOT blank), count(d) FILTER (NOT blank),
          count(*) FILTER (w IN ({truths})), count(*) FILTER (unclear),
          min(n) FILTER (NOT blank), max(n) FILTER (NOT blank),
          avg(n) FILTER (NOT blank), coalesce(bool_and(n = floor(n)) FILTER (NOT blank), false)
        FROM (SELECT {blank} AS blank, {word(cell)} AS w, {number(cell, marks)} AS n,
                     {date(cell, marks.dates)} AS d, {unclear} AS unclear FROM {source})""",
    )
    top = connection.execute(
        f"""SELECT first(t ORDER BY n DESC, t), CAST(sum(n) AS BIGINT) FROM
              (SELECT {word(cell)} AS w, {trimmed(cell)} AS t, count(*) AS n
               FROM (SELECT {cell} FROM {source}) WHERE NOT {blank} GROUP BY w, t)
            GROUP BY w ORDER BY 2 DESC, 1 LIMIT {_MOST}"""
    ).fetchall()
    return ColumnProfile(
        column, rows, blanks, distinct, numbers, dates, truth, doubt, low, high, mean, whole,
        tuple(top),
    )  # fmt: skip
