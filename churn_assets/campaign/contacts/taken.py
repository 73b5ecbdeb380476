"""Contacts in the day lists that people took away, so that a hand-over records what went out.

A table of the contact ledger. A contact stays in it as it was when a list first had it, but for the
plan, which is the one whose list had it last.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import date

import sqlalchemy as sa

from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.events import in_parts

TAKEN = sa.Table(
    "campaign_listed",
    sa.MetaData(),
    sa.Column("event_key", sa.String(160), primary_key=True),
    sa.Column("customer_id", sa.String(64), nullable=False, index=True),
    sa.Column("day", sa.String(10), nullable=False, index=True),
    sa.Column("event", sa.Text, nullable=False),  # as JSON
    sa.Column("left_out", sa.Boolean),  # by the day's newest list; null: nobody said
)
LATER_TAKEN = {"left_out": "BOOLEAN"}
"""Columns that the ledgers of earlier versions don't have."""


def keep_taken(connection: sa.Connection, day: date, events: Sequence[Event]) -> None:
    """Note the contacts of a day's list in an open transaction of `Ledger.writing`; the others of
    the day are left out by what is its newest list now."""
    mine = TAKEN.c.day == day.isoformat()
    connection.execute(sa.update(TAKEN).where(mine).values(left_out=True))
    for part in in_parts([event.event_key for event in events]):
        again = TAKEN.c.event_key.in_(part or ())
        connection.execute(sa.update(TAKEN).where(again).values(left_out=False))
    there = {event.event_key: event for event in taken(connection, day)}
    for event in events:
        first = there.get(event.event_key)
        if first is not None and first.plan_id != event.plan_id:
            kept = first.model_copy(update={"plan_id": event.plan_id}).model_dump_json()
            mine = TAKEN.c.event_key == event.event_key
            connection.execute(sa.update(TAKEN).where(mine).values(event=kept))
    rows = [
        {
            "event_key": event.event_key,
            "customer_id": event.customer_id,
            "day": day.isoformat(),
            "event": event.model_dump_json(),
            "left_out": False,
        }
        for event in events
        if event.event_key not in there
    ]
    if rows:
        connection.execute(sa.insert(TAKEN), rows)


def taken(connection: sa.Connection, day: date) -> list[Event]:
    """The contacts of all lists of a day, as events that a hand-over writes."""
    mine = sa.select(TAKEN.c.event).where(TAKEN.c.day == day.isoformat())
    found = connection.execute(mine.order_by(TAKEN.c.event_key)).scalars()
    return [Event.model_validate_json(event) for event in found]


def left_out_of_the_newest(connection: sa.Connection, day: date) -> set[str]:
    """The keys of those contacts of a day's lists that its newest one no longer had."""
    mine = (TAKEN.c.day == day.isoformat(), TAKEN.c.left_out.is_(True))
    return set(connection.execute(sa.select(TAKEN.c.event_key).where(*mine)).scalars())


def days_taken(connection: sa.Connection, days: Sequence[str], keys: Set[str]) -> list[str]:
    """Those of the days, as ISO dates, of which a list had one of the contacts."""
    mine = sa.select(TAKEN.c.day, TAKEN.c.event_key).where(TAKEN.c.day.in_(days))
    return sorted({day for day, key in connection.execute(mine) if key in keys})
