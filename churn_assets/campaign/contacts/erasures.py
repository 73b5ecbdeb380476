"""Whom the contact ledger has forgotten, when, and whether they had said no to being contacted.

A table of the contact ledger, under a digest of the id, which isn't kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

import sqlalchemy as sa

from churn_assets.campaign.contacts.events import AT_ONCE
from churn_assets.campaign.contacts.history import Erasure

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


def _digest(customer_id: str) -> str:
    return hashlib.sha256(customer_id.encode()).hexdigest()
