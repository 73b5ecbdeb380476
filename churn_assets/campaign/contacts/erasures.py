"""Whom the contact ledger has forgotten, when, whether they had said no to being contacted, and
when they had complained.

A table of the contact ledger, under a digest of the id, which isn't kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

import sqlalchemy as sa

from churn_assets.campaign.contacts.event import SAME_INSTANT, Event
from churn_assets.campaign.contacts.events import (
    AT_ONCE,
    EVENTS,
    in_parts,
    last_complaint,
    last_words,
)
from churn_assets.campaign.contacts.history import Erasure
from churn_assets.campaign.contacts.taken import TAKEN

ERASURES = sa.Table(
    "contact_erasures",
    sa.MetaData(),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("at", sa.String(32), nullable=False),
    # Not in the ledgers of earlier versions: nobody knows.
    sa.Column("opted_out", sa.Boolean),
    sa.Column("complained", sa.String(32)),
)
LASTING = ("opted_out", "opted_in", "complained")
"""Kinds of events of which something outlives the erasure."""


def forget(connection: sa.Connection, customer_id: str, *, though_unknown: bool) -> int:
    """As `Ledger.erase`, in an open transaction of `Ledger.writing`."""
    said = last_words(connection, [customer_id]).get(customer_id)
    opted_out = None if said is None else said[0] == "opted_out"
    lately = last_complaint(connection, customer_id)
    mine = sa.delete(EVENTS).where(EVENTS.c.customer_id == customer_id)
    count = connection.execute(mine).rowcount
    lists = sa.delete(TAKEN).where(TAKEN.c.customer_id == customer_id)
    copied = connection.execute(lists).rowcount
    if though_unknown or count or copied:
        _note_erasure(connection, customer_id, opted_out=opted_out, complained=lately)
    return count


def _note_erasure(
    connection: sa.Connection,
    customer_id: str,
    *,
    opted_out: bool | None,
    complained: datetime | None,
) -> None:
    """Keep that a customer is forgotten now, in an open transaction of `Ledger.writing`.

    Args:
        opted_out: the last that they said of being contacted; None: nothing, so that what they had
            said before an earlier erasure holds.
        complained: when last; None: as above.
    """
    digest = _digest(customer_id)
    mine = ERASURES.c.digest == digest
    before = connection.execute(sa.select(ERASURES).where(mine)).one_or_none()
    if before is not None:
        opted_out = before.opted_out if opted_out is None else opted_out
        complained = complained or _time(before.complained)
    connection.execute(sa.delete(ERASURES).where(mine))
    row = {"digest": digest, "at": _text(datetime.now(UTC)), "opted_out": opted_out}
    row["complained"] = None if complained is None else _text(complained)
    connection.execute(sa.insert(ERASURES).values(row))


def erasures_of(connection: sa.Connection, customers: Iterable[str]) -> dict[str, Erasure]:
    """Those of these customers who were ever erased; what they had said as it was then."""
    asked, query = list(customers), sa.select(ERASURES)
    if len(asked) <= AT_ONCE:
        query = query.where(ERASURES.c.digest.in_([_digest(customer) for customer in asked]))
    rows = connection.execute(query).all()
    found = {
        r.digest: Erasure(datetime.fromisoformat(r.at), bool(r.opted_out), _time(r.complained))
        for r in rows
    }
    named = ((customer, _digest(customer)) for customer in (asked if found else ()))
    return {customer: found[digest] for customer, digest in named if digest in found}


def note_said(connection: sa.Connection, events: Iterable[Event]) -> None:
    """Keep what outlives the erasure of customers of `events` who were erased, in an open
    transaction of `Ledger.writing`: a last word that is no, and the latest complaint."""
    said: dict[str, str] = {}
    complained: dict[str, str] = {}
    for event in sorted(events, key=lambda e: (e.occurred_at, SAME_INSTANT.index(e.kind))):
        digest = _digest(event.customer_id)
        if event.kind == "complained":
            complained[digest] = _text(event.occurred_at)
        elif event.kind in LASTING:
            said[digest] = event.kind
    for part in in_parts([digest for digest, kind in said.items() if kind == "opted_out"]):
        theirs = ERASURES.c.digest.in_(part or ())
        connection.execute(sa.update(ERASURES).where(theirs).values(opted_out=True))
    for digest, at in complained.items():
        earlier = sa.or_(ERASURES.c.complained.is_(None), ERASURES.c.complained < at)
        mine = sa.update(ERASURES).where(ERASURES.c.digest == digest, earlier)
        connection.execute(mine.values(complained=at))


def _text(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="microseconds")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _digest(customer_id: str) -> str:
    return hashlib.sha256(customer_id.encode()).hexdigest()
