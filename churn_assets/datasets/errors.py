"""Why a data set could not be made. `auto` goes on after `SourceUnavailableError` alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

_KINDS_IN_A_LINE = 3  # of problems; the table has the rest
_ROWS_IN_A_LINE = 3
_ROWS_IN_A_TABLE = 20
_LONGEST_CELL = 60


class DataError(Exception):
    """The data are there and wrong: never a reason to use other data instead."""


class SourceUnavailableError(Exception):
    """A source cannot be reached or is not configured here; the message says which and why."""


class CorruptFileError(DataError):
    """A file cannot be read to its end, or is not in its format.

    What to do about it depends on whose file it is: who knows says so with `advised`.
    """

    def __init__(self, file: Path | str, problem: str, advice: str = "") -> None:
        super().__init__(f"{file} cannot be read: {problem}" + (f". {advice}." if advice else ""))
        self.file = file
        self.problem = problem

    def advised(self, advice: str) -> CorruptFileError:
        """The same error, with what to do about it."""
        return CorruptFileError(self.file, self.problem, advice)


class DigestMismatchError(DataError):
    """A file's bytes are not the pinned ones."""

    def __init__(self, file: Path | str, expected: str, found: str) -> None:
        super().__init__(
            f"{file} is not the pinned file: expected sha256 {expected}, found {found}. "
            "Restore the original file, or change the pin if the source was changed on purpose."
        )
        self.expected = expected
        self.found = found


@dataclass(frozen=True)
class Refusal:
    """One value that a table must not have.

    Attributes:
        row: counted from 1, the first row below the header; None for the table as a whole.
        column: its name.
        cell: the value as it stands in the table.
        problem: what is wrong with it, beginning with a verb.
        shown: whether messages may show the cell; texts can be long or offensive.
    """

    row: int | None
    column: str
    cell: object
    problem: str
    shown: bool = True

    @property
    def value(self) -> str:
        """The cell as it stands, on one line, with quotes that show its blanks."""
        if not self.shown:
            return ""
        value = repr(self.cell)
        return value if len(value) <= _LONGEST_CELL else f"{value[:_LONGEST_CELL]}…"


class SchemaViolationError(DataError):
    """Rows or columns that a table must not have.

    The message is one line with the first few; `failure_cases` is a markdown table of more.
    """

    def __init__(self, what: str, refusals: Sequence[Refusal]) -> None:
        super().__init__(f"{what}: {_in_a_line(refusals)}")
        self.count = len(refusals)
        self.failure_cases = _table(refusals)


def _in_a_line(refusals: Iterable[Refusal]) -> str:
    """Equal problems together, with the first rows of each."""
    rows: dict[str, list[int | None]] = {}
    for refusal in refusals:
        words = " ".join(filter(None, (f"{refusal.column}:", refusal.value, refusal.problem)))
        rows.setdefault(words, []).append(refusal.row)
    said = [f"{words}{_where(rows[words])}" for words in islice(rows, _KINDS_IN_A_LINE)]
    more = sum(len(found) for found in islice(rows.values(), _KINDS_IN_A_LINE, None))
    return "; ".join(said) + (f"; and {more:,} more" if more else "")


def _where(rows: Sequence[int | None]) -> str:
    known = [row for row in rows if row is not None]
    if not known:
        return ""
    first = ", ".join(map(str, known[:_ROWS_IN_A_LINE]))
    if len(known) > _ROWS_IN_A_LINE:
        return f" ({len(known):,} rows, first {first})"
    return f" (row{'s' if len(known) > 1 else ''} {first})"


def _table(refusals: Sequence[Refusal]) -> str:
    """Markdown of the first refusals in order of rows, every cell as it stands."""
    ordered = sorted(refusals, key=lambda refusal: refusal.row or 0)
    lines = ["| row | column | problem | value |", "|---|---|---|---|"]
    for refusal in ordered[:_ROWS_IN_A_TABLE]:
        row = "" if refusal.row is None else str(refusal.row)
        cells = (row, refusal.column, refusal.problem, refusal.value)
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    more = len(refusals) - _ROWS_IN_A_TABLE
    return "\n".join(lines) + (f"\n\n{more:,} more." if more > 0 else "")
