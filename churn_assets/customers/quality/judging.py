"""One table against its contract: every row is used, left out, a duplicate, or refused and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import duckdb

from churn_assets.customers.contract.tables import Table
from churn_assets.customers.headings import plain
from churn_assets.customers.quality.columns import (
    Column,
    date,
    is_blank,
    listed,
    one_spaced,
    problem,
    text,
    trimmed,
    value,
    word,
)
from churn_assets.customers.quality.mended import leave_out_mended
from churn_assets.customers.quality.workspace import cell_of, cells_of, marks_in, one
from churn_assets.customers.reading.numbers import Marks
from churn_assets.customers.reading.table import ReadFile, ReadTable
from churn_assets.domain.cells import as_word, shortened

_EXAMPLES = 3
DIFFER = "is there in rows that differ"
SPLIT = "\x1f"  # between a column and what is wrong with it
USED = "problems IS NULL AND NOT doubled"


@dataclass(frozen=True)
class Refusals:
    """One kind of refusal.

    Attributes:
        column: its name; empty for the row as a whole.
        problem: what is wrong, beginning with a verb.
        rows: how many.
        examples: the first (`file:row`, cell), the cell shortened.
    """

    column: str
    problem: str
    rows: int
    examples: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Judged:
    """A table whose rows were judged; its rows are in the data base's table `name`.

    That has: file, row, c0… (cells as they stand), v0… (values of `columns`, NULL where missing),
    problems (list of column, SPLIT, problem; NULL for none), doubled (equal to an earlier row).
    Rows that a rule leaves out are in `name`_left_out, without cells and `doubled`.

    Attributes:
        name: of the table.
        read: the cells.
        columns: what was read, in the order of v0, v1, …
        marks: how each file writes numbers and dates.
        used, refused, doubled: rows.
        left_out: reason -> rows.
        kinds: of refusals, the most frequent first.
        conflicting: ids that occur in rows which differ.
        problems, notes: of the table as a whole.
        without: columns that it may lack, and does.
    """

    name: str
    read: ReadTable
    columns: tuple[Column, ...]
    marks: tuple[Marks, ...]
    used: int
    refused: int
    doubled: int
    left_out: dict[str, int]
    kinds: tuple[Refusals, ...]
    conflicting: int
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()

    def lacks(self, name: str) -> bool:
        """Whether this is a column that the table may lack, and does."""
        return one_spaced(name) in self.without

    def value(self, name: str, use: str = "") -> str:
        """The SQL name of a column's value."""
        name = one_spaced(name)
        for i, column in enumerate(self.columns):
            if column.name == name and (not use or use in column.uses):
                return f"v{i}"
        raise KeyError(name)


def judge(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    table: Table,
    read: ReadTable,
    columns: Sequence[Column],
    key: Sequence[str] = (),
    once: bool = True,
    zone: str | None = None,
    mentioned: Collection[str] = (),
) -> Judged:
    """Judge every row of a table that was read.

    Args:
        connection: of the workspace.
        name: of the table to make.
        table: what the contract says of it.
        read: its cells.
        columns: what it has to have.
        key: columns that together name a row; rows of one key that differ are refused.
        once: whether rows that are equal in every cell are one.
        zone: in whose days moments with an offset are (`Places.zone`).
        mentioned: every column that the contract speaks of: none of them is another one's new name.
    """
    wrong, notes = _wrong_columns(read, columns, mentioned)
    problems = [*wrong, *_rules_for_nothing(read, columns, table)]
    there = [c for c in columns if any(c.name in file.columns for file in read.files)]
    numbers = [c.name for c in there if c.reads == "number"]
    found = marks_in(connection, read, numbers, table.format)
    marks = tuple(replace(mark, zone=zone) for mark in found)
    parts = [
        _select(read, file, there, table, mark)
        for file, mark in zip(read.files, marks, strict=True)
    ]
    connection.execute(f"CREATE TABLE {name}_all AS {' UNION ALL '.join(parts)}")
    left_out = _leave_out(connection, name, table, read, zone)
    keys = {f"v{i}": column.name for i, column in enumerate(there) if column.name in key}
    cells = [
        trimmed(f"c{i}") if column in keys.values() else f"c{i}"
        for i, column in enumerate(read.columns)
    ]
    stayed, made_room = leave_out_mended(connection, name, read, cells, list(keys))
    problems += stayed
    notes += made_room
    _find_repeated(connection, name, cells, keys, once)
    broken = _broken(connection, name, read)
    used, refused, doubled = one(
        connection,
        f"""SELECT count(*) FILTER ({USED}), count(*) FILTER (problems IS NOT NULL),
                   count(*) FILTER (problems IS NULL AND doubled) FROM {name}""",
    )
    conflicting = _conflicting(connection, name, list(keys))
    kinds = tuple(_kinds(connection, name, read))
    return Judged(
        name, read, tuple(there), marks, used, refused + broken, doubled, left_out, kinds,
        conflicting, tuple(problems), tuple(notes),
        frozenset(c.name for c in columns if c.may_lack and c not in there),
    )  # fmt: skip


def _find_repeated(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    cells: Sequence[str],
    keys: Mapping[str, str],
    once: bool,
) -> None:
    """Make `name` of `name`_all, which goes: `problems` (null where there are none) has rows of one
    key that differ, and `doubled` says that an equal row stands before.

    Args:
        cells: SQL of what rows have to be equal in; of an id without the blanks around it.
        keys: SQL name of a value -> its column, of those that together name a row.
        once: whether rows that are equal in every cell are one.
    """
    compared = ", ".join(cells)
    named = " AND ".join(f"{v} IS NOT NULL" for v in keys)
    conflict = f"min(h) OVER same <> max(h) OVER same AND {named}" if keys else "false"
    same = f"WINDOW same AS (PARTITION BY {', '.join(keys)})" if keys else ""
    words = text(f"{', '.join(keys.values())}{SPLIT}{DIFFER}")
    connection.execute(
        f"""CREATE TABLE {name} AS
        SELECT * EXCLUDE (h, earlier, conflicting, found),
          CASE WHEN conflicting THEN list_append(coalesce(found, []), {words}) ELSE found END
            AS problems,
          {once} AND earlier > 1 AS doubled
        FROM (SELECT *, {conflict} AS conflicting,
                row_number() OVER (PARTITION BY h ORDER BY file, row) AS earlier
              FROM (SELECT * EXCLUDE problems, nullif(problems, []) AS found, hash({compared}) AS h
                    FROM {name}_all) {same})"""
    )
    connection.execute(f"DROP TABLE {name}_all")


def _wrong_columns(
    read: ReadTable, columns: Sequence[Column], mentioned: Collection[str]
) -> tuple[list[str], list[str]]:
    """Problems and notes: columns that the contract names and a file lacks, with what they may be
    called now.

    It is no problem where cells of it may be missing and another file has it, as in snapshots from
    before the column was there, unless this file seems to call it otherwise.
    """
    problems, notes = [], []
    known = {column.name for column in columns} | {*mentioned}
    strict = {column.name for column in columns if not _may_be_blank(column)}
    optional = {column.name for column in columns if column.may_lack}
    lacking: dict[str, list[str]] = {}
    for file in read.files:
        absent = (c.name for c in columns if c.name not in file.columns)
        for column in dict.fromkeys(absent):
            if column in optional and column not in read.columns:
                continue
            # Not a column that others have beside it.
            beside = {n for other in read.files if column in other.columns for n in other.columns}
            hint = _now(column, [n for n in file.columns if n not in known and n not in beside])
            if hint or column in strict or column not in read.columns:
                problems.append(f"{file.name} has no column {column!r}{hint}")
            else:
                lacking.setdefault(column, []).append(file.name)
    for column, files in lacking.items():
        notes.append(
            f"{len(files)} of {len(read.files)} files have no column {column!r} (the first is "
            f"{files[0]}): it is missing in their rows"
        )
    return problems, notes


def _may_be_blank(column: Column) -> bool:
    """Whether nothing but a model's input or a form of address is unknown without it."""
    kinds = {"feature", "people"}
    return not column.required and column.unclear is None and kinds.issuperset(column.uses)


def _rules_for_nothing(read: ReadTable, columns: Sequence[Column], table: Table) -> Iterator[str]:
    """Rules of rows to leave out whose column no file has."""
    said = {column.name for column in columns}
    for column in dict.fromkeys(one_spaced(rule.column) for rule in table.leave_out):
        if column not in read.columns and column not in said:
            yield f"leave_out: there is no column {column!r}{_now(column, read.columns)}"


def _now(column: str, names: Iterable[str]) -> str:
    """What a column that isn't there may be called."""
    lower = {name.lower(): name for name in names}
    within = [lowered for lowered, name in lower.items() if _has_words_of(column, name)]
    near = get_close_matches(column.lower(), within, n=1, cutoff=0)
    near = near or get_close_matches(column.lower(), lower, n=1, cutoff=0.6)
    return f"; is it {lower[near[0]]!r} now?" if near else ""


def _has_words_of(column: str, other: str) -> bool:
    """Whether each word of a name stands in another one, give or take its end: Seats in Seat
    count."""
    sought = {word.removesuffix("s") for word in plain(column).split()}
    return bool(sought) and sought <= {word.removesuffix("s") for word in plain(other).split()}


def _select(
    read: ReadTable, file: ReadFile, columns: Sequence[Column], table: Table, marks: Marks
) -> str:
    """The file's rows with cells, values and problems."""
    cells = [f"{cell_of(file, name)} AS c{i}" for i, name in enumerate(read.columns)]
    inner, problems = [], []
    for i, column in enumerate(columns):
        at = read.columns.index(column.name)
        if column.name not in file.columns:  # said once, not for each row
            inner += [f"{_null(column)} AS v{i}"]
            continue
        missing, written = is_blank(column, f"c{at}", table.missing), marks.of(column.name)
        inner += [f"{missing} AS m{i}"]
        inner += [f"CASE WHEN NOT m{i} THEN {value(column, f'c{at}', written)} END AS v{i}"]
        said = problem(column, f"v{i}", f"m{i}", f"c{at}", written)
        problems.append(f"{text(column.name + SPLIT)} || {said}")
    values = [f"v{i}" for i in range(len(columns))]
    cell_names = [f"c{i}" for i in range(len(read.columns))]
    listing = ", ".join(problems)
    return f"""SELECT file, row, {", ".join((*cell_names, *values))},
          list_filter([{listing}]::VARCHAR[], lambda p: p IS NOT NULL) AS problems
        FROM (SELECT *, {", ".join(inner)} FROM
          (SELECT file, row, {", ".join(cells)} FROM {cells_of(read, file)}))"""


def _null(column: Column) -> str:
    """What a file without the column has in it: of a contact's flag the safe answer."""
    if column.unclear is not None:
        return str(column.unclear)
    kinds = {"number": "DOUBLE", "flag": "BOOLEAN", "date": "DATE", "date_or_blank": "DATE"}
    return f"NULL::{kinds.get(column.reads, 'VARCHAR')}"


def _leave_out(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    table: Table,
    read: ReadTable,
    zone: str | None,
) -> dict[str, int]:
    """Move the rows that the contract leaves out to `name`_left_out; reason -> how many."""
    counts: dict[str, int] = {}
    cells = ", ".join(f"c{i}" for i in range(len(read.columns)))
    moved = f"SELECT * EXCLUDE ({cells}) FROM {name}_all WHERE"
    connection.execute(f"CREATE TABLE {name}_left_out AS {moved} false")
    for rule in table.leave_out:
        column = one_spaced(rule.column)
        if column not in read.columns:
            continue  # said already
        cell = f"c{read.columns.index(column)}"
        where = f"coalesce({word(cell)}, '') IN {listed(map(as_word, rule.values))}"
        if rule.before is not None:
            day = date(cell, table.format.date, zone)
            where = f"coalesce({day} < DATE '{rule.before}', false)"
        (found,) = one(connection, f"SELECT count(*) FROM {name}_all WHERE {where}")
        connection.execute(f"INSERT INTO {name}_left_out {moved} {where}")
        connection.execute(f"DELETE FROM {name}_all WHERE {where}")
        counts[rule.reason] = counts.get(rule.reason, 0) + int(found)
    return counts


def _broken(connection: duckdb.DuckDBPyConnection, name: str, read: ReadTable) -> int:
    """Make the table of lines that are no rows, without those that were mended; how many."""
    connection.execute(
        f"""CREATE TABLE {name}_broken AS
        SELECT * FROM (SELECT NULL::INT AS file, NULL::BIGINT AS row, '' AS line, '' AS problem
                       WHERE false)"""
    )
    for file in read.files:
        if file.broken:
            connection.execute(
                f"""INSERT INTO {name}_broken
                SELECT * FROM read_parquet('{read.folder}/broken-{file.number}.parquet')
                WHERE (file, row) NOT IN (SELECT (file, row) FROM {name}_mended)"""
            )
    return int(one(connection, f"SELECT count(*) FROM {name}_broken")[0])


def _conflicting(connection: duckdb.DuckDBPyConnection, name: str, values: Sequence[str]) -> int:
    if not values:
        return 0
    (found,) = one(
        connection,
        f"""SELECT count(DISTINCT ({", ".join(values)})) FROM {name}
        WHERE len(list_filter(problems, lambda p: p LIKE {text("%" + SPLIT + DIFFER)})) > 0""",
    )
    return int(found)


def _kinds(connection: duckdb.DuckDBPyConnection, name: str, read: ReadTable) -> Iterator[Refusals]:
    """Every kind of refusal, cells' and lines', the most frequent first."""
    first = f"arg_min(file, (file, row), {_EXAMPLES}), arg_min(row, (file, row), {_EXAMPLES})"
    found: list[tuple[Any, ...]] = connection.execute(
        f"""SELECT p, count(*), {first} FROM
              (SELECT file, row, unnest(problems) AS p FROM {name} WHERE problems IS NOT NULL)
            GROUP BY p
            UNION ALL
            SELECT {text(SPLIT)} || problem, count(*), {first} FROM {name}_broken GROUP BY problem
            ORDER BY 2 DESC, 1"""
    ).fetchall()
    for said, rows, files, numbers in found:
        column, _, problem = said.partition(SPLIT)
        places = list(zip(files, numbers, strict=True))
        examples = tuple(
            (f"{read.files[file].name}:{row}", _cell(connection, name, read, column, file, row))
            for file, row in places
        )
        yield Refusals(column, problem, rows, examples)


def _cell(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    read: ReadTable,
    column: str,
    file: int,
    row: int,
) -> str | None:
    """A cell as it stands, shortened; of a broken line, its start."""
    if column and column not in read.columns:  # of a key of several columns
        return None
    what = f"c{read.columns.index(column)} FROM {name}" if column else f"line FROM {name}_broken"
    (cell,) = one(connection, f"SELECT {what} WHERE file = {file} AND row = {row}")
    return cell if cell is None else shortened(cell)


def with_first_row(
    connection: duckdb.DuckDBPyConnection, judged: Judged, columns: Iterable[str], wrong: str
) -> str:
    """The first of the used rows of which the SQL `wrong` holds, in words: its file and number,
    and its cells of some columns."""
    first = f"SELECT file, row FROM {judged.name} WHERE {USED} AND {wrong} ORDER BY 1, 2 LIMIT 1"
    file, row = one(connection, first)
    names = list(dict.fromkeys(map(one_spaced, columns)))
    cells = [_cell(connection, judged.name, judged.read, name, file, row) for name in names]
    said = [f"{name} {cell or ''!r}" for name, cell in zip(names, cells, strict=True)]
    return f"the first is {judged.read.files[file].name}:{row} ({', '.join(said)})"
