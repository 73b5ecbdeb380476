"""Outcomes from a file into the feedback log: the same events, checks and keys as `POST /feedback`,
so that reading a file twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from pydantic import ValidationError

from churn_assets.datasets.errors import DataError
from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.serving.events import FeedbackEvent, event_model
from churn_assets.serving.feedback import CONFLICT, DUPLICATE, STORED, FeedbackLog

FORMATS = (".csv", ".gz", ".parquet")
AT_ONCE = 1_000
"""Rows that are kept in one transaction: each alone would wait for the disk."""
Numbered = tuple[int, Mapping[str, Any]]


class Imported(NamedTuple):
    """What became of a file's rows: how many are new, how many were there, which are refused (row
    number from 1, reason)."""

    stored: int
    known: int
    refused: list[tuple[int, str]]


def rows_of(file: Path, columns: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a CSV or Parquet file as events; empty cells are left out.

    Args:
        columns: the event's field -> the file's name of it, where it has another.

    Raises:
        DataError: the file can't be read, or lacks a column that was named.
    """
    suffix = file.suffix.lower()
    if suffix not in FORMATS:
        raise DataError(f"{file}: name it .csv, .csv.gz or .parquet")
    try:
        table = pd.read_parquet(file) if suffix == ".parquet" else pd.read_csv(file, dtype=str)
    except (ValueError, OSError) as error:
        raise DataError(f"{file} can't be read: {error}") from error
    renamed = {theirs: ours for ours, theirs in (columns or {}).items()}
    if missing := renamed.keys() - set(table.columns):
        raise DataError(f"{file} has no column {', '.join(sorted(missing))}")
    table = table.rename(columns=renamed)
    for row in table.to_dict("records"):
        yield {
            str(name): _plain(str(name), value) for name, value in row.items() if pd.notna(value)
        }


def record(
    rows: Iterable[Mapping[str, Any]],
    log: FeedbackLog,
    percent: tuple[int, ...] = OFFER_PERCENTAGES,
) -> Imported:
    """Put every valid row into the log; the others don't stop it. `percent`: of the offers.

    Rows are kept a thousand at a time: after a crash whole thousands are there, and reading the
    file again adds the others.
    """
    model = event_model(percent)
    stored, known = 0, 0
    refused: list[tuple[int, str]] = []
    for part in _batched(enumerate(rows, start=1), AT_ONCE):
        valid: list[tuple[int, FeedbackEvent]] = []
        for number, row in part:
            try:
                valid.append((number, model.model_validate(row)))
            except ValidationError as error:
                refused.append((number, _reasons(error)))
        outcomes = log.record_many([(e.event_id, e.model_dump_json()) for _, e in valid])
        stored += outcomes.count(STORED)
        known += outcomes.count(DUPLICATE)
        refused += [
            (number, f"another event has the id {event.event_id}; it stays")
            for (number, event), outcome in zip(valid, outcomes, strict=True)
            if outcome == CONFLICT
        ]
    return Imported(stored, known, sorted(refused))


def _batched(rows: Iterable[Numbered], size: int) -> Iterator[list[Numbered]]:
    """The rows in lists of at most `size`."""
    iterator = iter(rows)
    while part := list(islice(iterator, size)):
        yield part


def _plain(name: str, value: Any) -> Any:
    """A cell as JSON would have it."""
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if name == "offer_percentage":
        number = pd.to_numeric(value, errors="coerce")
        return value if pd.isna(number) or number % 1 else int(number)
    return value


def _reasons(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found)
