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
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from churn_assets.campaign.contacts.event import IMPORTED, KINDS, Event, Kind
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.customers.reading.imports import Imported, Refused, clash, in_parts
from churn_assets.customers.reading.rows import BrokenRow
from churn_assets.domain.events import refuse_anothers
from churn_assets.domain.offers import as_percentage
from churn_assets.serving.events import EARLIEST
from churn_assets.serving.schemas import CustomerId, EventId, Printable

PART = 5_000  # rows written together
NOON = time(12)  # stands for a day whose hour nobody wrote down
AHEAD = timedelta(days=1)  # clocks differ
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _as_kept(kind: Any) -> Any:
    """A kind under the ledger's own name, where a file has the one of `POST /feedback`."""
    return KINDS.get(kind, kind) if isinstance(kind, str) else kind


class ContactRow(BaseModel):
    """One row.

    Attributes:
        occurred_at: ISO 8601, as in 2026-03-01T14:30:00+01:00; without an offset, in the zone that
            `import_rows` is told; a date alone stands for its noon.
        kind: a contact (`sent`), one that was never made (`not_sent`), or what was said of one.
        offer_percentage: whole per cent, also as "15 %" or "15,0".
        channel: without it, a contact counts for the caps of every channel.
        decision_id: as the contact list names it; the same id is the same contact.
    """

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    customer_id: CustomerId
    occurred_at: Annotated[str, Field(min_length=1, max_length=64)]
    kind: Annotated[Kind, BeforeValidator(_as_kept)] = "sent"
    channel: Annotated[str, Field(min_length=1, max_length=64), Printable] | None = None
    offer_percentage: Annotated[int | None, BeforeValidator(as_percentage)] = Field(
        None, ge=0, le=100
    )
    event_id: EventId | None = None
    decision_id: Annotated[str, Field(min_length=1, max_length=128), Printable] | None = None


def import_rows(
    rows: Iterable[Mapping[str, Any] | BrokenRow], ledger: Ledger, zone: ZoneInfo, now: datetime
) -> Imported:
    """Put every row that can be read into the ledger.

    Args:
        rows: fields as in `ContactRow`; other fields are passed over.
        zone: of times without an offset.
        now: aware; what lies further ahead than a day is refused.

    Raises:
        LedgerError: the ledger can't be written; rows that were written before stay.
    """

    def read(row: Mapping[str, Any]) -> Event:
        return _event(ContactRow.model_validate(row), zone, now)

    stored, known, erased = 0, 0, 0
    refused: Refused = []
    for events, problems in in_parts(rows, read, PART):
        refused += problems
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
                refused.append((number, clash(event.event_key.removeprefix(IMPORTED))))
        erased += len(before)
        ledger.keep_objections(before)
        stored += ledger.record(new.values())
    return Imported(stored, known, sorted(refused), erased)


def _as_before(event: Event, known: Event) -> Event:
    """The event as the one that is known was read by a version that knew no `decision_id`."""
    return event if known.decision_id else event.model_copy(update={"decision_id": None})


def _event(row: ContactRow, zone: ZoneInfo, now: datetime) -> Event:
    """Raises ValueError for a time that is none, or none that a contact can have, and for a plan's
    decision about another customer."""
    refuse_anothers(row.decision_id, row.customer_id)
    when = _instant(row.occurred_at, zone)
    if not EARLIEST <= when <= now + AHEAD:
        raise ValueError(f"occurred_at: must lie between {EARLIEST:%Y-%m-%d} and a day from now")
    facts = [row.customer_id, row.kind, when.isoformat(), row.channel]
    told = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    return Event(
        event_key=f"{IMPORTED}{row.event_id or told}",
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
        said = "occurred_at: write date and time in ISO 8601, as in 2026-03-01T14:30+01:00"
        raise ValueError(said) from None
    return (when if when.tzinfo else when.replace(tzinfo=zone)).astimezone(UTC)
