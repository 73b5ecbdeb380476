"""The product's own record of who was contacted when, how, with which offer, and what they said.

Every event is a row that is written once: sending it again changes nothing. SQLite in one file, or
PostgreSQL that several processes and containers share. What was acknowledged is on disk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict

from churn_assets.campaign.contacts.database import WRITES, engine_of, is_sqlite
from churn_assets.campaign.contacts.erasures import (
    ERASURES,
    LASTING,
    erasures_of,
    forget,
    note_said,
)
from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.events import (
    EVENTS,
    LATER_EVENTS,
    OLDEST_FIRST,
    contacted_since,
    event_of,
    in_parts,
    last_words,
    told_of,
    who_was_not_sent,
)
from churn_assets.campaign.contacts.files import begin_file, refuse_empty
from churn_assets.campaign.contacts.history import Erasure, History
from churn_assets.campaign.contacts.opening import FILE
from churn_assets.campaign.contacts.taken import LATER_TAKEN, TAKEN
from churn_assets.campaign.contacts.untold import PASSED_OVER, pass_over, passed_over
from churn_assets.campaign.errors import LedgerError
from churn_assets.domain.database_urls import shown, without_secrets
from churn_assets.domain.plain_errors import is_full

Status = Literal["draft", "approved", "replaced", "cancelled"]

_TABLES = sa.MetaData()
PLANS = sa.Table(
    "campaign_plans",
    _TABLES,
    sa.Column("plan_id", sa.String(64), primary_key=True),
    sa.Column("content", sa.Text, nullable=False),  # the artifact and its days, as JSON
    sa.Column("status", sa.String(16), nullable=False),
)
STEPS = sa.Table(
    "campaign_steps",
    _TABLES,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("plan_id", sa.String(64), nullable=False, index=True),
    sa.Column("step", sa.String(32), nullable=False),
    sa.Column("who", sa.String(128), nullable=False),
    sa.Column("at", sa.String(32), nullable=False),
)
TABLES = (EVENTS, *_TABLES.sorted_tables, TAKEN, ERASURES, PASSED_OVER)
LATER = (  # columns that the ledgers of earlier versions don't have
    *((t.name, *c) for t, cs in ((EVENTS, LATER_EVENTS), (TAKEN, LATER_TAKEN)) for c in cs.items()),
    (ERASURES.name, "opted_out", "BOOLEAN"),
    (ERASURES.name, "complained", "VARCHAR(32)"),
)


class Step(BaseModel):
    """Something that a person or a schedule did with a plan."""

    model_config = ConfigDict(frozen=True)

    step: str
    who: str
    at: datetime


class Ledger:
    """Contacts, answers and plans in one database.

    Raises, from every method, LedgerError where the database can't be used.
    """

    def __init__(self, url: str) -> None:
        self._engine = engine_of(url)
        where = self._engine.url
        self.shown = shown(where)
        self.file = Path(where.database or "") if is_sqlite(where) else None
        self._ready, self.writes = False, 0  # transactions of this process that may have changed it

    @classmethod
    def open(cls, url: str, home: Path) -> Ledger:
        """The ledger at `url`; below `home` where it is empty. Nothing is made until written."""
        return cls(url or f"sqlite:///{home / FILE}")

    def close(self) -> None:
        """Let go of connections."""
        self._engine.dispose()

    # ---- contacts

    def record(self, events: Iterable[Event]) -> int:
        """Keep events, all of them or none; returns how many weren't there yet."""
        with self.writing() as connection:
            return insert_events(connection, events)

    def record_again(self, events: Iterable[Event]) -> int:
        """As `record`, but for what was before its customer's erasure: of that only a "no" and a
        complaint are kept. An erasure at the same time comes before all of it, or after."""
        kept: list[Event] = []
        left_out: list[Event] = []
        with self.writing() as connection:
            told = list(events)
            gone = erasures_of(connection, {event.customer_id for event in told})
            for event in told:
                erasure = gone.get(event.customer_id)
                covered = erasure is not None and erasure.covers(event.occurred_at)
                (left_out if covered else kept).append(event)
            note_said(connection, left_out)
            return insert_events(connection, kept)

    def is_empty(self) -> bool:
        """Nothing is known of anybody, not even what somebody had said who was erased."""
        if self.is_absent():
            return True
        told = sa.select(EVENTS.c.event_key).limit(1)
        said = sa.or_(ERASURES.c.opted_out.is_(True), ERASURES.c.complained.isnot(None))
        erased = sa.select(ERASURES.c.digest).where(said).limit(1)
        with self.reading() as connection:
            return all(connection.execute(query).first() is None for query in (told, erased))

    def histories(self, customers: Sequence[str] | None = None) -> dict[str, History]:
        """What is known of these customers, or of all; who has no event isn't in it, but those
        named who had opted out or complained when they were erased."""
        if self.is_absent():
            return {}
        with self.reading() as connection:
            found = told_of(connection, customers)
            erased = self._erased(connection, customers or ())
        histories = {customer: History.of(events) for customer, events in found.items()}
        for customer, erasure in erased.items():
            if erasure.opted_out or erasure.complained:
                histories[customer] = histories.get(customer, History()).after(erasure)
        return histories

    def erase(self, customer_id: str, *, though_unknown: bool = True) -> int:
        """Forget a customer; returns how many events that were.

        What stays is when, under a digest of the id, of whom nothing was here as well: plans that
        stand must not contact anew whom they have contacted, and imports leave out what was before;
        and a "no" to being contacted, and the time of a complaint.

        Args:
            though_unknown: note it though nothing was here; not so for an id that is misspelt.
        """
        with self.writing() as connection:
            return forget(connection, customer_id, though_unknown=though_unknown)

    def erased(self, customers: Iterable[str]) -> dict[str, Erasure]:
        """Those of these customers who were ever erased."""
        if self.is_absent():
            return {}
        with self.reading() as connection:
            return self._erased(connection, customers)

    def keep_objections(self, events: Iterable[Event]) -> None:
        """A "no" or a complaint of events that aren't kept, since their customers were erased: each
        holds all the same, and one that an earlier "yes" may have ended is better kept than lost.
        """
        if lasting := [event for event in events if event.kind in LASTING]:
            with self.writing() as connection:
                note_said(connection, lasting)

    def _erased(self, connection: sa.Connection, customers: Iterable[str]) -> dict[str, Erasure]:
        found = erasures_of(connection, customers)
        objecting = [customer for customer, erasure in found.items() if erasure.opted_out]
        for customer, (_, at) in last_words(connection, objecting).items():
            if not found[customer].covers(at):
                found[customer] = found[customer]._replace(opted_out=False)
        return found

    # ---- plans

    def add_plan(self, plan_id: str, content: str, who: str) -> None:
        """A new draft; a plan that is known already stays as it is."""
        with self.writing() as connection:
            if status_of(connection, plan_id) is None:
                connection.execute(
                    sa.insert(PLANS).values(plan_id=plan_id, content=content, status="draft")
                )
                add_step(connection, plan_id, "planned", who)

    def plan(self, plan_id: str | None = None) -> tuple[str, str, Status] | None:
        """Id, content and status of a plan; of the newest where none is named. None: no plan."""
        if self.is_absent():
            return None
        newest = sa.select(PLANS).join(STEPS, STEPS.c.plan_id == PLANS.c.plan_id)
        query = newest.where(STEPS.c.step == "planned").order_by(STEPS.c.number.desc()).limit(1)
        if plan_id is not None:
            query = query.where(PLANS.c.plan_id == plan_id)
        with self.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else (row.plan_id, row.content, row.status)

    def plans(self, count: int) -> list[tuple[str, str, Status]]:
        """Ids, contents and statuses of the newest plans, the newest first."""
        if self.is_absent():
            return []
        newest = sa.select(PLANS).join(STEPS, STEPS.c.plan_id == PLANS.c.plan_id)
        query = newest.where(STEPS.c.step == "planned").order_by(STEPS.c.number.desc()).limit(count)
        with self.reading() as connection:
            rows = connection.execute(query).all()
        return [(row.plan_id, row.content, row.status) for row in rows]

    def steps(self, plan_id: str) -> list[Step]:
        """What happened to a plan, in order."""
        if self.is_absent():
            return []
        query = sa.select(STEPS).where(STEPS.c.plan_id == plan_id).order_by(STEPS.c.number)
        with self.reading() as connection:
            return [Step.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def events(self, keys: Iterable[str]) -> dict[str, Event]:
        """Those of these events that are here, by key."""
        if self.is_absent():
            return {}
        found: dict[str, Event] = {}
        with self.reading() as connection:
            for part in in_parts(list(keys)):
                query = sa.select(EVENTS).where(EVENTS.c.event_key.in_(part or ()))
                found |= {e["event_key"]: event_of(e) for e in connection.execute(query).mappings()}
        return found

    def pass_over(self, keys: Collection[str]) -> None:
        """Remember that these events, by their keys, say nothing to it."""
        with self.writing() as connection:
            pass_over(connection, keys)

    def passed_over(self, keys: Collection[str]) -> set[str]:
        """Which of these it was asked to remember."""
        with self.reading() as connection:
            return passed_over(connection, keys)

    def all_events(self) -> list[Event]:
        """Every event, the oldest first."""
        if self.is_absent():
            return []
        with self.reading() as connection:
            rows = connection.execute(sa.select(EVENTS).order_by(*OLDEST_FIRST)).mappings()
            return [event_of(row) for row in rows]

    def known(self, keys: Iterable[str]) -> set[str]:
        """Which events are here."""
        if self.is_absent():
            return set()
        with self.reading() as connection:
            return known_keys(connection, list(keys))

    # ---- connections

    def is_in(self, file: Path) -> bool:
        """Whether this file is its database."""
        return self.file is not None and self.file.resolve() == file.resolve()

    def is_absent(self) -> bool:
        """There is no file yet, and reading must not make one."""
        return self.file is not None and not self.file.exists()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that no other writer of this ledger runs beside."""
        with self._told(), self._connection(write=True) as connection, connection.begin():
            self._create(connection)
            yield connection
        self.writes += 1

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one state of the ledger."""
        if not self._ready:
            with self.writing():
                pass
        with self._told(), self._connection(write=False) as connection, connection.begin():
            yield connection

    def _connection(self, *, write: bool) -> sa.Connection:
        if self.file is not None:
            if not self.file.exists():
                self._ready = False
                begin_file(self._engine.url, self.file, _create_tables)
            refuse_empty(self.file)
        return self._engine.connect().execution_options(**{WRITES: write})

    def _create(self, connection: sa.Connection) -> None:
        if self._ready:
            return
        _create_tables(connection)
        for where, name, kind in LATER:
            columns = {column["name"] for column in sa.inspect(connection).get_columns(where)}
            if name not in columns:
                connection.execute(sa.text(f"ALTER TABLE {where} ADD COLUMN {name} {kind}"))
        self._ready = True

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Database errors in one line, without a password or a row's values."""
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            self._ready = False
            told = getattr(error, "orig", None)  # by the driver: SQLAlchemy adds a row's values
            said = without_secrets(str(told or type(error).__name__), self._engine.url)
            cause = told if is_full(told) else None  # no other is needed, and records keep causes
            raise LedgerError(f"the contact ledger {self.shown}: {said}") from cause


def _create_tables(connection: sa.Connection) -> None:
    """Make those that aren't there yet."""
    for table in TABLES:
        connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))


def insert_events(connection: sa.Connection, events: Iterable[Event]) -> int:
    """Put events into an open transaction of `Ledger.writing`, of two with one key the first;
    returns how many weren't there yet."""
    rows: dict[str, dict[str, Any]] = {}
    for event in events:
        at = event.occurred_at.astimezone(UTC).isoformat(timespec="microseconds")
        rows.setdefault(event.event_key, event.model_dump() | {"occurred_at": at})
    there = known_keys(connection, list(rows))
    new = [row for key, row in rows.items() if key not in there]
    if new:
        connection.execute(sa.insert(EVENTS), new)
    return len(new)


def status_of(connection: sa.Connection, plan_id: str) -> str | None:
    """A plan's status; None where there is no such plan."""
    query = sa.select(PLANS.c.status).where(PLANS.c.plan_id == plan_id)
    return connection.execute(query).scalar_one_or_none()


def approved_plans(connection: sa.Connection) -> list[tuple[str, str]]:
    """Ids and contents of the approved plans."""
    rows = connection.execute(sa.select(PLANS).where(PLANS.c.status == "approved"))
    return [(row.plan_id, row.content) for row in rows]


def known_keys(connection: sa.Connection, keys: Sequence[str]) -> set[str]:
    """Which of these events are in the ledger."""
    found: set[str] = set()
    for part in in_parts(keys):
        query = sa.select(EVENTS.c.event_key).where(EVENTS.c.event_key.in_(part or ()))
        found.update(connection.execute(query).scalars())
    return found


def set_status(connection: sa.Connection, plan_id: str, status: Status, who: str) -> None:
    """Move a plan on, and keep who did it and when."""
    change = sa.update(PLANS).where(PLANS.c.plan_id == plan_id).values(status=status)
    connection.execute(change)
    add_step(connection, plan_id, status, who)


def add_step(connection: sa.Connection, plan_id: str, step: str, who: str) -> None:
    """Keep what somebody did with a plan."""
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    connection.execute(sa.insert(STEPS).values(plan_id=plan_id, step=step, who=who, at=at))


def times_done(connection: sa.Connection, plan_id: str, step: str) -> int:
    """How often a step was done with a plan."""
    mine = sa.select(sa.func.count()).where(STEPS.c.plan_id == plan_id, STEPS.c.step == step)
    return int(connection.execute(mine).scalar_one())


def recent_contacts(
    connection: sa.Connection, customers: Sequence[str], since: datetime
) -> set[str]:
    """Which of these customers were contacted, or are to be, at `since` or later."""
    found = contacted_since(connection, customers, since)
    # Few, so only theirs is read: whether what is told of them was ever made.
    doubtful = sorted(who_was_not_sent(connection, sorted(found)))
    for customer, events in told_of(connection, doubtful).items():
        if all(contact.when < since for contact in History.of(events).contacts):
            found.remove(customer)
    return found
