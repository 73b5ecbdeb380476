"""Parquet files as tables, for processes that answer requests."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_assets.storage import tables
from churn_assets.storage.tables import (
    batches_of,
    first_of_each,
    is_first,
    ordered,
    parquet_writer,
    read_parquet,
)

TABLE = pa.table({"id": ["c", "a", "b", "d"], "value": [1.0, 2.0, 2.0, None], "n": [1, 2, 3, 4]})
READER = """
import sys
from pathlib import Path
from churn_assets.storage.tables import first_of_each, ordered, read_parquet
table = ordered(read_parquet(Path(sys.argv[1])), [("value", "descending"), ("id", "ascending")])
print(table["id"].to_pylist(), "pandas" in sys.modules)
"""

MAKER = """
import sys
from churn_assets.storage.arrow import FILE_SYSTEMS, load_slim_arrow
load_slim_arrow()
import pyarrow as pa, pyarrow.parquet, pyarrow.fs
print(sys.modules.keys() & set(FILE_SYSTEMS))
table = pa.table({"a": pa.array([3, None]), "b": [["x"], None]})
without = "pandas" not in sys.modules
print(table["a"].to_pylist(), without, len(table.to_pandas()), "pandas" in sys.modules)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pq.write_table(TABLE, tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def test_a_table_is_read_and_ordered_without_pandas(file: Path) -> None:
    """It would cost every process of the API 75 MB, and half a second of its start."""
    command = [sys.executable, "-c", READER, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "['a', 'b', 'c', 'd'] False"


def test_arrow_makes_tables_without_pandas() -> None:
    """Why: the first record of the decision log brought it into every server. It stays at hand for
    who asks for it. Nor are there clients of clouds, four megabytes that no store here uses."""
    done = subprocess.run([sys.executable, "-c", MAKER], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n[3, None] True 2 True\n"


def test_some_columns_of_a_file_or_of_bytes(file: Path) -> None:
    assert read_parquet(file) == TABLE
    assert read_parquet(io.BytesIO(file.read_bytes()), ["n"]) == TABLE.select(["n"])


def test_a_table_of_before_a_column_was_known_has_it_empty(file: Path) -> None:
    """A plan or a part of a decision log outlives the code that wrote it."""
    schema = pa.schema([("n", pa.float64()), ("id", pa.string()), ("new", pa.bool_())])
    found = read_parquet(file, schema=schema)
    assert found.schema == schema
    assert found["n"].to_pylist() == [1.0, 2.0, 3.0, 4.0]
    assert found["new"].to_pylist() == [None] * 4


@pytest.mark.parametrize("kind", [pa.bool_(), pa.int32()])
def test_a_column_of_another_kind_is_refused(file: Path, kind: pa.DataType) -> None:
    with pytest.raises(pa.ArrowException):
        read_parquet(file, schema=pa.schema([("id", kind)]))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("id\n1\n")
    with pytest.raises(pa.ArrowException):
        read_parquet(tmp_path / "t.parquet")


def test_rows_in_order_the_first_column_first() -> None:
    found = ordered(TABLE, [("value", "descending"), ("id", "ascending")])
    assert found["id"].to_pylist() == ["a", "b", "c", "d"]


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.integers(0, 12))
def test_the_first_row_of_each_value_is_kept(values: list[str], cut: int) -> None:
    """A decision that stands in two parts of the log is one: whichever chunk it is in."""
    column = pa.chunked_array([values[:cut], values[cut:]], type=pa.string())
    table = pa.table({"id": column, "row": range(len(values))})
    found = first_of_each(table, "id")
    firsts = [values.index(value) for value in sorted(set(values))]
    assert found["row"].to_pylist() == firsts
    assert is_first(table["id"]).nonzero()[0].tolist() == sorted(firsts)


@pytest.mark.parametrize("sizes", [[25], [10, 10, 5], [1] * 25, [3, 22], [24, 0, 1]])
def test_the_same_rows_are_the_same_bytes_in_whatever_batches(
    sizes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: who scores in other batches, or joins shards, gets the same file."""
    monkeypatch.setattr(tables, "ROW_GROUP", 10)
    rows = pa.table({"id": [f"C{i}" for i in range(25)], "value": [i / 7 for i in range(25)]})
    with parquet_writer(tmp_path / "cut", rows.schema) as write:
        start = 0
        for size in sizes:
            for batch in rows.slice(start, size).combine_chunks().to_batches():
                write(batch)
            start += size
    pq.write_table(rows, tmp_path / "whole", row_group_size=10)
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()


def test_batches_hold_every_row_once_and_cross_no_group(tmp_path: Path) -> None:
    rows = pa.table({"id": list(range(25))})
    pq.write_table(rows, tmp_path / "file", row_group_size=10)
    found = list(batches_of(pq.ParquetFile(tmp_path / "file"), 4))
    assert [len(batch) for batch in found] == [4, 4, 2, 4, 4, 2, 4, 1]
    assert pa.Table.from_batches(found).equals(rows)
