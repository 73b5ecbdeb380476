"""Outcomes from a file into the feedback log: the same events, checks and keys as `POST /feedback`,
so that reading a file twice changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from churn_assets.customers.contract.events import Events
from churn_assets.customers.reading.days import Days
from churn_assets.customers.reading.imports import Imported, Refused, clash, in_parts, rows_of
from churn_assets.customers.reading.rows import BrokenRow, Rows
from churn_assets.datasets.errors import DataError
from churn_assets.domain.events import EVENT_KINDS, refuse_anothers
from churn_assets.domain.offers import OFFER_PERCENTAGES, as_percentage
from churn_assets.serving.event_text import CONFLICT, DUPLICATE, STORED
from churn_assets.serving.events import FeedbackEvent, event_model
from churn_assets.serving.feedback import ERASED, FeedbackLog
from churn_assets.stages.spec import Progress, silent

UTC_DAYS = Days()
FACTS = ("customer_id", "kind", "occurred_at", "channel", "decision_id", "offer_percentage")
"""By which a row without an id is known."""
AT_ONCE = 1_000
"""Rows that are kept in one transaction: each alone would wait for the disk."""


def event_rows(
    file: Path,
    names: Mapping[str, str] | None = None,
    progress: Progress = silent,
    agreed: Collection[str] = (),
    kind: str | None = None,
) -> Rows:
    """The rows of a file of events, as `rows_of` reads them. It need not have ids, nor a kind where
    one `kind` is all rows', as of a list of who left.

    Raises:
        DataError: as `Rows`, and where a column is called nearly as that of the ids: events that
            are there under these would count twice.
    """
    spared = {"event_id"} if kind is None else {"event_id", "kind"}
    rows = rows_of(FeedbackEvent, file, names, progress, agreed, spared)
    if rows.misspelt("event_id"):
        raise DataError(
            f"{file} has no column event_id, and one that is called nearly so: where it is meant, "
            "say so with --column event_id=NAME; else name it otherwise"
        )
    return rows


def record(
    rows: Iterable[Mapping[str, Any] | BrokenRow],
    log: FeedbackLog,
    percent: tuple[int, ...] = OFFER_PERCENTAGES,
    said: Events | None = None,
    days: Days = UTC_DAYS,
    kind: str | None = None,
    named: bool = True,
) -> Imported:
    """Put every valid row into the log; the others don't stop it.

    Args:
        kind: of rows that say none.
        named: whether the rows have ids; else each is known by what it says (`FACTS`).
        percent: of the offers.
        said: what the file's kinds mean; None: they stand for themselves.
        days: how the file writes days that have no hour, and when they begin.

    Rows are kept a thousand at a time: after a crash whole thousands are there, and reading the
    file again adds the others.
    """
    model = event_model(percent)

    def read(row: Mapping[str, Any]) -> FeedbackEvent:
        said_of = dict(row) if kind is None else {"kind": kind, **row}
        told = _event(said_of, said, days)
        event = model.model_validate(told if named else told | {"event_id": _id_of(told)})
        refuse_anothers(event.decision_id, event.customer_id)
        return event

    stored, known, erased = 0, 0, 0
    refused: Refused = []
    for valid, problems in in_parts(rows, read, AT_ONCE):
        refused += problems
        outcomes = log.record_many([(e.event_id, e.model_dump_json()) for _, e in valid])
        stored += outcomes.count(STORED)
        known += outcomes.count(DUPLICATE)
        erased += outcomes.count(ERASED)
        refused += [
            (number, clash(event.event_id))
            for (number, event), outcome in zip(valid, outcomes, strict=True)
            if outcome == CONFLICT
        ]
    return Imported(stored, known, sorted(refused), erased)


def _event(row: Mapping[str, Any], said: Events | None, days: Days) -> dict[str, Any]:
    """A row as JSON would have it: a file's percentage is text, as "15 %" or "15,0", and 10.0 where
    some have none.

    Raises ValueError for a kind that the contract's words don't have, and a date that it writes
    otherwise.
    """
    event = dict(row)
    if said is not None and "kind" in event:
        event["kind"] = said.kind_of(event["kind"])
        if said.kinds and event["kind"] not in EVENT_KINDS:
            raise ValueError(f"kind: write {said.words}")
    if isinstance(when := event.get("occurred_at"), str):
        try:
            event["occurred_at"] = days.begin(when)
        except ValueError as error:
            raise ValueError(f"occurred_at: {error}") from None
    if "offer_percentage" in event:
        event["offer_percentage"] = as_percentage(event["offer_percentage"])
    return event


def _id_of(event: Mapping[str, Any]) -> str:
    """An id by what an event says: the same row has it again in the next file."""
    facts = json.dumps([event.get(name) for name in FACTS], default=str)
    return f"told-{hashlib.sha256(facts.encode()).hexdigest()[:32]}"
