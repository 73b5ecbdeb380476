"""Feedback and contact ledger of a home folder into the log and the database that are used from now
on, when a store moves: what stayed behind would be forgotten, opt-outs above all.

Copying again changes nothing, and nothing is removed from the home folder.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from churn_assets.campaign.contacts.feed import LedgerFeed
from churn_assets.campaign.contacts.ledger import TABLES, Ledger
from churn_assets.campaign.contacts.opening import FILE
from churn_assets.serving.event_text import CONFLICT, DUPLICATE, STORED
from churn_assets.serving.feedback import ERASED, SqliteFeedbackLog

PART = 2_000  # events or rows written together


class MovedFeedback(NamedTuple):
    """What became of a log's events: how many are new, how many were there, how many are left out
    as another has their id, and as their customers were erased since."""

    stored: int
    known: int
    conflicting: int
    erased: int


def move_feedback(log: SqliteFeedbackLog, target: LedgerFeed) -> MovedFeedback:
    """Copy every event, with its id and time, into another log and its ledger.

    Raises:
        OSError, ArtifactError, LedgerError: a log or the ledger can't be used; what was copied
            before stays.
    """
    outcomes: Counter[str] = Counter()
    events = log.everything()
    for start in range(0, len(events), PART):
        outcomes.update(target.record_many(events[start : start + PART]))
    return MovedFeedback(*(outcomes[each] for each in (STORED, DUPLICATE, CONFLICT, ERASED)))


def ledger_left_behind(home: Path, in_force: Ledger) -> Ledger | None:
    """The ledger in the home folder, where another one is in force; None: there is none."""
    file = home / FILE
    if not file.exists() or in_force.is_in(file):
        return None
    return Ledger.open("", home)


def move_ledger(source: Ledger, target: Ledger) -> dict[str, int]:
    """Copy all tables into a database that has no row of them yet, in one transaction; returns how
    many rows, by table: none at all where it has some.

    Two ledgers are never mixed: which plan is the newest, and what was said before an erasure, only
    each by itself knows.

    Raises:
        LedgerError: a database can't be used; nothing was copied.
    """
    with source.reading() as reader, target.writing() as writer:
        if not any(writer.execute(sa.select(table).limit(1)).first() for table in TABLES):
            return {table.name: _copy(reader, writer, table) for table in TABLES}
    return {}


def _copy(reader: sa.Connection, writer: sa.Connection, table: sa.Table) -> int:
    """Copy a table's rows; returns how many.

    Numbers are given anew, in the same order: PostgreSQL would count from one all the same, and the
    next step of a plan be refused.
    """
    copied = 0
    kept = [column for column in table.columns if column.autoincrement is not True]
    query = sa.select(*kept).order_by(*table.primary_key.columns)
    for rows in reader.execute(query).mappings().partitions(PART):
        writer.execute(sa.insert(table), [dict(row) for row in rows])
        copied += len(rows)
    return copied


def missing_events(source: Ledger, target: Ledger) -> int:
    """How many events of a ledger another hasn't, but for those it was told to forget; raises
    LedgerError where a database can't be used."""
    told = source.all_events()
    there = target.known(event.event_key for event in told)
    lacking = [event for event in told if event.event_key not in there]
    gone = target.erased({event.customer_id for event in lacking})
    return sum(
        event.customer_id not in gone or not gone[event.customer_id].covers(event.occurred_at)
        for event in lacking
    )
