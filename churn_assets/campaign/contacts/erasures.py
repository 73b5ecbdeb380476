"""Whom the contact ledger has forgotten, when, and whether they had said no to being contacted.

A table of the contact ledger, under a digest of the id, which isn't kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from churn_assets.campaign.contacts.events import AT_ONCE, in_parts
from churn_assets.campaign.contacts.history import SAME_INSTANT, Erasure, Event

ERASURES = sa.Table(
    "contact_erasures",
    sa.MetaData(),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("opted_out", sa.Boolean),  # not in the ledgers of earlier versions: nobody knows
)


def note_erasure(connection: sa.Connection, customer_id: str, *, opted_out: bool | None) -> None:
    """Keep that a customer is forgotten now, in an open transaction of `Ledger.writing`.

    Args:
        opted_out: the last that they said of being contacted; None: nothing, so that what they had
            said before an earlier erasure holds.
    """
    digest, at = _digest(customer_id), datetime.now(UTC).isoformat(timespec="microseconds")
    mine = ERASURES.c.digest == digest
    if opted_out is None:
        before = sa.select(ERASURES.c.opted_out).where(mine)
        opted_out = connection.execute(before).scalar_one_or_none()
    connection.execute(sa.delete(ERASURES).where(mine))
    row = {"digest": digest, "at": at, "opted_out": opted_out}
    connection.execute(sa.insert(ERASURES).values(row))


def erasures_of(connection: sa.Connection, customers: Iterable[str]) -> dict[str, Erasure]:
    """Those of these customers who were ever erased; `opted_out` as it was then."""
    asked, query = list(customers), sa.select(ERASURES)
    if len(asked) <= AT_ONCE:
        query = query.where(ERASURES.c.digest.in_([_digest(customer) for customer in asked]))
    rows = connection.execute(query).all()
    found = {r.digest: Erasure(datetime.fromisoformat(r.at), bool(r.opted_out)) for r in rows}
    named = ((customer, _digest(customer)) for customer in (asked if found else ()))
    return {customer: found[digest] for customer, digest in named if digest in found}


def note_objections(connection: sa.Connection, customers: Sequence[str]) -> None:
    """Keep that these customers, of those erased, had opted out, in an open transaction of
    `Ledger.writing`."""
    for part in in_parts(customers):
        theirs = ERASURES.c.digest.in_([_digest(customer) for customer in part or ()])
        connection.execute(sa.update(ERASURES).where(theirs).values(opted_out=True))


def opted_out_last(events: Iterable[Event]) -> list[str]:
    """The customers whose last word of being contacted, in these events, is no."""
    said: dict[str, str] = {}
    for event in sorted(events, key=lambda e: (e.occurred_at, SAME_INSTANT.index(e.kind))):
        if event.kind in ("opted_out", "opted_in"):
            said[event.customer_id] = event.kind
    return [customer for customer, kind in said.items() if kind == "opted_out"]


def _digest(customer_id: str) -> str:
    return hashlib.sha256(customer_id.encode()).hexdigest()
