"""What customers seem to pay in a month: whom the guessed column tells nothing of, and who may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

from churn_assets.customers.headings import Meaning, says
from churn_assets.customers.quality.columns import number
from churn_assets.customers.quality.profile import ColumnProfile
from churn_assets.customers.quality.value import MANY
from churn_assets.customers.quality.workspace import one
from churn_assets.customers.reading.numbers import Marks

_PERIODS: Final[dict[Meaning, int]] = {"half_year": 6, "year": 12, "quarter": 3}  # months
_HERE, _THERE = 0.5, 0.1  # of the rows without and with a value: who has an amount in the other


@dataclass(frozen=True)
class Unpaid:
    """Rows in which the guessed monthly value is 0 or missing.

    Attributes:
        zero, missing: shares of all rows.
        instead: the column that has an amount in most of them, and in few others.
    """

    zero: float
    missing: float
    instead: str | None

    def question(self, name: str) -> str:
        """What to decide about the column `name`."""
        what = " or ".join(
            word for word, share in (("0", self.zero), ("nothing", self.missing)) if share
        )
        said = f"{self.zero + self.missing:.0%} of the rows have {what} in {name}"
        if self.instead is None:
            return f"{said}: do these pay nothing, or is it in another column? '[A] / 12 + [B]'"
        months = _months(self.instead)
        per = f" / {months}" if months else ""
        blanks = " (a blank there makes the sum unknown: write 0)" if self.missing else ""
        return (
            f"{said}, and most of them an amount in {self.instead}: "
            f"'[{name}] + [{self.instead}]{per}'{blanks}"
        )


def find_unpaid(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[ColumnProfile],
    value: ColumnProfile | None,
    marks: Marks,
) -> Unpaid | None:
    """The rows of the table `cells` without a monthly value, where they are many.

    Args:
        connection: of the workspace; column i of the table is `c{i}`.
        columns: of the table.
        value: the one that seems to hold the monthly value.
        marks: how numbers are written.
    """
    if value is None:
        return None
    amount = {c.name: number(f"c{i}", marks.of(c.name)) for i, c in enumerate(columns)}
    paid = f"coalesce({amount[value.name]} <> 0, false)"
    others = [c.name for c in columns if c is not value and _is_money(c)]
    counts = [
        f"count(*) FILTER ({where} AND {amount[name]} > 0)"
        for name in others
        for where in (f"NOT {paid}", paid)
    ]
    zero = f"count(*) FILTER ({amount[value.name]} = 0)"
    wanted = ["count(*)", zero, f"count(*) FILTER (NOT {paid})", *counts]
    rows, zeros, without, *found = one(connection, f"SELECT {', '.join(wanted)} FROM cells")
    if not without or without < MANY * rows:
        return None
    shares = {
        name: (here / without, there / max(rows - without, 1))
        for name, here, there in zip(others, found[::2], found[1::2], strict=True)
    }
    fits = [n for n, (here, there) in shares.items() if here >= _HERE and there <= _THERE]
    best = max(fits, key=lambda name: shares[name][0], default=None)
    return Unpaid(zeros / rows, (without - zeros) / rows, best)


def _is_money(column: ColumnProfile) -> bool:
    numbers = column.known and column.numbers >= 0.99 * column.known and column.distinct > 1
    return bool(numbers) and says(column.name, "money")


def _months(name: str) -> int | None:
    """Of how many months an amount is, by its column's name; None where it doesn't say so."""
    return next((n for period, n in _PERIODS.items() if says(name, period)), None)
