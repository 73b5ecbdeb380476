"""A first contract for tables that nobody has described yet, and what a person must decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import duckdb

from churn_assets.customers.contract.tables import Table
from churn_assets.customers.inspection.apart import hold_together
from churn_assets.customers.inspection.dates import find_written, moving_dates
from churn_assets.customers.inspection.draft import first_contract
from churn_assets.customers.inspection.guess import Guess
from churn_assets.customers.inspection.keys import find_keys
from churn_assets.customers.inspection.paid import find_unpaid
from churn_assets.customers.inspection.totals import take_out_totals
from churn_assets.customers.inspection.unknown import find_unknown, without_words
from churn_assets.customers.quality.currencies import currency_columns
from churn_assets.customers.quality.personal import find_personal
from churn_assets.customers.quality.profile import ColumnProfile, profile
from churn_assets.customers.quality.workspace import cell_of, cells_of, marks_in, workspace
from churn_assets.customers.reading.numbers import worded
from churn_assets.customers.reading.sources import Places
from churn_assets.customers.reading.table import ReadTable, read_table
from churn_assets.datasets.errors import DataError
from churn_assets.stages.spec import Progress, silent


@dataclass(frozen=True)
class Inspection:
    """What was found in tables, and the contract that follows.

    Attributes:
        contract: YAML, with guesses.
        written: how the files are written, a line each.
        columns: profiles.
        guesses: column -> what it seems to be.
        decide: what a person must decide, one line each.
        hidden: column -> why none of its cells may be shown.
    """

    contract: str
    written: tuple[str, ...]
    columns: tuple[ColumnProfile, ...]
    guesses: dict[str, str]
    decide: tuple[str, ...]
    hidden: dict[str, str]


def inspect_tables(paths: Sequence[str], places: Places, progress: Progress = silent) -> Inspection:
    """Profile a table (one or more files of the same columns) and guess its contract.

    Raises:
        DataError: it can't be read, or the files are tables of different columns.
    """
    table = Table(path=tuple(paths))
    with workspace() as (connection, folder):
        cells = folder / "cells"
        cells.mkdir()
        read = read_table(table, places, cells, progress)
        hold_together(read.files)
        marks = marks_in(connection, read, list(read.columns), table.format)
        _unite(connection, read)
        totals = take_out_totals(connection, read.columns)
        dates = find_written(connection, read.columns)
        if dates:
            marks = tuple(replace(mark, dates=dates.order) for mark in marks)
        columns = tuple(
            profile(connection, "cells", name, f"c{i}", marks[0])
            for i, name in enumerate(read.columns)
        )
        if not columns:
            raise DataError(f"{paths[0]}: it has no columns")
        unknown = find_unknown(connection, columns, marks[0])
        words = dict.fromkeys(chain.from_iterable(u.words for u in unknown.values()))
        columns = tuple(
            without_words(
                profile(connection, "cells", c.name, f"c{i}", marks[0], words) if words else c
            )
            for i, c in enumerate(columns)
        )
        personal = find_personal(connection, columns)
        keys = find_keys(connection, columns, marks[0].dates, personal)
        moving = moving_dates(connection, columns, keys, marks[0].dates)
        guess = Guess(columns, keys, unknown, personal, moving)
        guess.dates, guess.totals = dates, totals
        guess.unpaid = find_unpaid(connection, columns, guess.value, marks[0])
        cells_by_name = {c.name: f"c{i}" for i, c in enumerate(columns)}
        guess.currencies = currency_columns(connection, "cells", cells_by_name)
        leaks = guess.leaks(connection, marks[0])
    if dates and not dates.told:  # a guess, which a person is asked about
        marks = tuple(replace(mark, dates=None) for mark in marks)
    written = [
        f"{file.name}: {file.rows + file.broken:,} rows"
        + (f", {file.dialect.encoding}, delimiter {file.dialect.delimiter!r}, {worded([mark])}"
           if file.dialect else f", text with {worded([mark])}" if mark.in_text else "")
        + (f"; {file.broken:,} lines are no rows" if file.broken else "")
        for file, mark in zip(read.files, marks, strict=True)
    ]  # fmt: skip
    decide = tuple(f"{key}: {question}" for key, question in guess.decisions(leaks).items())
    contract = first_contract(guess, paths, leaks)
    roles, hidden = guess.roles(leaks), guess.hidden()
    return Inspection(contract, tuple(written), columns, roles, decide, hidden)


def _unite(connection: duckdb.DuckDBPyConnection, read: ReadTable) -> None:
    """All files as one table, no view: each query of a column would read every column's place."""
    parts = [
        "SELECT file, row, "
        + ", ".join(f"{cell_of(file, name)} AS c{i}" for i, name in enumerate(read.columns))
        + f" FROM {cells_of(read, file)}"
        for file in read.files
    ]
    connection.execute(f"CREATE TABLE cells AS {' UNION ALL '.join(parts)}")
