"""A table's files, read once into text cells on this machine's disk; memory stays flat.

Nothing is parsed or taken for missing: cells are text as they stand, or NULL where a Parquet file
or database has it. Lines that are no rows of the table are kept apart, with their reason.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from churn_assets.customers.contract.tables import Format, Query, Table
from churn_assets.customers.reading.database import engine_of
from churn_assets.customers.reading.dates import on_clock
from churn_assets.customers.reading.dialect import Dialect, dialect_of
from churn_assets.customers.reading.lines import Record, records
from churn_assets.customers.reading.sources import Places, files_of, unchanged
from churn_assets.datasets.errors import CorruptFileError, DataError
from churn_assets.domain.cells import cell_text
from churn_assets.domain.database_urls import shown, without_secrets
from churn_assets.stages.spec import Progress, silent

NOTES = ("refused_row", "refused_because")  # what is added to a refused row, and read as no column
_BATCH = 20_000  # rows at once in memory
_BROKEN = pa.schema([("file", pa.int32()), ("row", pa.int64()), ("line", pa.string()),
                     ("problem", pa.string())])  # fmt: skip


@dataclass(frozen=True)
class ReadFile:
    """One file that was read.

    Attributes:
        number: of the file in its table, from 0.
        name: for reports and the notes of refused rows: no other file of the table has it.
        columns: its header, without blanks around and doubled within.
        rows: how many became cells.
        broken: how many lines are no rows.
        dialect: of a text file.
        typed: columns that are no text in a Parquet file or a database.
    """

    number: int
    name: str
    columns: tuple[str, ...]
    rows: int
    broken: int
    dialect: Dialect | None
    typed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Mended:
    """A refused row, brought again by a row that names its place.

    Attributes:
        file, row: where it stood: the file's name, and the row.
        by, by_row: which file brings it, by number, and in which row.
    """

    file: str
    row: int
    by: int
    by_row: int


@dataclass(frozen=True)
class ReadTable:
    """A table as text cells: below `folder` a `cells-N.parquet` (file, row, c0, c1, …) a file.

    Attributes:
        columns: names, in the order of c0, c1, …: the first file's, then what others add.
        mended: the refused rows that another file brings again.
    """

    folder: Path
    files: tuple[ReadFile, ...]
    columns: tuple[str, ...]
    mended: tuple[Mended, ...]

    @property
    def rows(self) -> int:
        """Rows and broken lines together."""
        return sum(file.rows + file.broken for file in self.files)


@dataclass
class _Writer:
    """Rows of one file to Parquet, and its broken lines to another."""

    folder: Path
    number: int
    columns: tuple[str, ...]
    cells: list[Sequence[str | None]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    broken: list[tuple[int, int, str, str]] = field(default_factory=list)
    rows_written: int = 0
    lines_written: int = 0

    def __enter__(self) -> _Writer:
        names = [f"c{i}" for i in range(len(self.columns))]
        self.schema = pa.schema(
            [("file", pa.int32()), ("row", pa.int64()), *((name, pa.string()) for name in names)]
        )
        self.rows = pq.ParquetWriter(self.folder / f"cells-{self.number}.parquet", self.schema)
        self.lines = pq.ParquetWriter(self.folder / f"broken-{self.number}.parquet", _BROKEN)
        return self

    def row(self, number: int, cells: Sequence[str | None]) -> None:
        self.numbers.append(number)
        self.cells.append(cells)
        if len(self.cells) == _BATCH:
            self.flush()

    def line(self, number: int, line: str, problem: str) -> None:
        self.broken.append((self.number, number, line, problem))
        if len(self.broken) == _BATCH:
            self.flush()

    def flush(self) -> None:
        if self.cells:
            count = len(self.cells)
            arrays = [
                pa.array([self.number] * count, pa.int32()),
                pa.array(self.numbers, pa.int64()),
                *(pa.array(column, pa.string()) for column in zip(*self.cells, strict=True)),
            ]
            self.rows.write_table(pa.Table.from_arrays(arrays, schema=self.schema))
        if self.broken:
            columns = list(zip(*self.broken, strict=True))
            self.lines.write_table(
                pa.Table.from_arrays(
                    [pa.array(c, f.type) for c, f in zip(columns, _BROKEN, strict=True)],
                    schema=_BROKEN,
                )
            )
        self.rows_written += len(self.cells)
        self.lines_written += len(self.broken)
        self.cells, self.numbers, self.broken = [], [], []

    def __exit__(self, *_: object) -> None:
        self.flush()
        self.rows.close()
        self.lines.close()


def read_table(
    table: Table, places: Places, folder: Path, progress: Progress = silent
) -> ReadTable:
    """Read all of a table into `folder`, which has to be empty.

    Args:
        table: what the contract says of it.
        places: where files come from.
        folder: for the cells.
        progress: told bytes of the files, or rows of a query (then the total is 0).

    Raises:
        DataError: there is no such table, a file is damaged as a whole, or changed meanwhile.
        SourceUnavailableError, ArtifactError: it can't be fetched.
    """
    if table.sql is not None:
        file = _from_sql(table.sql, folder, places.zone, progress)
        return ReadTable(folder, (file,), file.columns, ())
    paths = files_of(table, places, folder)
    total, done = sum(path.stat().st_size for path in paths), 0
    read: list[ReadFile] = []
    mended: list[Mended] = []
    for number, (path, name) in enumerate(zip(paths, _names_of(paths), strict=True)):
        with unchanged(path):
            if path.suffix.lower() == ".parquet":
                file = _from_parquet(path, number, folder, places.zone)
            else:
                told = _Told(progress, done, total)
                file = _from_text(path, number, folder, table.format, mended, told)
        read.append(replace(file, name=name))
        done += path.stat().st_size
        progress(done, total)
    columns = tuple(dict.fromkeys(name for file in read for name in file.columns))
    return ReadTable(folder, tuple(read), columns, tuple(mended))


def _names_of(paths: Sequence[Path]) -> list[str]:
    """The files' names, after as many of their folders as tell those of one name apart."""
    alike = [[other for other in paths if other.name == path.name] for path in paths]
    return [_apart(path, others) for path, others in zip(paths, alike, strict=True)]


def _apart(path: Path, alike: Sequence[Path]) -> str:
    """The end of a path; for all paths of one name of the same length."""
    length = 1
    while len({other.parts[-length:] for other in alike}) < len(alike):
        length += 1
    return Path(*path.parts[-length:]).as_posix()


@dataclass
class _Told:
    """Progress within one of several files."""

    progress: Progress
    before: int
    total: int

    def __call__(self, position: int) -> None:
        self.progress(self.before + position, self.total)


def _named(header: Iterable[Any], where: Path | str) -> tuple[str, ...]:
    """The header's names, blanks around and doubled within left out; each once."""
    names = tuple(" ".join(str(name).split()) for name in header)
    if not any(names):
        raise CorruptFileError(where, "it has no header row")
    if "" in names:
        raise CorruptFileError(
            where,
            f"column {names.index('') + 1} of its header has no name",
            "Name it, or export without it (of pandas: index=False)",
        )
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise CorruptFileError(where, f"it has more than one column {doubled!r}")
    return names


def _from_text(
    path: Path,
    number: int,
    folder: Path,
    given: Format,
    mended: list[Mended],
    told: _Told,
) -> ReadFile:
    dialect = dialect_of(path, given)
    with path.open("rb") as raw:
        content: IO[bytes] = gzip.GzipFile(fileobj=raw) if path.suffix.lower() == ".gz" else raw  # type: ignore[assignment]
        found = records(content, dialect)
        header = next(found, None)
        if header is None:
            raise CorruptFileError(path, "it is empty")
        if header.problem:
            raise CorruptFileError(path, f"its header {header.problem}")
        names = _named(_but_empty_ends(header.cells, path), path)
        kept = [i for i, name in enumerate(names) if name not in NOTES]
        notes = names.index(NOTES[0]) if NOTES[0] in names else None
        columns = tuple(names[i] for i in kept)
        with _Writer(folder, number, columns) as out:
            for row, record in enumerate(_below(found, header, len(names)), start=1):
                if notes is not None and notes < len(record.cells):
                    mended += [Mended(*place, number, row) for place in _place(record.cells[notes])]
                if record.problem:
                    line = record.line or _written(record.cells, dialect.delimiter)
                    out.line(row, line, record.problem)
                else:
                    cells = record.cells
                    out.row(row, cells if len(kept) == len(cells) else [cells[i] for i in kept])
                if row % _BATCH == 0:
                    told(raw.tell())
    if not out.rows_written + out.lines_written:
        raise CorruptFileError(path, "it has a header and no rows")
    return ReadFile(number, path.name, columns, out.rows_written, out.lines_written, dialect)


def _but_empty_ends(header: list[str], path: Path) -> list[str]:
    """The header without the nameless columns of delimiters at the ends of lines.

    Raises:
        CorruptFileError: it seems to be a title above the header.
    """
    names = [name.strip() for name in header]
    nameless = names.count("")
    if len(names) == 1:
        advice = "Delete what stands above the header, or say format.delimiter"
        raise CorruptFileError(path, "its first line has one cell", advice)
    if nameless > len(names) / 2:
        problem = f"{nameless} of {len(names)} cells of its first line are empty"
        advice = "Delete what stands above the header, and columns without a name"
        raise CorruptFileError(path, problem, advice)
    while not names[-1]:
        names.pop()
    return names


def _below(found: Iterator[Record], header: Record, named: int) -> Iterator[Record]:
    """The records below the header; headers among them, and what stands below other ones, are
    no rows: two exports were joined. Nor are those with something in a column beyond the `named`
    ones."""
    width, first = len(header.cells), set(header.cells)
    other = False
    for record in found:
        problem = record.problem
        if not problem and len(record.cells) != width:
            problem = f"has {len(record.cells)} cells where the header has {width}"
        elif record.cells and record.cells[0] in first and set(record.cells) == first:
            other = record.cells != header.cells
            problem = "is a header again: two exports were joined"
        elif not problem and other:
            problem = "stands below a second header with its columns in another order"
        elif not problem and any(cell.strip() for cell in record.cells[named:]):
            problem = "has a cell in a column without a name"
        yield Record(record.cells, record.line, problem) if problem else record


def _written(cells: Sequence[str], delimiter: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="").writerow(cells)
    return out.getvalue()


def _place(note: str) -> list[tuple[str, int]]:
    """`customers.csv:17` -> the file's name and row; nothing where a row was added by hand."""
    name, _, row = note.rpartition(":")
    return [(name, int(row))] if name and row.isdecimal() else []


def _from_parquet(path: Path, number: int, folder: Path, zone: str | None) -> ReadFile:
    try:
        with pq.ParquetFile(path) as source:
            names = _named(source.schema_arrow.names, path)
            kinds = zip(names, source.schema_arrow.types, strict=True)
            typed = frozenset(name for name, kind in kinds if not is_text(kind))
            row = 0
            with _Writer(folder, number, names) as out:
                for batch in source.iter_batches(_BATCH):
                    for cells in zip(*(_as_text(c, zone) for c in batch.columns), strict=True):
                        row += 1
                        out.row(row, cells)
    except (pa.ArrowException, OSError) as error:
        raise CorruptFileError(path, " ".join(str(error).split())) from error
    if not row:
        raise CorruptFileError(path, "it has no rows")
    return ReadFile(number, path.name, names, out.rows_written, out.lines_written, None, typed)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds words; a dictionary is of what it stands for."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _as_text(column: Any, zone: str | None) -> list[str | None]:
    return [cell_text(on_clock(value, zone)) for value in column.to_pylist()]


def _from_sql(query: Query, folder: Path, zone: str | None, progress: Progress) -> ReadFile:
    engine = engine_of(query.url)
    # Imported only now, as it comes with an extra of the package: where it lacks, that is said.
    import sqlalchemy
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    where = shown(engine.url)
    try:
        with engine.connect().execution_options(
            stream_results=True, yield_per=_BATCH
        ) as connection:
            result = connection.execute(sqlalchemy.text(query.query))
            names = _named(result.keys(), where)
            row, typed = 0, set(range(len(names)))
            with _Writer(folder, 0, names) as out:
                for row, values in enumerate(result, start=1):
                    typed -= {i for i in typed if isinstance(values[i], str)}
                    out.row(row, [cell_text(on_clock(value, zone)) for value in values])
                    if row % _BATCH == 0:
                        progress(row, 0)
    except (sqlalchemy.exc.SQLAlchemyError, GoogleAPIError, GoogleAuthError) as error:
        said = without_secrets(str(getattr(error, "orig", None) or error), engine.url)
        raise DataError(f"{where}: {said}") from None  # the cause would be recorded as it is
    finally:
        engine.dispose()
    if not row:
        raise DataError(f"{where}: the query gives no rows")
    of_numbers = frozenset(names[i] for i in typed)
    return ReadFile(0, where, names, out.rows_written, out.lines_written, None, of_numbers)
