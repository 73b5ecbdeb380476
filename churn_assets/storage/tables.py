"""Parquet files as tables, for processes that answer requests.

`pyarrow.parquet.read_table` and `Table.sort_by` go through Arrow's datasets, which import pandas
wherever it is installed: half a second of the start, and 75 MB for as long as the process lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Order = Literal["ascending", "descending"]


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
    """
    with pq.ParquetFile(file) as parquet:
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


def ordered(table: pa.Table, keys: Sequence[tuple[str, Order]]) -> pa.Table:
    """The rows in the order of the columns named, the first before the others; null last."""
    return table.take(pc.sort_indices(table, sort_keys=list(keys)))


def first_of_each(table: pa.Table, column: str) -> pa.Table:
    """For each value of a column the first of the rows that have it; in the order of the values.

    `Table.group_by` would do, but imports pandas.
    """
    order = pc.sort_indices(table[column])  # stable: rows of one value stay in their order
    values = table[column].take(order).combine_chunks()
    new = np.ones(len(values), np.bool_)
    if len(values) > 1:
        new[1:] = pc.not_equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
    return table.take(order.filter(pa.array(new)))
