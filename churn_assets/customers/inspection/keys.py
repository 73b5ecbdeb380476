"""Which column of a table names a customer, and which one tells a customer's rows apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from churn_assets.customers.contract.tables import DateOrder
from churn_assets.customers.headings import is_of_the_last, says
from churn_assets.customers.inspection.words import named
from churn_assets.customers.quality.columns import date, is_missing, trimmed, word
from churn_assets.customers.quality.personal import (
    ADDRESSES,
    EMAILS,
    NOBODY,
    PHONES,
    Personal,
)
from churn_assets.customers.quality.profile import ColumnProfile
from churn_assets.customers.quality.workspace import one

_MOST_ROWS = 0.98  # some may be doubled or damaged
_REPEATED = 0.9  # of the rows: how many customers at the most, where each has several
_ROWS_A_DATE = 20  # on average; of a column that is called a snapshot, 2


@dataclass(frozen=True)
class Keys:
    """What tells rows apart.

    Attributes:
        id: the column that names a customer.
        snapshot: the date of a row, where a customer has several.
        naming: all columns that could name a row, or a customer in each snapshot, and those of
            other customers' ids.
    """

    id: ColumnProfile | None
    snapshot: ColumnProfile | None
    naming: tuple[ColumnProfile, ...]

    @property
    def told(self) -> bool:
        """Whether its name says that `snapshot` is one."""
        return self.snapshot is not None and _is_called_snapshot(self.snapshot)


def find_keys(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[ColumnProfile],
    written: DateOrder | None = None,
    personal: Mapping[str, Personal] = NOBODY,
) -> Keys:
    """The keys of the table `cells`, whose column i is `c{i}` and whose dates are `written` so.

    A snapshot is a date of few days within each of which another column names a row, though not
    in all of the table. Where a column does that, too, both need names that say what they are.
    """
    unique = tuple(c for c in columns if _names_rows(c))
    dates = [c for c in columns if _may_be_snapshot(c, told=bool(unique))]
    for day in sorted(dates, key=lambda c: (not _is_called_snapshot(c), c.distinct)):
        repeated = _unique_within(connection, columns, day, written)
        by_cells = [] if unique else _keys_by_cells(connection, columns, repeated, also="category")
        if found := _id_of(repeated, by_cells, personal):
            naming = (*unique, *repeated)
            return Keys(found, day, (*naming, *_of_others(connection, columns, found)))
    by_cells = _keys_by_cells(connection, columns, unique)
    key = _id_of(unique, by_cells, personal)
    return Keys(key, None, (*unique, *_of_others(connection, columns, key)))


def _names_rows(column: ColumnProfile) -> bool:
    words = column.guess == "text" or (column.guess == "number" and column.whole)
    return words and column.distinct >= _MOST_ROWS * column.rows


def _id_of(
    columns: Sequence[ColumnProfile],
    by_cells: Sequence[ColumnProfile],
    personal: Mapping[str, Personal],
) -> ColumnProfile | None:
    """The one that is called an id, else one whose cells say so; one of addresses or phone numbers
    only where nothing else can be."""
    found = [*named("id", columns), *by_cells]
    return min(found, key=lambda c: is_about_people(c, personal), default=None)


def is_about_people(column: ColumnProfile, personal: Mapping[str, Personal]) -> int:
    """0 where a column may well be a key; else the more, the less it may be one."""
    about = personal.get(column.name)
    if about is None or not about.mostly:
        return 0
    if about.what == PHONES:  # by their length alone many numbers of customers are, too
        return 2 if says(column.name, "call") else 0
    return {EMAILS: 1, ADDRESSES: 3}.get(about.what, 0)


def _keys_by_cells(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[ColumnProfile],
    naming: Sequence[ColumnProfile],
    also: str = "text",
) -> list[ColumnProfile]:
    """Those of words, and of digits some of which begin with a zero, as no amount does; but for a
    few, as the line of the total."""
    return [
        c for c in naming
        if c.guess in ("text", also) or _is_padded(connection, f"c{columns.index(c)}")
    ]  # fmt: skip


def _is_padded(connection: duckdb.DuckDBPyConnection, cell: str) -> bool:
    plain = trimmed(cell)
    some, others, everybody = one(
        connection,
        f"""SELECT count(*) FILTER (regexp_matches({plain}, '^0[0-9]+$')),
          count(*) FILTER (NOT regexp_matches({plain}, '^[0-9]+$')), count(*) FROM cells
        WHERE NOT {is_missing(cell, ())}""",
    )
    return bool(some and others <= (1 - _MOST_ROWS) * everybody)


def _of_others(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[ColumnProfile],
    key: ColumnProfile | None,
) -> list[ColumnProfile]:
    """The columns whose words are ids of the table: the account that was merged into theirs, who
    recommended them. Of ids that are numbers a count may have the same ones by chance."""
    if key is None or key.guess not in ("text", "category"):
        return []
    ids = f"SELECT {word(f'c{columns.index(key)}')} FROM cells"
    found = []
    for i, column in enumerate(columns):
        if column is key or column.guess not in ("text", "category", "constant"):
            continue
        query = f"""SELECT count(*) FILTER ({word(f"c{i}")} IN ({ids})) FROM cells
            WHERE NOT {is_missing(f"c{i}", ())}"""
        if one(connection, query)[0] >= _MOST_ROWS * column.known:
            found.append(column)
    return found


def _is_called_snapshot(column: ColumnProfile) -> bool:
    return says(column.name, "snapshot")


def _may_be_snapshot(column: ColumnProfile, told: bool) -> bool:
    """Whether a column may be the date of its row; `told`: only if it is called so."""
    if column.guess != "date" or column.known < _MOST_ROWS * column.rows:
        return False
    if _is_called_snapshot(column):
        return column.rows >= 2 * column.distinct
    other = says(column.name, "since") or says(column.name, "end") or is_of_the_last(column.name)
    return not (told or other) and column.rows >= _ROWS_A_DATE * column.distinct


def _unique_within(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[ColumnProfile],
    day: ColumnProfile,
    written: DateOrder | None,
) -> tuple[ColumnProfile, ...]:
    """The columns that name a row of each day, and are there on several."""
    seen = date(f"c{columns.index(day)}", written)
    fewest, most = _MOST_ROWS * day.rows / day.distinct, _REPEATED * day.rows
    found = []
    for i, column in enumerate(columns):
        words = column.guess in ("text", "category") or (column.guess == "number" and column.whole)
        if not words or not fewest <= column.distinct <= most:
            continue
        query = f"SELECT count(DISTINCT hash({word(f'c{i}')}, {seen})) FROM cells"
        if one(connection, query)[0] >= _MOST_ROWS * column.rows:
            found.append(column)
    return tuple(found)
