"""Customers as Arrow columns: the matrix that `features.encode` makes of rows, a column at a time.

A usual column (numbers within their bounds, true or false, known words, nulls where they may be) is
looked at once and not once a customer. Any other goes the way of rows, value by value, which takes
what is right in it and says which row is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churn_assets.predictors.scoring.features import EARLIER, NEVER_CONTACTED, Feature, FeatureError

Floats = NDArray[np.float64]


def encode_columns(batch: pa.RecordBatch, features: Sequence[Feature]) -> NDArray[np.float32]:
    """What `features.encode` makes of the batch's rows, shape (rows, features), to the last bit.

    Raises:
        FeatureError: as `features.encode`; the row counts from the batch's first.
    """
    matrix = np.empty((batch.num_rows, len(features)), np.float32)
    for place, feature in enumerate(features):
        matrix[:, place] = _encoded(batch, feature)
    return matrix


def encode_contacts(
    batch: pa.RecordBatch, features: Sequence[Feature], earlier: bool = True
) -> NDArray[np.float32]:
    """`encode_columns` of the customers `at_start_of_period`: what came before the period stays
    (unless `earlier` is False, as in `encode_at_start`), what was in it is not there yet."""
    matrix = np.empty((batch.num_rows, len(features)), np.float32)
    before = [place for place, f in enumerate(features) if f.name in EARLIER]
    never = np.logical_and.reduce([_absent(batch, name) for name in EARLIER]) | (not earlier)
    for place, feature in enumerate(features):
        if feature.name in NEVER_CONTACTED and place not in before:
            matrix[:, place] = feature.encode(NEVER_CONTACTED[feature.name], 0)
        else:
            matrix[:, place] = _encoded(batch, feature)
    for place in before:
        matrix[never, place] = features[place].encode(NEVER_CONTACTED[features[place].name], 0)
    return matrix


def numbers(batch: pa.RecordBatch, name: str, *, if_missing: float) -> Floats:
    """A column as float64 (N,), with `if_missing` where it has no value."""
    column = _column(batch, name)
    if column is None:
        return np.full(batch.num_rows, if_missing)
    if not _is_number(column.type):
        given = [if_missing if value is None else value for value in column.to_pylist()]
        return np.array(given, dtype=np.float64)
    values = _floats(column)
    return np.where(_nulls(column), if_missing, values) if column.null_count else values


def _encoded(batch: pa.RecordBatch, feature: Feature) -> Floats:
    column = _column(batch, feature.name)
    if column is None:
        return np.full(batch.num_rows, feature.encode(None, 0))
    usual = _usual(column, feature)
    if usual is None or (feature.required and np.isnan(usual).any()):
        return np.array(feature.encode_column(column.to_pylist()), dtype=np.float64)
    return usual


def _usual(column: pa.Array, feature: Feature) -> Floats | None:
    """The codes of a usual column (N,), NaN where a value is missing; None for any other."""
    if feature.kind == "number" and _is_number(column.type):
        values, (low, high) = _floats(column), feature.bounds
        return values if (np.isnan(values) | ((values >= low) & (values <= high))).all() else None
    if feature.kind == "flag" and pa.types.is_boolean(column.type):
        return _floats(column)
    if feature.kind == "category" and (words := _words(column)) is not None:
        try:
            codes = [feature.encode(word, 0) for word in words.dictionary.to_pylist()]
        except FeatureError:  # of a word that perhaps no row has
            return None
        places = words.indices.fill_null(len(codes)).to_numpy(zero_copy_only=False)
        return np.array([*codes, np.nan])[places]
    return None


def _words(column: pa.Array) -> pa.DictionaryArray | None:
    """The column as places in a list of words; None where it holds none."""
    if pa.types.is_dictionary(column.type):
        if len(column.dictionary) <= len(column):
            return column
        column = column.dictionary_decode()  # the list is the whole file's: of this batch's own
    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    return column.dictionary_encode() if text else None


def _column(batch: pa.RecordBatch, name: str) -> pa.Array | None:
    place = batch.schema.get_field_index(name)
    return None if place < 0 else batch.column(place)


def _absent(batch: pa.RecordBatch, name: str) -> NDArray[np.bool_]:
    column = _column(batch, name)
    return np.ones(batch.num_rows, np.bool_) if column is None else _nulls(column)


def _nulls(column: pa.Array) -> NDArray[np.bool_]:
    nulls: NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False)
    return nulls


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _floats(column: pa.Array) -> Floats:
    """A column of numbers or flags as float64 (N,), NaN for null."""
    values: Floats = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values
