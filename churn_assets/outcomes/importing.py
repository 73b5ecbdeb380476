"""Outcomes from a file into the feedback log: the same events, checks and keys as `POST /feedback`,
so that reading a file twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from churn_assets.customers.contract.events import Events
from churn_assets.customers.reading.rows import BrokenRow, Rows
from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.serving.events import FeedbackEvent, event_model
from churn_assets.serving.feedback import CONFLICT, DUPLICATE, ERASED, STORED, FeedbackLog
from churn_assets.stages.spec import Progress, silent

AT_ONCE = 1_000
"""Rows that are kept in one transaction: each alone would wait for the disk."""
NEEDED = tuple(name for name, field in FeedbackEvent.model_fields.items() if field.is_required())
EventRow = Mapping[str, Any] | BrokenRow


class Imported(NamedTuple):
    """What became of a file's rows: how many are new, how many were there, which are refused (row
    number from 1, reason), how many are left out as their customers were erased since."""

    stored: int
    known: int
    refused: list[tuple[int, str]]
    erased: int = 0


def rows_of(
    file: Path, columns: Mapping[str, str] | None = None, progress: Progress = silent
) -> Rows:
    """The rows of a file as events; raises what `Rows` raises.

    Args:
        columns: the event's field -> the file's name of it, where it has another.
    """
    return Rows(file, NEEDED, tuple(FeedbackEvent.model_fields), columns, progress)


def record(
    rows: Iterable[EventRow],
    log: FeedbackLog,
    percent: tuple[int, ...] = OFFER_PERCENTAGES,
    said: Events | None = None,
) -> Imported:
    """Put every valid row into the log; the others don't stop it.

    Args:
        percent: of the offers.
        said: what the file's kinds mean; None: they stand for themselves.

    Rows are kept a thousand at a time: after a crash whole thousands are there, and reading the
    file again adds the others.
    """
    model = event_model(percent)
    stored, known, erased = 0, 0, 0
    refused: list[tuple[int, str]] = []
    for part in _batched(enumerate(rows, start=1), AT_ONCE):
        valid: list[tuple[int, FeedbackEvent]] = []
        for number, row in part:
            if isinstance(row, BrokenRow):
                refused.append((number, row.problem))
                continue
            try:
                valid.append((number, model.model_validate(_event(row, said))))
            except ValidationError as error:
                refused.append((number, _reasons(error)))
        outcomes = log.record_many([(e.event_id, e.model_dump_json()) for _, e in valid])
        stored += outcomes.count(STORED)
        known += outcomes.count(DUPLICATE)
        erased += outcomes.count(ERASED)
        refused += [
            (number, f"another event has the id {event.event_id}; it stays")
            for (number, event), outcome in zip(valid, outcomes, strict=True)
            if outcome == CONFLICT
        ]
    return Imported(stored, known, sorted(refused), erased)


def _batched(
    rows: Iterable[tuple[int, EventRow]], size: int
) -> Iterator[list[tuple[int, EventRow]]]:
    """The rows in lists of at most `size`."""
    iterator = iter(rows)
    while part := list(islice(iterator, size)):
        yield part


def _event(row: Mapping[str, Any], said: Events | None) -> dict[str, Any]:
    """A row as JSON would have it: a file's percentage is text, and 10.0 where some have none."""
    event = dict(row)
    if said is not None and "kind" in event:
        event["kind"] = said.kind_of(event["kind"])
    percentage = event.get("offer_percentage")
    if not isinstance(percentage, str):
        return event
    try:
        number = float(percentage)
    except ValueError:
        return event
    return {**event, "offer_percentage": int(number) if number.is_integer() else percentage}


def _reasons(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found)
