"""A DuckDB data base on disk with bounded memory, in which tables of any size are judged."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from churn_assets.customers.contract.tables import Format
from churn_assets.customers.quality.columns import is_amount
from churn_assets.customers.reading.numbers import (
    DECIMAL_COMMA,
    DECIMAL_POINT,
    TELLING,
    Marks,
    marks_of,
)
from churn_assets.customers.reading.table import ReadFile, ReadTable
from churn_assets.datasets.errors import DataError
from churn_assets.storage.scratch import scratch_folder

MEMORY = "200MB"
"""What a check takes grows with the table up to about this, and hardly further: DuckDB keeps rows
in memory until then, and on disk from then on. Beside it stand 0.2 GB of the program itself.
Measured on 11 columns, at the most: 0.30 GB for 200 rows, 0.38 for 100,000, 0.46 for 300,000, 0.52
for a million (with 400MB 0.71, for 13 % less work)."""
_SAMPLE = 50_000  # rows of a file that tell how numbers are written
_AT_ONCE = 50  # columns in a query, which finds the file's columns anew


@contextmanager
def workspace() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A connection, and a folder for cells; both are removed at the end."""
    with scratch_folder("customers") as folder:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "threads": 2,
            "temp_directory": str(folder / "spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        try:
            with duckdb.connect(str(folder / "work.duckdb"), config=settings) as connection:
                # Its own bar goes to stdout, where a session without a script may hold JSON.
                connection.execute("SET enable_progress_bar = false")
                yield connection, folder
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            said = str(error).splitlines()[0]
            where = tempfile.gettempdir()
            raise DataError(f"checking needs more room in {where} (TMPDIR): {said}") from error


def one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """The only row of a query's answer."""
    [row] = connection.execute(query).fetchall()
    return tuple(row)


def cells_of(table: ReadTable, file: ReadFile) -> str:
    """The file's Parquet of cells, as SQL reads it."""
    return f"read_parquet('{table.folder}/cells-{file.number}.parquet')"


def cell_of(file: ReadFile, column: str) -> str:
    """The cell of a column in the file's Parquet; NULL where the file lacks the column."""
    return f"c{file.columns.index(column)}" if column in file.columns else "NULL::VARCHAR"


def marks_in(
    connection: duckdb.DuckDBPyConnection, table: ReadTable, columns: list[str], given: Format
) -> tuple[Marks, ...]:
    """How each file writes the numbers of some columns: as its own cells tell, or else as those of
    the others do, unless these differ."""
    counts = [_telling(connection, table, file, columns) for file in table.files]
    others: Counter[str] = sum(counts, Counter())
    if others[DECIMAL_POINT] and others[DECIMAL_COMMA]:
        others = Counter()
    return tuple(
        replace(marks_of(told or others, given), typed=file.typed)
        if file.dialect or told or given.decimal or given.thousands
        else Marks(".", "", dates=given.date)
        for file, told in zip(table.files, counts, strict=True)
    )


def _telling(
    connection: duckdb.DuckDBPyConnection, table: ReadTable, file: ReadFile, columns: list[str]
) -> Counter[str]:
    """How many cells of a file's text tell what of its marks."""
    counts: Counter[str] = Counter()
    rows = f"{cells_of(table, file)} WHERE row % {1 + file.rows // _SAMPLE} = 0"
    there = [column for column in columns if column in file.columns and column not in file.typed]
    for start in range(0, len(there), _AT_ONCE):
        asked = there[start : start + _AT_ONCE]
        wanted = [
            (mark, is_amount(cell_of(file, c), TELLING[mark])) for c in asked for mark in TELLING
        ]
        sought = ", ".join(f"count(*) FILTER ({tells})" for _, tells in wanted)
        found = one(connection, f"SELECT {sought} FROM {rows}")
        for (mark, _), count in zip(wanted, found, strict=True):
            counts[mark] += count
    return +counts
