"""Columns whose cells look like dates and that a contract doesn't read as such."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import duckdb

from churn_assets.customers.contract.tables import DateOrder, Table
from churn_assets.customers.quality.columns import date, is_missing, one_spaced, slashed, trimmed
from churn_assets.customers.quality.judging import Judged
from churn_assets.customers.quality.said import Said
from churn_assets.customers.quality.workspace import one
from churn_assets.customers.reading.dates import SAY_DATES

_MOST = 0.9  # of the cells of a column that looks like dates
_AT_ONCE = 50  # columns in a query
_NAMED = "as a snapshot, end_date or since"


def dates_unread(
    connection: duckdb.DuckDBPyConnection, judged: Judged, table: Table
) -> Iterator[str]:
    """The problem that dates are a feature's words, or that a rule of rows to leave out can't read
    them: nobody is left out by it."""
    said = "" if table.format.date else f", and {SAY_DATES}"
    words = [c.name for c in judged.columns
             if "feature" in c.uses and c.reads in ("words", "levels")]  # fmt: skip
    for name, cell in _dated(connection, judged, words):
        which = f"{judged.name}: the feature {name} looks like dates"
        mend = f"name it {_NAMED}{said}; or leave it out"
        yield Said(f"{which} ({cell}): {mend}", f"{which}: {mend}")
    rules = [one_spaced(rule.column) for rule in table.leave_out if rule.before]
    for name, cell in _unread(connection, judged, rules, table.format.date):
        mend = f"it is none as {table.format.date}" if table.format.date else SAY_DATES
        which = f"{judged.name}: leave_out reads no date in {name}"
        mend = f"and leaves no such row out: {mend}"
        yield Said(f"{which} ({cell}) {mend}", f"{which} {mend}")


def dates_unmentioned(
    connection: duckdb.DuckDBPyConnection, judged: Judged, mentioned: Collection[str]
) -> Iterator[str]:
    """What is worth knowing: columns of such dates that the contract doesn't speak of."""
    others = [name for name in judged.read.columns if name not in mentioned]
    for name, cell in _dated(connection, judged, others):
        which = f"{judged.name}: {name} looks like dates"
        unsaid = f"and the contract doesn't speak of it: it is used if it is named {_NAMED}"
        yield Said(f"{which} ({cell}), {unsaid}", f"{which}, {unsaid}")


def _unread(
    connection: duckdb.DuckDBPyConnection,
    judged: Judged,
    names: Collection[str],
    written: DateOrder | None,
) -> Iterator[tuple[str, str]]:
    """Which of the columns have cells that look like dates and are none as they are `written`, and
    one of these."""
    for name in dict.fromkeys(names):
        if name in judged.read.columns:
            cell = f"c{judged.read.columns.index(name)}"
            none = f"{slashed(cell)} AND {date(cell, written)} IS NULL"
            wanted = f"min({trimmed(cell)}) FILTER ({none})"
            (example,) = one(connection, f"SELECT {wanted} FROM {judged.name}")
            if example is not None:
                yield name, example


def _dated(
    connection: duckdb.DuckDBPyConnection, judged: Judged, names: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Which of the columns hold dates that begin with their day or their month, and a cell."""
    there = [name for name in dict.fromkeys(names) if name in judged.read.columns]
    for start in range(0, len(there), _AT_ONCE):
        asked = there[start : start + _AT_ONCE]
        cells = [f"c{judged.read.columns.index(name)}" for name in asked]
        wanted = [
            sql
            for cell in cells
            for sql in (
                f"count(*) FILTER (NOT {is_missing(cell, ())})",
                f"count(*) FILTER ({slashed(cell)})",
                f"min({trimmed(cell)}) FILTER ({slashed(cell)})",
            )
        ]
        found = one(connection, f"SELECT {', '.join(wanted)} FROM {judged.name}")
        for i, name in enumerate(asked):
            known, dates, example = found[3 * i : 3 * i + 3]
            if dates and dates >= _MOST * known:
                yield name, example
