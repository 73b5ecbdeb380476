"""From raw cells to typed columns: each value is checked as it stands, and only then converted.

A cell that is not certainly a value of its column is refused, with its row; nothing is guessed.
Blanks around a value and the case of words make no difference.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pandas as pd

from churn_assets.datasets.errors import Refusal, SchemaViolationError
from churn_assets.domain.cells import MISSING, TRUTHS

RawTable = dict[str, list[Any]]
"""Column -> cells: text from a text file, Python's own values from Parquet."""

LARGEST_COUNT = 10**9

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WITH_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+")  # 1,234: of thousands, or of decimals
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)


class RefusedError(ValueError):
    """A cell is no value of its column; the message begins with a verb."""


@dataclass(frozen=True)
class Column:
    """How the cells of a column are read.

    Attributes:
        needed: what a cell has to be, in words.
        read: a cell that is not missing -> its value; raises RefusedError.
        dtype: of the column that is made of the values.
        optional: whether cells may be missing (`MISSING`).
        unique: whether every value may occur only once.
        numeric: whether its text is numbers, which may have a decimal comma.
        blanks: lower-case spellings of a missing value.
    """

    needed: str
    read: Callable[[Any], Any]
    dtype: str
    optional: bool = False
    unique: bool = False
    numeric: bool = False
    blanks: frozenset[str] = MISSING


def flag(optional: bool = False) -> Column:
    """True or false in one of their usual spellings."""
    needed = "yes/no, y/n, true/false or 1/0"

    def read(cell: Any) -> bool:
        truth = TRUTHS.get(str(cell).strip().lower())
        if truth is None:
            raise RefusedError(f"is none of {needed}")
        return truth

    return Column(needed, read, "boolean" if optional else "bool", optional)


def one_of(*values: str, optional: bool = False) -> Column:
    """One of some words, given back as they are spelled here."""
    needed = "one of " + ", ".join(values)
    spellings = {value.lower(): value for value in values}

    def read(cell: Any) -> str:
        found = spellings.get(cell.strip().lower()) if isinstance(cell, str) else None
        if found is None:
            raise RefusedError(f"is not {needed}")
        return found

    return Column(needed, read, "object", optional)


def text(unique: bool = False) -> Column:
    """Any words; "NA" may be somebody's name."""

    def read(cell: Any) -> str:
        if not isinstance(cell, str):
            raise RefusedError("is not text")
        return cell

    return Column("text", read, "object", unique=unique, blanks=frozenset({""}))


def number(low: float = -math.inf, high: float | None = None, optional: bool = False) -> Column:
    """A finite number from `low` to `high`."""
    needed = _range("a number", low, high)

    def read(cell: Any) -> float:
        return _within(_number(cell), low, high, needed)

    return Column(needed, read, "Float64" if optional else "float64", optional, numeric=True)


def whole(low: int, high: int | None = None, optional: bool = False) -> Column:
    """A whole number from `low` to `high`; 12.0 is one, 1.5 is not."""
    needed = _range("a whole number", low, high)

    def read(cell: Any) -> int:
        found = _within(_number(cell), low, LARGEST_COUNT if high is None else high, needed)
        if not found.is_integer():
            raise RefusedError("is not a whole number")
        return int(found)

    return Column(needed, read, "Int64" if optional else "int64", optional, numeric=True)


def read_cells(
    table: Mapping[str, Sequence[Any]],
    columns: Mapping[str, Column],
    what: str,
    strict: bool = False,
) -> pd.DataFrame:
    """The table's `columns`, in their order and with their types; N rows like the table.

    Args:
        table: raw cells.
        columns: which columns to read and how. Others are left out.
        what: the table's name in errors.
        strict: refuse other columns, and another order.

    Raises:
        SchemaViolationError: columns are missing, or cells are refused; says which and why.
    """
    if problems := _wrong_columns(list(table), list(columns), strict):
        there = textwrap.shorten(", ".join(map(str, table)), 300, placeholder=" …")
        raise SchemaViolationError(f"{what} (its columns: {there})", problems)
    comma = _has_decimal_commas(table[name] for name in columns if columns[name].numeric)
    refusals: list[Refusal] = []
    frame = {}
    for name, column in columns.items():
        cells = table[name]
        values, problems = _read_column(
            name, cells, _with_commas(column) if comma and column.numeric else column
        )
        refusals += problems
        frame[name] = values
    if refusals:
        raise SchemaViolationError(what, refusals)
    return pd.DataFrame(
        {name: pd.Series(values, dtype=columns[name].dtype) for name, values in frame.items()}
    )


def _wrong_columns(found: list[str], expected: list[str], strict: bool) -> list[Refusal]:
    missing = [
        Refusal(None, name, None, "is missing", shown=False)
        for name in expected
        if name not in found
    ]
    if not strict:
        return missing
    others = [
        Refusal(None, name, None, "is no column of this table", shown=False)
        for name in found
        if name not in expected
    ]
    if others or missing or found == expected:
        return others + missing
    order = f"is out of order; the order is {', '.join(expected)}"
    first = next(name for name, right in zip(found, expected, strict=True) if name != right)
    return [Refusal(None, first, None, order, shown=False)]


def _read_column(
    name: str, cells: Sequence[Any], column: Column
) -> tuple[list[Any], list[Refusal]]:
    values: list[Any] = []
    refusals: list[Refusal] = []
    seen: set[Any] = set()
    for row, cell in enumerate(cells, start=1):
        value = None
        if _is_missing(cell, column.blanks):
            if not column.optional:
                refusals.append(Refusal(row, name, cell, f"is blank; needed is {column.needed}"))
        else:
            try:
                value = column.read(cell)
            except RefusedError as error:
                refusals.append(Refusal(row, name, cell, str(error)))
            else:
                if column.unique and value in seen:
                    refusals.append(Refusal(row, name, cell, "is there more than once"))
                seen.add(value)
        values.append(value)
    return values, refusals


def _is_missing(cell: Any, blanks: frozenset[str]) -> bool:
    """Whether a cell holds no value: null, not a number, or text that says so."""
    if isinstance(cell, str):
        return cell.strip().lower() in blanks
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _number(cell: Any) -> float:
    if isinstance(cell, str):
        words = cell.strip()
        if _INFINITE.fullmatch(words):
            raise RefusedError("is infinite")
        if _GROUPED.fullmatch(words):
            raise RefusedError("may have thousands or decimals after its comma: write a point")
        if not _NUMBER.fullmatch(words):
            raise RefusedError("is not a number")
        return float(words)
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
        raise RefusedError("is not a number")
    return float(cell)


def _within(found: float, low: float, high: float | None, needed: str) -> float:
    if math.isinf(found):
        raise RefusedError("is infinite")
    if found < 0 <= low:
        raise RefusedError("is negative")
    if found < low or (high is not None and found > high):
        raise RefusedError(f"is not {needed}")
    return found


def _range(what: str, low: float, high: float | None) -> str:
    if math.isinf(low):
        return what
    return f"{what} from {low:g}" + (" up" if high is None else f" to {high:g}")


def _has_decimal_commas(columns: Iterable[Sequence[Any]]) -> bool:
    """Whether the table writes decimals after a comma: some number cannot be read otherwise."""
    return any(
        isinstance(cell, str)
        and "," in cell
        and _WITH_COMMA.fullmatch(cell.strip()) is not None
        and _GROUPED.fullmatch(cell.strip()) is None
        for cells in columns
        for cell in cells
    )


def _with_commas(column: Column) -> Column:
    """The column in a table of decimal commas, in which a point could be of thousands."""

    def read(cell: Any) -> Any:
        if isinstance(cell, str) and "." in cell:
            raise RefusedError("has a point, while other numbers here have decimal commas")
        return column.read(cell.replace(",", ".") if isinstance(cell, str) else cell)

    return replace(column, read=read)
