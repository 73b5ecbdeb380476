"""How a table's dates are written, as far as cells tell: whether 01/02/2026 begins with the day or
the month; and which of them move with a customer's snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from churn_assets.customers.contract.tables import DateOrder
from churn_assets.customers.inspection.keys import Keys
from churn_assets.customers.quality.columns import date, is_missing, slashed, trimmed, word
from churn_assets.customers.quality.profile import ColumnProfile
from churn_assets.customers.quality.tenure import MOST_MOVED, moved
from churn_assets.customers.quality.workspace import one
from churn_assets.customers.reading.dates import SLASHED

_MOST = 0.99  # of the cells of a column of dates; the others are damaged
_MONTHS = 12
_AT_ONCE = 50  # columns in a query


@dataclass(frozen=True)
class Written:
    """How a table's dates are written that begin with their day or their month.

    Attributes:
        order: what they begin with, as it seems.
        column: the first of such dates.
        told: whether a day above 12 says so, and none says otherwise.
        both: whether such days stand in both places, as where two systems made the table.
    """

    order: DateOrder
    column: str
    told: bool
    both: bool

    @property
    def question(self) -> str:
        """What a person must decide; empty for nothing."""
        if self.told:
            return ""
        why = "cells tell both" if self.both else f"no cell of {self.column} tells"
        return (
            "is 01/02/2026 the 1st of February (dd/mm/yyyy) or the 2nd of January (mm/dd/yyyy)? "
            f"{why[0].upper()}{why[1:]}"
        )


def find_written(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> Written | None:
    """How the dates of the table `cells` are written, whose column i is `c{i}`; None where it has
    no column of dates that begin with their day or their month."""
    found: list[str] = []
    day_first = month_first = 0
    for start in range(0, len(columns), _AT_ONCE):
        names = columns[start : start + _AT_ONCE]
        wanted = [sql for i in range(len(names)) for sql in _counts(f"c{start + i}")]
        counts = one(connection, f"SELECT {', '.join(wanted)} FROM cells")
        for i, name in enumerate(names):
            known, dates, days, months = counts[4 * i : 4 * i + 4]
            if dates and dates >= _MOST * known:
                found.append(name)
                day_first, month_first = day_first + days, month_first + months
    if not found:
        return None
    both = bool(day_first and month_first)
    told = bool(day_first or month_first) and not both
    order: DateOrder = "mm/dd/yyyy" if month_first > day_first else "dd/mm/yyyy"
    return Written(order, found[0], told, both)


def moving_dates(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[ColumnProfile],
    keys: Keys,
    written: DateOrder | None,
) -> set[str]:
    """The columns of the table `cells`, whose column i is `c{i}`, whose dates move with a
    customer's snapshots, as a last visit does: nobody is a customer since then."""
    if not (keys.id and keys.snapshot):
        return set()
    found = set()
    who = word(f"c{columns.index(keys.id)}")
    seen = date(f"c{columns.index(keys.snapshot)}", written)
    for i, column in enumerate(columns):
        if column.guess == "date" and column is not keys.snapshot:
            query = moved(who, seen, date(f"c{i}", written), "cells")
            steps, others, _ = one(connection, query)
            if others > MOST_MOVED * steps:
                found.add(column.name)
    return found


def _counts(cell: str) -> tuple[str, ...]:
    """SQL that counts the cells that are there, those that are such dates, and those whose first
    and whose second number can't be a month."""
    plain = trimmed(cell)
    first = f"TRY_CAST(regexp_extract({plain}, '^{SLASHED}$', 1) AS INTEGER)"
    second = f"TRY_CAST(regexp_replace({plain}, '^{SLASHED}$', '\\2\\3') AS INTEGER)"
    fits = f"{slashed(cell)} AND least({first}, {second}) BETWEEN 1 AND {_MONTHS}"
    fits += f" AND greatest({first}, {second}) <= 31"
    return (
        f"count(*) FILTER (NOT {is_missing(cell, ())})",
        f"count(*) FILTER ({fits})",
        f"count(*) FILTER ({fits} AND {first} > {_MONTHS})",
        f"count(*) FILTER ({fits} AND {second} > {_MONTHS})",
    )
