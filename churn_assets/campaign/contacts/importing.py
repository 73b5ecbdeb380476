"""Contacts and answers from the company's own system into the ledger: `import_rows(rows, ledger)`.

Importing again changes nothing: a row with an `event_id` is known by it, one without by what it
says (customer, kind, time and channel). A row that can't be read is refused, the others are kept;
one of a customer who was erased since is left out, or a file that grows would bring them back.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from churn_assets.campaign.contacts.event import Event, Kind
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.customers.reading.rows import BrokenRow, Rows
from churn_assets.serving.events import EARLIEST
from churn_assets.serving.schemas import CustomerId, EventId, Printable
from churn_assets.stages.spec import Progress, silent

PREFIX = "import:"  # begins the keys of imported events
PART = 5_000  # rows written together
NOON = time(12)  # stands for a day whose hour nobody wrote down
AHEAD = timedelta(days=1)  # clocks differ
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class ContactRow(BaseModel):
    """One row.

    Attributes:
        occurred_at: ISO 8601, as in 2026-03-01T14:30:00+01:00; without an offset, in the zone that
            `import_rows` is told; a date alone stands for its noon.
        kind: a contact (`sent`), one that was never made (`not_sent`), or what was said of one.
        channel: without it, a contact counts for the caps of every channel.
        decision_id: as the contact list names it; the same id is the same contact.
    """

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    customer_id: CustomerId
    occurred_at: Annotated[str, Field(min_length=1, max_length=64)]
    kind: Kind = "sent"
    channel: Annotated[str, Field(min_length=1, max_length=64), Printable] | None = None
    offer_percentage: int | None = Field(None, ge=0, le=100)
    event_id: EventId | None = None
    decision_id: Annotated[str, Field(min_length=1, max_length=128), Printable] | None = None


NEEDED = tuple(name for name, field in ContactRow.model_fields.items() if field.is_required())


class ImportedContacts(NamedTuple):
    """What became of the rows: how many are new, how many were there, which are refused (row number
    from 1, reason), how many are left out as their customers were erased since."""

    stored: int
    known: int
    refused: list[tuple[int, str]]
    erased: int = 0


def rows_of(
    file: Path, columns: Mapping[str, str] | None = None, progress: Progress = silent
) -> Rows:
    """The rows of a file as contacts; raises what `Rows` raises.

    Args:
        columns: the field of `ContactRow` -> the file's name of it, where it has another.
    """
    return Rows(file, NEEDED, tuple(ContactRow.model_fields), columns, progress)


def import_rows(
    rows: Iterable[Mapping[str, Any] | BrokenRow], ledger: Ledger, zone: ZoneInfo, now: datetime
) -> ImportedContacts:
    """Put every row that can be read into the ledger.

    Args:
        rows: fields as in `ContactRow`; other fields are passed over.
        zone: of times without an offset.
        now: aware; what lies further ahead than a day is refused.

    Raises:
        LedgerError: the ledger can't be written; rows that were written before stay.
    """
    stored, known, erased = 0, 0, 0
    refused: list[tuple[int, str]] = []
    numbered = enumerate(rows, start=1)
    while part := list(islice(numbered, PART)):
        events: list[tuple[int, Event]] = []
        for number, row in part:
            if isinstance(row, BrokenRow):
                refused.append((number, row.problem))
                continue
            try:
                events.append((number, _event(ContactRow.model_validate(row), zone, now)))
            except ValidationError as error:
                refused.append((number, _reasons(error)))
            except ValueError as error:
                refused.append((number, f"occurred_at: {error}"))
        gone = ledger.erased({event.customer_id for _, event in events})
        there = ledger.events(event.event_key for _, event in events)
        before: list[Event] = []
        new: dict[str, Event] = {}
        for number, event in events:
            if event.customer_id in gone and gone[event.customer_id].covers(event.occurred_at):
                before.append(event)
                continue
            same = there.get(event.event_key) or new.get(event.event_key)
            if same is None:
                new[event.event_key] = event
            elif _as_before(event, same) == same:
                known += 1
            else:
                name = event.event_key.removeprefix(PREFIX)
                refused.append((number, f"another event has the id {name}; it stays"))
        erased += len(before)
        ledger.keep_objections(before)
        stored += ledger.record(new.values())
    return ImportedContacts(stored, known, sorted(refused), erased)


def _as_before(event: Event, known: Event) -> Event:
    """The event as the one that is known was read by a version that knew no `decision_id`."""
    return event if known.decision_id else event.model_copy(update={"decision_id": None})


def _event(row: ContactRow, zone: ZoneInfo, now: datetime) -> Event:
    """Raises ValueError for a time that is none, or none that a contact can have."""
    when = _instant(row.occurred_at, zone)
    if not EARLIEST <= when <= now + AHEAD:
        raise ValueError(f"must lie between {EARLIEST:%Y-%m-%d} and a day from now")
    facts = [row.customer_id, row.kind, when.isoformat(), row.channel]
    told = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    return Event(
        event_key=f"{PREFIX}{row.event_id or told}",
        customer_id=row.customer_id,
        kind=row.kind,
        occurred_at=when,
        channel=row.channel,
        offer_percentage=row.offer_percentage,
        decision_id=row.decision_id,
    )


def _instant(text: str, zone: ZoneInfo) -> datetime:
    try:
        if _DAY.fullmatch(text):
            when = datetime.combine(date.fromisoformat(text), NOON)
        else:
            when = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError("write date and time in ISO 8601, as in 2026-03-01T14:30+01:00") from None
    return (when if when.tzinfo else when.replace(tzinfo=zone)).astimezone(UTC)


def _reasons(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found)
