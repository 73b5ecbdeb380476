"""Whom the contact ledger has forgotten, and when, under a digest of the id, which isn't kept.

A table of the contact ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

import sqlalchemy as sa

ERASURES = sa.Table(
    "contact_erasures",
    sa.MetaData(),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("at", sa.String(32), nullable=False),
)


def note_erasure(connection: sa.Connection, customer_id: str) -> None:
    """Keep that a customer is forgotten now, in an open transaction of `Ledger.writing`."""
    digest, at = _digest(customer_id), datetime.now(UTC).isoformat(timespec="microseconds")
    connection.execute(sa.delete(ERASURES).where(ERASURES.c.digest == digest))
    connection.execute(sa.insert(ERASURES).values(digest=digest, at=at))


def erasures_of(connection: sa.Connection, customers: Iterable[str]) -> dict[str, datetime]:
    """Those of these customers who were ever erased, and when last."""
    rows = connection.execute(sa.select(ERASURES)).all()
    found = {row.digest: datetime.fromisoformat(row.at) for row in rows}
    named = ((customer, _digest(customer)) for customer in (customers if found else ()))
    return {customer: found[digest] for customer, digest in named if digest in found}


def _digest(customer_id: str) -> str:
    return hashlib.sha256(customer_id.encode()).hexdigest()
