"""A file that somebody hands over once, row by row: what the commands that import something read.

Text in any encoding and with any delimiter that a contract's table may have, and Parquet; memory
stays flat. A line that is no row is handed on with what is wrong with it, and stops no other.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from math import isnan
from pathlib import Path
from typing import IO, Any, NamedTuple

from churn_assets.customers.contract.tables import Format
from churn_assets.customers.reading.dialect import dialect_of
from churn_assets.customers.reading.lines import records
from churn_assets.datasets.errors import CorruptFileError, DataError
from churn_assets.datasets.formats import table_format
from churn_assets.domain.cells import MISSING, cell_text
from churn_assets.stages.spec import Progress, silent

_AT_ONCE = 5_000  # rows of a Parquet file in memory, and between two calls of `progress`


class BrokenRow(NamedTuple):
    """A line that is no row of the table, and why."""

    problem: str


Row = dict[str, str] | BrokenRow
"""Field -> cell as text; cells that mean "unknown" are left out."""
_NEAR = 0.8  # of `difflib`'s ratio: "Korting" and "Korting %" have 0.88, "Datum" and "Kanaal" 0.18


def _is_near(name: str, columns: Iterable[str]) -> bool:
    """Whether one of the columns is called nearly so."""
    folded = [" ".join(column.casefold().split()) for column in columns]
    return bool(get_close_matches(" ".join(name.casefold().split()), folded, 1, _NEAR))


class Rows:
    """The rows of a file, to be gone through once.

    Attributes:
        file: where they are from.
        passed_over: columns of the file that nobody asked for.
        absent: optional field -> the name of it that the file doesn't have.
    """

    def __init__(
        self,
        file: Path,
        needed: Collection[str],
        known: Collection[str],
        names: Mapping[str, str] | None = None,
        progress: Progress = silent,
        missing: Collection[str] = MISSING,
        optional: Collection[str] = (),
    ) -> None:
        """Opens the file and reads its header.

        Args:
            file: `.csv`, `.csv.gz` or `.parquet`.
            needed: fields without which no row says anything.
            known: all fields that are read.
            names: field -> the file's name of it, where it has another; None where nobody is asked
                for names.
            progress: told bytes of a text, or rows of a Parquet file.
            missing: words, in lower case, that mean "unknown".
            optional: fields that a file need not have under their name in `names`: it says nothing
                of them then, or under their own. A column that is called nearly so is none that
                isn't there: a misspelt header would lose what it heads.

        Raises:
            DataError: the file can't be read, is of another kind, or lacks a column; in one line.
        """
        self.file, self._progress, self._missing = file, progress, missing
        parquet = table_format(file) == ".parquet"
        try:
            self._cells = self._of_parquet() if parquet else self._of_text()
            header = next(self._cells)
        except OSError as error:
            raise DataError(f"{file} can't be read: {error.strerror or error}") from error
        if isinstance(header, BrokenRow):
            raise CorruptFileError(file, f"its header {header.problem}")
        columns = [name.strip() for name in header]
        self.absent: dict[str, str] = {}
        if names is not None:
            others = {*columns} - {*names.values()}
            self.absent = {
                field: name
                for field, name in names.items()
                if field in optional and name not in columns and not _is_near(name, others)
            }
            names = {f: name for f, name in names.items() if f not in self.absent}
        theirs = {ours: ours for ours in known} | dict(names or {})
        self._fields = {theirs[field]: field for field in theirs}
        self._columns = columns
        self._check(needed, names)
        self.passed_over = tuple(name for name in columns if name not in self._fields)

    def has(self, field: str) -> bool:
        """Whether the file has a column of the field, whatever it is called there."""
        return any(self._fields.get(name) == field for name in self._columns)

    def misspelt(self, field: str) -> bool:
        """Whether the file lacks a column of the field, and has one that is called nearly so, which
        nobody asked for."""
        return not self.has(field) and _is_near(field, self.passed_over)

    def __iter__(self) -> Iterator[Row]:
        places = [
            (self._fields[name], i) for i, name in enumerate(self._columns) if name in self._fields
        ]
        width = len(self._columns)
        for cells in self._cells:
            if isinstance(cells, BrokenRow):
                yield cells
            elif len(cells) != width:
                yield BrokenRow(f"has {len(cells)} cells where the header has {width}")
            else:
                yield {
                    field: cell
                    for field, i in places
                    if (cell := (cells[i] or "").strip()).lower() not in self._missing
                }

    def _check(self, needed: Collection[str], names: Mapping[str, str] | None) -> None:
        """Raises DataError for a header that lacks what is needed or named."""
        has = ", ".join(name or "one without a name" for name in self._columns)
        if doubled := [name for name in self._fields if self._columns.count(name) > 1]:
            raise DataError(f"{self.file} has more than one column {doubled[0]}")
        if lacking := sorted({*(names or {}).values()} - {*self._columns}):
            raise DataError(f"{self.file} has no column {', '.join(lacking)}; it has {has}")
        found = {self._fields[name] for name in self._columns if name in self._fields}
        if lacking := [field for field in needed if field not in found]:
            advice = f": where one of them is meant, say so with --column {lacking[0]}=NAME"
            raise DataError(
                f"{self.file} has no column {', '.join(lacking)}; it has {has}"
                + (advice if names is not None else "")
            )

    def _of_text(self) -> Iterator[list[str] | BrokenRow]:
        dialect = dialect_of(self.file, Format())
        total = self.file.stat().st_size
        with self.file.open("rb") as raw:
            packed = self.file.suffix.lower() == ".gz"
            content: IO[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
            empty = True
            for number, record in enumerate(records(content, dialect)):
                empty = False
                yield BrokenRow(record.problem) if record.problem else record.cells
                if number % _AT_ONCE == 0:
                    self._progress(raw.tell(), total)
            if empty:
                raise CorruptFileError(self.file, "it is empty")
        self._progress(total, total)

    def _of_parquet(self) -> Iterator[list[Any] | BrokenRow]:
        import pyarrow as pa  # here: with it come clients of clouds, and servers read lists only
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.file) as source:
                yield list(source.schema_arrow.names)
                done, total = 0, source.metadata.num_rows
                for batch in source.iter_batches(_AT_ONCE):
                    columns = [map(_text, column.to_pylist()) for column in batch.columns]
                    yield from map(list, zip(*columns, strict=True))
                    done += batch.num_rows
                    self._progress(done, total)
        except pa.ArrowException as error:
            raise CorruptFileError(self.file, " ".join(str(error).split())) from error


def _text(value: Any) -> str | None:
    """A cell as text; a time with hour and zone even at midnight. A number that is none is what
    pandas writes for a missing cell, and no word."""
    if isinstance(value, float) and isnan(value):
        return None
    return value.isoformat() if isinstance(value, datetime) else cell_text(value)
