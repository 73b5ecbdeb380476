"""Reported events that say nothing to the contact ledger, so that they are looked at once.

A table of the contact ledger. It has digests of their keys: a caller's event id may name somebody,
and what the ledger was never told of, an erasure doesn't find in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

import sqlalchemy as sa

from churn_assets.campaign.contacts.events import in_parts

PASSED_OVER = sa.Table(
    "feedback_passed_over",
    sa.MetaData(),
    sa.Column("digest", sa.String(64), primary_key=True),
)


def pass_over(connection: sa.Connection, keys: Collection[str]) -> None:
    """Note these events in an open transaction of `Ledger.writing`."""
    new = set(keys) - passed_over(connection, keys)
    if new:
        connection.execute(sa.insert(PASSED_OVER), [{"digest": _digest(key)} for key in new])


def passed_over(connection: sa.Connection, keys: Collection[str]) -> set[str]:
    """Which of these events were noted."""
    digests = {_digest(key): key for key in keys}
    found: set[str] = set()
    for part in in_parts(list(digests)):
        query = sa.select(PASSED_OVER).where(PASSED_OVER.c.digest.in_(part or ()))
        found.update(digests[digest] for digest in connection.execute(query).scalars())
    return found


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
