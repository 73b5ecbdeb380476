"""Tables in and out: delimited text, and Parquet whose bytes depend on nothing but the rows."""

import io
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from churn_assets.datasets.errors import CorruptFileError
from churn_assets.datasets.sources.files import content

Split = Literal["train", "valid", "test"]


def read_text_table(path: Path, separator: str) -> pd.DataFrame:
    """A delimited file, plain or gzip, as text columns: nothing parsed or taken for missing.

    A value is null only where its row is too short, which no schema here lets pass.
    """
    try:
        return pd.read_csv(
            io.BytesIO(content(path)),
            sep=separator,
            dtype=str,
            keep_default_na=False,
            index_col=False,
            encoding="utf-8",
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise CorruptFileError(path, str(error)) from error


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
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise CorruptFileError(path, str(error)) from error
    frame = table.to_pandas()
    for field in table.schema:
        if field.nullable and pa.types.is_integer(field.type):
            frame[field.name] = pd.array(table.column(field.name).to_pylist(), dtype="Int64")
    return frame


def read_split(folder: Path, split: Split) -> pd.DataFrame:
    """One split of a tabular data set's folder."""
    return read_parquet(folder / f"{split}.parquet")
