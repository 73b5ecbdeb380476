"""Columns are encoded as rows are: the same numbers, the same refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_assets.predictors.scoring.columns import encode_columns, encode_contacts, numbers
from churn_assets.predictors.scoring.features import (
    ACCEPT_FEATURES,
    NEVER_CONTACTED,
    RISK_FEATURES,
    Feature,
    FeatureError,
    at_start_of_period,
    encode,
    encode_at_start,
)
from tests.predictors.test_scoring import ROWS

TOLD = ACCEPT_FEATURES[:-2]  # price and offer are computed
Rows = list[dict[str, Any]]


def batch_of(rows: Rows) -> pa.RecordBatch:
    """The rows as Arrow has them: a key that is absent from all of them has no column."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.RecordBatch.from_pydict({n: [row.get(n) for row in rows] for n in names})


def with_lists_of_words(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch as Parquet gives it: each column of words as places in a list of words."""
    return pa.RecordBatch.from_pydict(
        {
            name: column.dictionary_encode() if pa.types.is_string(column.type) else column
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        }
    )


@settings(max_examples=60)
@given(st.lists(ROWS, min_size=1, max_size=12))
@pytest.mark.parametrize("form", [lambda batch: batch, with_lists_of_words])
def test_a_table_is_encoded_as_its_rows(
    form: Callable[[pa.RecordBatch], pa.RecordBatch], rows: Rows
) -> None:
    """The nightly table and a request about the same customer must not differ in a bit."""
    batch = form(batch_of(rows))
    np.testing.assert_array_equal(encode_columns(batch, RISK_FEATURES), encode(rows, RISK_FEATURES))
    begun = [at_start_of_period(row) for row in rows]
    np.testing.assert_array_equal(encode_contacts(batch, TOLD), encode(begun, TOLD))
    np.testing.assert_array_equal(encode_at_start(rows, TOLD), encode(begun, TOLD))
    new = [{**row, **NEVER_CONTACTED} for row in rows]
    for told in (encode_contacts(batch, TOLD, False), encode_at_start(rows, TOLD, False)):
        np.testing.assert_array_equal(told, encode(new, TOLD))


@pytest.mark.parametrize(
    ("feature", "values"),
    [
        (Feature("x", "flag"), [0, 1, None]),
        (Feature("x", "flag"), [1.0, float("nan"), 0.0]),
        (Feature("x", "number"), [1, None, 2**60]),
        (Feature("x", "number", low=None, high=2.5), [-1e30, float("nan"), 2.5]),
        (Feature("x", "number"), [None, None]),
        (Feature("x", "category", categories=("a", "b")), ["b", None, "a"]),
        (Feature("x", "category", categories=("a", "b"), other=True), ["c", "b", ""]),
        (Feature("x", "category", categories=("a", "b")), [None, None]),
    ],
)
def test_other_types_of_columns_are_taken_as_rows_take_them(
    feature: Feature, values: list[Any]
) -> None:
    """Tables come from many programs: a flag as 0 and 1, a column that is empty."""
    rows = [{"x": value} for value in values]
    np.testing.assert_array_equal(
        encode_columns(batch_of(rows), [feature]), encode(rows, [feature])
    )


@pytest.mark.parametrize(
    ("feature", "values"),
    [
        (Feature("x", "number", required=True), [1.0, None]),
        (Feature("x", "number", required=True), [1.0, float("nan")]),
        (Feature("x", "number", high=2.0), [1.0, 2.1]),
        (Feature("x", "number"), [0, -1]),
        (Feature("x", "number"), ["1", "2"]),
        (Feature("x", "number"), [True, False]),
        (Feature("x", "flag"), [0, 2]),
        (Feature("x", "flag"), ["Yes", "No"]),
        (Feature("x", "flag", required=True), [True, None]),
        (Feature("x", "category", categories=("a",)), ["a", "A"]),
        (Feature("x", "category", categories=("a",)), [1, 2]),
        (Feature("x", "category", categories=("a",), required=True), ["a", None]),
    ],
)
def test_what_rows_refuse_columns_refuse_in_the_same_words(
    feature: Feature, values: list[Any]
) -> None:
    """Whoever has to mend a table of millions is told the column, the value and the row."""
    rows = [{"x": value} for value in values]
    with pytest.raises(FeatureError) as of_rows:
        encode(rows, [feature])
    for batch in (batch_of(rows), with_lists_of_words(batch_of(rows))):
        with pytest.raises(FeatureError) as of_columns:
            encode_columns(batch, [feature])
        assert str(of_columns.value) == str(of_rows.value)


def test_a_required_column_that_is_not_there_is_named() -> None:
    """A table of another contract is refused by its first missing column."""
    with pytest.raises(FeatureError, match=r"tenure: is required \(row 0\)"):
        encode_columns(batch_of([{"monthly_charges": 1.0}]), RISK_FEATURES)


def test_a_word_that_no_row_has_is_no_reason_to_refuse() -> None:
    """A batch of a file has the whole file's list of words."""
    feature = Feature("x", "category", categories=("a", "b"))
    words = pa.DictionaryArray.from_arrays([1, 1], ["zzz", "b"])
    found = encode_columns(pa.RecordBatch.from_pydict({"x": words}), [feature])
    np.testing.assert_array_equal(found, [[1.0], [1.0]])


def test_numbers_without_a_value_take_what_stands_in_for_it() -> None:
    """Never contacted, an unspent allowance: what is absent has a meaning."""
    batch = pa.RecordBatch.from_pydict({"x": pa.array([3, None]), "y": pa.nulls(2)})
    np.testing.assert_array_equal(numbers(batch, "x", if_missing=7.0), [3.0, 7.0])
    np.testing.assert_array_equal(numbers(batch, "y", if_missing=7.0), [7.0, 7.0])
    np.testing.assert_array_equal(numbers(batch, "z", if_missing=np.nan), [np.nan, np.nan])
