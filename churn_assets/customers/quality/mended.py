"""Refused rows that were mended in a file of their own: which rows of the table make room for them.

A mended row names its place, a file and a row. Exports are written anew under one name, and then
another row stands there, which must not be lost for one that was mended last month.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import duckdb

from churn_assets.customers.reading.table import ReadTable

Place = tuple[int, int, int]
"""A file's number and row, and which row of the mended file names it."""


def leave_out_mended(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    read: ReadTable,
    cells: Sequence[str],
    keys: Sequence[str],
) -> tuple[list[str], list[str]]:
    """Take out of `name`_all the rows for which a mended one stands, and make `name`_mended (file,
    row), their places.

    A row is taken out if it is still refused, for a cell or for a key in rows that differ, or if
    it has the mended row's key. Any other is of another version of the table: it stays.

    Args:
        connection: of the workspace.
        name: of the table.
        read: its files, and which rows were mended.
        cells: SQL of what rows have to be equal in to be one.
        keys: SQL names of the values that together name a row; none where nothing does.

    Returns:
        Problems, of rows that stay, and notes, of those that weren't refused and make room.
    """
    connection.execute(f"CREATE TABLE {name}_mended (file INTEGER, row BIGINT)")
    numbers = {file.name: file.number for file in read.files}
    mending = sorted({mended.by for mended in read.mended})
    problems: list[str] = []
    notes: list[str] = []
    for by in mending:
        named = [(numbers.get(m.file, by), m.row, m.by_row) for m in read.mended if m.by == by]
        places = [place for place in named if place[0] != by]  # no file mends itself
        if places:
            # As the table was when this file's rows were refused.
            before = [f.number for f in read.files if f.number < by or f.number not in mending]
            met = _take_out(connection, name, (by, places), before, cells, keys)
            ends = {file.number: file.rows + file.broken for file in read.files}
            met += [(file, False) for file, row, _ in places if row > ends[file]]
            problems += _stayed(read, by, met)
            notes += _made_room(read, by, met)
    return problems, notes


def _take_out(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    mended: tuple[int, Sequence[Place]],
    before: Sequence[int],
    cells: Sequence[str],
    keys: Sequence[str],
) -> list[tuple[int, bool]]:
    """Take out the rows for which those of one mended file (its number, and its places) stand.

    Returns:
        Of each that isn't refused and differs from the mended one: its file, and whether they have
        the same key. `before` are the files in whose rows a key makes for a refusal.
    """
    by, places = mended
    same, alike = (" AND ".join(f"o.{v} = {t}.{v}" for v in keys) or "false" for t in "mr")
    rows = f"(SELECT *, hash({', '.join(cells)}) AS h FROM {name}_all)"
    connection.execute("CREATE OR REPLACE TEMP TABLE places (file INTEGER, row BIGINT, own BIGINT)")
    connection.executemany("INSERT INTO places VALUES (?, ?, ?)", places)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE met AS
        SELECT o.file, o.row, coalesce({same}, false) AS same, m.h IS DISTINCT FROM o.h AS differs,
          len(o.problems) > 0 OR EXISTS (
            SELECT 1 FROM {rows} r
            WHERE r.file IN ({", ".join(map(str, before))}) AND {alike} AND r.h <> o.h) AS refused
        FROM places JOIN {rows} o ON o.file = places.file AND o.row = places.row
          LEFT JOIN {rows} m ON m.file = {by} AND m.row = places.own"""
    )
    connection.execute(
        f"""INSERT INTO {name}_mended
        SELECT file, row FROM met WHERE same OR refused
        UNION SELECT file, row FROM places WHERE (file, row) NOT IN (SELECT (file, row) FROM met)"""
    )
    connection.execute(
        f"DELETE FROM {name}_all WHERE (file, row) IN (SELECT (file, row) FROM {name}_mended)"
    )
    found = "SELECT file, same FROM met WHERE NOT refused AND (differs OR NOT same)"
    return connection.execute(found).fetchall()


def _stayed(read: ReadTable, by: int, met: Sequence[tuple[int, bool]]) -> Iterator[str]:
    """What is wrong where other rows stand in the places that a mended file's rows name."""
    mended = read.files[by]
    for file, rows in sorted(Counter(file for file, same in met if not same).items()):
        yield (
            f"{rows:,} of {mended.rows + mended.broken:,} rows of {mended.name} were mended in "
            f"another version of {read.files[file].name}: other rows stand in their places now, "
            f"which are kept; remove {mended.name} from the table's path"
        )


def _made_room(read: ReadTable, by: int, met: Sequence[tuple[int, bool]]) -> Iterator[str]:
    """What is worth knowing where rows of the same key weren't refused any more."""
    mended = read.files[by].name
    for file, rows in sorted(Counter(file for file, same in met if same).items()):
        yield (
            f"{rows:,} rows of {mended} stand for rows of {read.files[file].name} that aren't "
            f"refused now; if that file is newer than {mended}, remove {mended} from the table's "
            "path"
        )
