"""What happened to customers: durable and idempotent. Acknowledged means on disk.

One SQLite file where the artifact store is a local folder (write-ahead log, flushed at every
commit); one object per event where it is a bucket.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from churn_assets.serving.bucket_feedback import StoreFeedbackLog
from churn_assets.serving.event_text import (
    PART,
    STORED,
    Known,
    compared,
    is_over,
    read_event,
    refuse_nobodys,
)
from churn_assets.storage.protocol import ArtifactStore

FILE = "feedback.sqlite3"
ERASED = "erased"  # of a file's event whose customer was erased since: left out
PRIVATE = 0o600
BUSY_SECONDS = 3.0  # waiting for another process's commit; less than any caller waits
ATTEMPTS = 3
_OF_CUSTOMER = "CASE WHEN json_valid(content) THEN json_extract(content, '$.customer_id') END"


class FeedbackLog(Protocol):
    """Where events go."""

    def record(self, event_id: str, content: str) -> str:
        """Keep the event; returns once it would survive a power cut.

        Returns:
            `stored`, `duplicate` (the same event was there already) or `conflict` (another event
            has this id; it stays).
        """
        ...

    def record_many(self, events: Sequence[tuple[str, str]]) -> list[str]:
        """`record` of many events, id and content each; returns once all would survive, with what
        `record` says of each."""
        ...

    def check(self) -> None:
        """Returns if events can be kept; raises what `record` would."""
        ...

    def events(self) -> list[str]:
        """The content of every event."""
        ...

    def unknown(self, known: Known) -> Iterator[list[tuple[str, str]]]:
        """Id and content of every event that `known` hasn't, in parts."""
        ...

    def erase(self, customer_id: str) -> int:
        """`erase_each` of one customer."""
        ...

    def erase_each(self, customer_ids: Collection[str]) -> dict[str, int]:
        """Remove every event of these customers, all of whom one reading finds; returns how many
        each had.

        Raises:
            DamagedArtifactError: of some events nobody knows whose they are; all others are done.
        """
        ...

    def close(self) -> None:
        """Let go of files."""
        ...


class OwnFeedbackLog(FeedbackLog, Protocol):
    """A log that can also be tidied, by who keeps it."""

    def tidy(self, before: datetime) -> int:
        """Remove events of before `before` that hold for no time after them (not who said no, and
        who left), and make the others quick to read; returns how many were removed."""
        ...


class SqliteFeedbackLog:
    """Events in one SQLite file; several processes may share it.

    The file is opened when it is first needed, and again after an error or when somebody has
    removed or replaced it: what is written to a deleted file is nowhere, so nothing is acknowledged
    before the file at `path` was seen to be the one that holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._files: list[tuple[int, int]] | None = None

    def record(self, event_id: str, content: str) -> str:
        return self.record_many([(event_id, content)])[0]

    def record_many(self, events: Sequence[tuple[str, str]]) -> list[str]:
        for _ in range(ATTEMPTS):
            with self._connected() as db:
                db.execute("BEGIN IMMEDIATE")
                outcomes = [_insert(db, *event) for event in events]
                db.execute("COMMIT")
                if self._is_in_place():
                    return outcomes
        raise OSError(f"{self.path} is being removed again and again")

    def check(self) -> None:
        with self._connected() as db:
            db.execute("PRAGMA user_version = 1")  # a real commit, so that a full disk is noticed
            if not self._is_in_place():
                raise OSError(f"{self.path} was removed")

    def events(self) -> list[str]:
        with self._connected() as db:
            rows = db.execute("SELECT content FROM feedback ORDER BY number").fetchall()
        return [content for (content,) in rows]

    def everything(self) -> list[tuple[str, str]]:
        """Id and content of every event, in the order they came; raises OSError where the file
        can't be read."""
        with self._connected() as db:
            return db.execute("SELECT event_id, content FROM feedback ORDER BY number").fetchall()

    def unknown(self, known: Known) -> Iterator[list[tuple[str, str]]]:
        last = 0
        while self.path.exists():  # looking makes none
            with self._connected() as db:
                rows = db.execute(
                    "SELECT number, event_id, content FROM feedback WHERE number > ? "
                    "ORDER BY number LIMIT ?",
                    (last, PART),
                ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            there = known([event_id for _, event_id, _ in rows])
            if lacking := [(event_id, told) for _, event_id, told in rows if event_id not in there]:
                yield lacking

    def tidy(self, before: datetime) -> int:
        removed = 0
        for part in self.unknown(lambda ids: ()):
            over = [(event_id,) for event_id, content in part if is_over(content, before)]
            if not over:
                continue
            with self._connected() as db:  # one flush to disk for all: whoever records waits for it
                db.execute("BEGIN IMMEDIATE")
                db.executemany("DELETE FROM feedback WHERE event_id = ?", over)
                db.execute("COMMIT")
            removed += len(over)
        return removed

    def erase(self, customer_id: str) -> int:
        return self.erase_each([customer_id])[customer_id]

    def erase_each(self, customer_ids: Collection[str]) -> dict[str, int]:
        erased = dict.fromkeys(customer_ids, 0)
        with self._connected() as db:
            db.execute("BEGIN IMMEDIATE")  # nobody adds one of theirs between reading and removing
            rows = db.execute(f"SELECT number, {_OF_CUSTOMER} FROM feedback")  # noqa: S608
            theirs = [(number, whose) for number, whose in rows if whose in erased]
            db.executemany("DELETE FROM feedback WHERE number = ?", [(n,) for n, _ in theirs])
            db.execute("COMMIT")
            for _, whose in theirs:
                erased[whose] += 1
            torn = db.execute(
                f"SELECT event_id, content FROM feedback WHERE {_OF_CUSTOMER} IS NULL"  # noqa: S608
            ).fetchall()
            for _ in range(ATTEMPTS):
                [busy, *_] = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    break
            else:
                raise OSError(f"{self.path}-wal is in use and may still hold them: erase again")
        refuse_nobodys(torn, len(theirs))
        return erased

    def close(self) -> None:
        """Close the file; what was acknowledged is in it."""
        with self._lock:
            self._close()

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """The open database, for one thread at a time."""
        with self._lock:
            if self._db is not None and not self._is_in_place():
                self._close()
            try:
                if self._db is None:
                    self._db = self._open()
                    self._files = self._identities()
                yield self._db
            except sqlite3.Error as error:
                self._close()
                raise OSError(f"{self.path}: {error}") from error
            except BaseException:  # whatever it is: no transaction stays open
                self._close()
                raise

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # One process at a time: switching to the write-ahead log does not wait for another's lock,
        # whatever the timeout, so workers that start together would find the database locked.
        lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, PRIVATE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._make_private()
            db = sqlite3.connect(
                self.path, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None
            )
            try:
                db.execute("PRAGMA journal_mode=WAL")
                # FULL flushes the write-ahead log at every commit, the default at checkpoints.
                db.execute("PRAGMA synchronous=FULL")
                # The file holds nothing any more of what was removed, however long ago.
                db.execute("PRAGMA secure_delete=ON")
                db.execute(
                    "CREATE TABLE IF NOT EXISTS feedback (number INTEGER PRIMARY KEY AUTOINCREMENT,"
                    " event_id TEXT NOT NULL UNIQUE, content TEXT NOT NULL, "
                    "received TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))"
                )
                db.execute("SELECT count(*) FROM feedback").fetchone()  # creates the log beside it
            except sqlite3.Error:
                db.close()
                raise
            return db
        finally:
            os.close(lock)

    def _make_private(self) -> None:
        """Events are personal: nobody else on this machine may read them, whatever the umask.

        SQLite gives the files beside the database its mode. An existing database is not opened
        here: closing it would drop the locks of other connections of this process (POSIX).
        """
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE))
        for file in (*self._paths(), Path(f"{self.path}-shm"), self.path.with_suffix(".lock")):
            # Another user's file stays as its owner has it.
            with suppress(FileNotFoundError, PermissionError):
                if file.stat().st_mode & 0o077:
                    file.chmod(PRIVATE)

    def _paths(self) -> tuple[Path, Path]:
        return self.path, Path(f"{self.path}-wal")

    def _identities(self) -> list[tuple[int, int]] | None:
        """What the names of database and write-ahead log lead to; None: one of them is gone."""
        try:
            found = [path.stat() for path in self._paths()]
        except OSError:
            return None
        return [(file.st_dev, file.st_ino) for file in found]

    def _is_in_place(self) -> bool:
        found = self._identities()
        return found is not None and found == self._files


def _insert(db: sqlite3.Connection, event_id: str, content: str) -> str:
    inserted = db.execute(
        "INSERT INTO feedback (event_id, content) VALUES (?, ?) ON CONFLICT (event_id) DO NOTHING",
        (event_id, content),
    )
    if inserted.rowcount == 1:
        return STORED
    [kept] = db.execute("SELECT content FROM feedback WHERE event_id = ?", (event_id,)).fetchone()
    return compared(kept, content)


def read_events(log: FeedbackLog) -> list[dict[str, Any]]:
    """Every event of a log; raises as `read_event`, and what the log raises."""
    return [read_event(*event) for part in log.unknown(lambda ids: ()) for event in part]


def open_feedback_log(store: ArtifactStore, home: Path) -> OwnFeedbackLog:
    """The log that fits the store: SQLite below `home` for a folder, objects for a bucket."""
    if "://" in store.url:
        return StoreFeedbackLog(store)
    return SqliteFeedbackLog(home / FILE)
