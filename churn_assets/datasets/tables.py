"""Tables in and out: delimited text, and Parquet whose bytes depend on nothing but the rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from churn_assets.datasets.cells import RawTable
from churn_assets.datasets.errors import CorruptFileError
from churn_assets.datasets.formats import MARKS, OTHER_FORMATS, SEPARATORS, table_format
from churn_assets.datasets.sources.files import content
from churn_assets.domain.splits import Split


def read_text_table(path: Path, separator: str) -> RawTable:
    """A delimited UTF-8 file, plain or gzip, as text: nothing parsed or taken for missing.

    Raises:
        CorruptFileError: it is no such table, or a row has more or fewer values than the header.
    """
    return _columns(path, _text(path, content(path)), separator)


def read_any_table(path: Path, wanted: Collection[str]) -> RawTable:
    """A table that somebody else wrote, as raw cells.

    CSV may be in UTF-8 or UTF-16 with its mark, and separated by commas, semicolons, tabs or bars:
    by whichever finds most of the wanted columns in the header.

    Raises:
        CorruptFileError: the file is not what its name says, or is damaged; says what it is.
        DataError: the name says no known format.
    """
    if table_format(path) == ".parquet":
        return _parquet_cells(path, wanted)
    text = _text(path, content(path))
    found = {mark: len({*_header(_reader(text, mark))} & {*wanted}) for mark in SEPARATORS}
    return _columns(path, text, max(SEPARATORS, key=lambda mark: found[mark]), wanted)


def _reader(text: str, separator: str) -> Iterator[list[str]]:
    """Rows as lists; lines without any character are skipped."""
    lines = io.StringIO(text, newline="")
    return filter(None, csv.reader(lines, delimiter=separator, strict=True))


def _header(reader: Iterator[list[str]]) -> list[str]:
    """The names in the first row; none if that is no row."""
    try:
        return [name.strip() for name in next(reader, [])]
    except csv.Error:
        return []


def _text(path: Path, raw: bytes) -> str:
    """The file's characters; whatever is not certainly UTF-8 or UTF-16 is refused by its name."""
    for start, what in OTHER_FORMATS.items():
        if raw.startswith(start):
            raise CorruptFileError(path, f"it is not CSV but {what}")
    encoding = next((name for mark, name in MARKS.items() if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CorruptFileError(
            path,
            f"line {line} is not {encoding.upper().removesuffix('-SIG')} "
            f"(byte 0x{raw[error.start]:02x}); if it is Latin-1 or Windows-1252, save it as UTF-8",
        ) from error
    if "\0" in text:
        raise CorruptFileError(path, "it has NUL characters; if it is UTF-16, save it as UTF-8")
    return text


def _columns(
    path: Path, text: str, separator: str, wanted: Collection[str] | None = None
) -> RawTable:
    """Header name -> cells; of the `wanted` columns (default: all) none may be there twice."""
    reader = _reader(text, separator)
    rows: list[list[str]] = []
    header = _header(reader)
    if not header:
        raise CorruptFileError(path, "it has no header row")
    _refuse_repeated(path, header, header if wanted is None else wanted)
    try:
        for number, row in enumerate(reader, start=1):
            if len(row) != len(header):
                raise CorruptFileError(
                    path, f"row {number} has {len(row)} values, the header {len(header)}"
                )
            rows.append(row)
    except csv.Error as error:
        raise CorruptFileError(path, f"row {len(rows) + 1}: {error}") from error
    cells = zip(*rows, strict=True) if rows else ((),) * len(header)
    return {name: list(column) for name, column in zip(header, cells, strict=True)}


def _refuse_repeated(path: Path, header: Sequence[str], wanted: Collection[str]) -> None:
    for name in wanted:
        if header.count(name) > 1:
            raise CorruptFileError(path, f"it has more than one column {name!r}")


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write with fixed settings and without pandas' own metadata, which names its version.

    Integer columns are marked as nullable or not, so that they come back as they were.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = [
        field.with_nullable(not pa.types.is_integer(field.type) or _nullable(frame, field.name))
        for field in table.schema
    ]
    table = table.cast(pa.schema(fields))
    pq.write_table(table, path, compression="zstd", version="2.6", row_group_size=1 << 16)


def _nullable(frame: pd.DataFrame, column: str) -> bool:
    return isinstance(frame[column].dtype, pd.Int64Dtype)


def read_parquet(path: Path) -> pd.DataFrame:
    """Rows as written; nullable integers are pandas' `Int64`."""
    table = _parquet(path)
    frame = table.to_pandas()
    for field in table.schema:
        if field.nullable and pa.types.is_integer(field.type):
            frame[field.name] = pd.array(table.column(field.name).to_pylist(), dtype="Int64")
    return frame


def _parquet(path: Path) -> pa.Table:
    with path.open("rb") as file:
        try:
            return pq.read_table(file)
        except (pa.ArrowException, OSError) as error:
            raise CorruptFileError(path, " ".join(str(error).split())) from error


def _parquet_cells(path: Path, wanted: Collection[str]) -> RawTable:
    """The wanted columns, in Python's own values; others by their names only."""
    table = _parquet(path)
    _refuse_repeated(path, table.column_names, wanted)
    return {
        name: table.column(name).to_pylist() if name in wanted else []
        for name in table.column_names
    }


def read_split(folder: Path, split: Split) -> pd.DataFrame:
    """One split of a tabular data set's folder."""
    return read_parquet(folder / f"{split}.parquet")
