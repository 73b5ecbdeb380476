"""Parquet files as tables, for processes that answer requests.

`pyarrow.parquet.read_table` and `Table.sort_by` go through Arrow's datasets, which import pandas
wherever it is installed: half a second of the start, and 75 MB for as long as the process lives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

Order = Literal["ascending", "descending"]
ROW_GROUP = 1 << 16  # rows


def read_parquet(
    file: Path | BinaryIO, columns: Sequence[str] | None = None, schema: pa.Schema | None = None
) -> pa.Table:
    """The table in a Parquet file.

    Args:
        columns: to read, all of which it must have; None: all.
        schema: the table's, whatever the file has: what it lacks is null, what is not in the schema
            is left out.

    Raises:
        ArrowException: it is no Parquet file, or a column doesn't fit the schema.
        OSError: it can't be read, or a page isn't what its checksum says; files whose pages have
            none are read without. Checking 100,000 decisions takes no time that can be measured.
    """
    with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
        table = parquet.read(columns=None if columns is None else list(columns))
    if schema is None:
        return table
    own = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(own, schema=schema)


def batches_of(file: pq.ParquetFile, rows: int) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file, in batches of at most `rows`, one row group after the other.

    Asked for all groups at once, Arrow reads ahead of whoever takes long over a batch, without end.
    """
    for group in range(file.num_row_groups):
        yield from file.iter_batches(rows, row_groups=[group])


@contextmanager
def parquet_writer(file: Path, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], None]]:
    """What writes record batches to a Parquet file, `ROW_GROUP` rows a group: the same rows are the
    same bytes, in whatever batches they come.

    What a group says of its columns stays in memory until the file is whole: with a group for every
    8,192 customers 25 MB for ten million of them, and a file a third larger.
    """
    waiting: list[pa.RecordBatch] = []
    with pq.ParquetWriter(file, schema) as writer:

        def flush(last: bool = False) -> None:
            table = pa.Table.from_batches(waiting, schema)
            rows = len(table) if last else len(table) // ROW_GROUP * ROW_GROUP
            writer.write_table(table.slice(0, rows).combine_chunks(), row_group_size=ROW_GROUP)
            waiting[:] = table.slice(rows).to_batches()

        def write(batch: pa.RecordBatch) -> None:
            waiting.append(batch)
            if sum(map(len, waiting)) >= ROW_GROUP:
                flush()

        yield write
        if waiting:
            flush(last=True)


def ordered(table: pa.Table, keys: Sequence[tuple[str, Order]]) -> pa.Table:
    """The rows in the order of the columns named, the first before the others; null last."""
    return table.take(pc.sort_indices(table, sort_keys=list(keys)))


def first_of_each(table: pa.Table, column: str) -> pa.Table:
    """For each value of a column the first of the rows that have it; in the order of the values.

    `Table.group_by` would do, but imports pandas.
    """
    order, new = _by_value(table[column])
    return table.take(order.filter(pa.array(new)))


def is_first(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Of each row, whether no row before it has its value. Takes a copy of the column, and some
    bytes a row, for as long as it runs."""
    order, new = _by_value(column)
    found = np.empty(len(column), np.bool_)
    found[order.to_numpy()] = new
    return found


def _by_value(column: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.bool_]]:
    """The rows in the order of their values, and of each in this order whether its value is new."""
    order = pc.sort_indices(column)  # stable: rows of one value stay in their order
    values = column.take(order).combine_chunks()
    new = np.ones(len(values), np.bool_)
    if len(values) > 1:
        new[1:] = pc.not_equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
    return order, new
