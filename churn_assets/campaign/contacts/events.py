"""The contact ledger's table of events, and what is asked of it in one query or few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from churn_assets.campaign.contacts.event import SAME_INSTANT, Event

AT_ONCE = 500  # customers asked about in one query

EVENTS = sa.Table(
    "contact_events",
    sa.MetaData(),
    sa.Column("event_key", sa.String(160), primary_key=True),
    sa.Column("customer_id", sa.String(64), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("occurred_at", sa.String(32), nullable=False),  # UTC, ISO 8601: sorts as time does
    sa.Column("channel", sa.String(64)),
    sa.Column("offer_percentage", sa.Integer),
    sa.Column("plan_id", sa.String(64), index=True),
    sa.Column("expected_cost", sa.Float),
    sa.Column("decision_id", sa.String(128)),
    sa.Column("cost_of_percent", sa.Float),
    sa.Column("accept_prob", sa.Float),
    sa.Column("delivered", sa.Boolean),
)
LATER_EVENTS = {
    "expected_cost": "FLOAT",
    "decision_id": "VARCHAR(128)",
    "cost_of_percent": "FLOAT",
    "accept_prob": "FLOAT",
    "delivered": "BOOLEAN",
}
"""Columns that the ledgers of earlier versions don't have."""
_WITHIN = sa.case({kind: i for i, kind in enumerate(SAME_INSTANT)}, value=EVENTS.c.kind)
OLDEST_FIRST = (EVENTS.c.occurred_at, _WITHIN, EVENTS.c.event_key)


def event_of(row: sa.RowMapping) -> Event:
    """A row as an event."""
    return Event.model_validate({**row, "occurred_at": datetime.fromisoformat(row["occurred_at"])})


def told_of(
    connection: sa.Connection, customers: Sequence[str] | None = None
) -> dict[str, list[Event]]:
    """The events of each of these customers, or of all, who has any; the oldest first."""
    found: dict[str, list[Event]] = {}
    for part in in_parts(customers):
        query = sa.select(EVENTS).order_by(*OLDEST_FIRST)
        if part is not None:
            query = query.where(EVENTS.c.customer_id.in_(part))
        for row in connection.execute(query).mappings():
            event = event_of(row)
            found.setdefault(event.customer_id, []).append(event)
    return found


def contacted_since(
    connection: sa.Connection, customers: Sequence[str], since: datetime
) -> set[str]:
    """Of which of these customers a contact at `since` or later is told, made or not."""
    start = since.astimezone(UTC).isoformat(timespec="microseconds")
    lately = (EVENTS.c.kind == "sent", EVENTS.c.occurred_at >= start)
    return _those(connection, customers, *lately)


def who_was_not_sent(connection: sa.Connection, customers: Sequence[str]) -> set[str]:
    """Of which of these customers it was ever told that a contact wasn't made."""
    return _those(connection, customers, EVENTS.c.kind == "not_sent")


def _those(
    connection: sa.Connection, customers: Sequence[str], *conditions: sa.ColumnElement[bool]
) -> set[str]:
    """Which of these customers have such an event."""
    found: set[str] = set()
    for part in in_parts(customers):
        query = sa.select(EVENTS.c.customer_id).where(
            EVENTS.c.customer_id.in_(part or ()), *conditions
        )
        found.update(connection.execute(query).scalars())
    return found


def last_words(
    connection: sa.Connection, customers: Sequence[str]
) -> dict[str, tuple[str, datetime]]:
    """What those of these customers who said anything of it said last of being contacted
    (`opted_out`, `opted_in`), and when."""
    found: dict[str, tuple[str, datetime]] = {}
    for part in in_parts(customers):
        query = sa.select(EVENTS.c.customer_id, EVENTS.c.kind, EVENTS.c.occurred_at).where(
            EVENTS.c.customer_id.in_(part or ()), EVENTS.c.kind.in_(("opted_out", "opted_in"))
        )
        for customer, kind, at in connection.execute(query.order_by(*OLDEST_FIRST)):
            found[customer] = (kind, datetime.fromisoformat(at))
    return found


def last_complaint(connection: sa.Connection, customer_id: str) -> datetime | None:
    """When this customer complained last; None: they never did."""
    mine = (EVENTS.c.customer_id == customer_id, EVENTS.c.kind == "complained")
    query = sa.select(sa.func.max(EVENTS.c.occurred_at)).where(*mine)
    at = connection.execute(query).scalar_one()
    return None if at is None else datetime.fromisoformat(at)


def in_parts(customers: Sequence[str] | None) -> Iterator[Sequence[str] | None]:
    """Customers or keys as many together as one query takes; None, which stands for all, once."""
    if customers is None:
        yield None
        return
    for start in range(0, len(customers), AT_ONCE):
        yield customers[start : start + AT_ONCE]
