"""What happened to customers: durable and idempotent. Acknowledged means on disk.

One SQLite file where the artifact store is a local folder (write-ahead log, flushed at every
commit); one object per event where it is a bucket.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pydantic import TypeAdapter

from churn_assets.storage.current import parse_json
from churn_assets.storage.protocol import (
    ArtifactStore,
    DamagedArtifactError,
    PointerMovedError,
)

STORED, DUPLICATE, CONFLICT = "stored", "duplicate", "conflict"
FILE = "feedback.sqlite3"
ERASED = "erased"  # of a file's event whose customer was erased since: left out
FOLDER = "feedback"  # of the pointers that hold events
PRIVATE = 0o600
BUSY_SECONDS = 3.0  # waiting for another process's commit; less than any caller waits
ATTEMPTS = 3
REQUESTS = 8  # to a bucket at once: as many connections as its client keeps
PART = 2_000  # events compared together

Known = Callable[[Sequence[str]], Collection[str]]
"""Which of these ids of events somebody has."""
_EVENT = TypeAdapter(dict[str, Any])
_NEEDED = ("customer_id", "kind", "occurred_at")
_TODO = "restore it, or move it away"
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
        """Remove every event of a customer; returns how many there were.

        Raises:
            DamagedArtifactError: of some events nobody knows whose they are; all others are done.
        """
        ...

    def close(self) -> None:
        """Let go of files."""
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

    def erase(self, customer_id: str) -> int:
        with self._connected() as db:
            db.execute("PRAGMA secure_delete=ON")  # the file holds nothing of it any more
            deleted = db.execute(
                f"DELETE FROM feedback WHERE {_OF_CUSTOMER} = ?",  # noqa: S608 (our own words)
                (customer_id,),
            ).rowcount
            torn = db.execute(
                f"SELECT event_id, content FROM feedback WHERE {_OF_CUSTOMER} IS NULL"  # noqa: S608
            ).fetchall()
            for _ in range(ATTEMPTS):
                [busy, *_] = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    break
            else:
                raise OSError(f"{self.path}-wal is in use and may still hold them: erase again")
        _refuse_nobodys(torn, deleted)
        return deleted

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
    return _compared(kept, content)


class StoreFeedbackLog:
    """Events as small objects of the artifact store, one each, named by their id.

    Writing is conditional on there being no such object yet, so that several containers agree.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    def record(self, event_id: str, content: str) -> str:
        key, body = f"{FOLDER}/{event_id}.json", content.encode()
        try:
            self._store.swap_pointer(key, None, body)
        except PointerMovedError:
            kept = self._store.read_pointer(key)
            return CONFLICT if kept is None else _compared(kept.decode(), content)
        return STORED

    def record_many(self, events: Sequence[tuple[str, str]]) -> list[str]:
        ids = [event_id for event_id, _ in events]
        if len({*ids}) < len(ids):  # which of two is the first must not be a matter of chance
            return [self.record(*event) for event in events]
        with ThreadPoolExecutor(REQUESTS) as requests:
            return list(requests.map(lambda event: self.record(*event), events))

    def check(self) -> None:
        self._store.read_pointer(f"{FOLDER}/check.json")

    def events(self) -> list[str]:
        return [content for _, content in self._read(self._store.pointers(FOLDER))]

    def unknown(self, known: Known) -> Iterator[list[tuple[str, str]]]:
        keys = {Path(key).stem: key for key in self._store.pointers(FOLDER)}
        ids = list(keys)
        for start in range(0, len(ids), PART):
            part = ids[start : start + PART]
            there = known(part)
            lacking = [event_id for event_id in part if event_id not in there]
            if found := self._read([keys[event_id] for event_id in lacking]):
                yield [(Path(key).stem, content) for key, content in found]

    def erase(self, customer_id: str) -> int:
        deleted, torn = 0, []
        for key, content in self._read(self._store.pointers(FOLDER)):
            whose = _customer_of(content)
            if whose is None:
                torn.append((Path(key).stem, content))
            elif whose == customer_id:
                self._store.delete_pointer(key)
                deleted += 1
        _refuse_nobodys(torn, deleted)
        return deleted

    def _read(self, keys: Sequence[str]) -> list[tuple[str, str]]:
        """Key and content of these events; many requests at once, as each takes its time."""
        with ThreadPoolExecutor(REQUESTS) as requests:
            found = requests.map(self._store.read_pointer, keys)
            # Torn bytes stay such, for whoever reads the event to refuse it by its name.
            told = ((k, c) for k, c in zip(keys, found, strict=True) if c is not None)
            return [(key, content.decode(errors="surrogateescape")) for key, content in told]

    def close(self) -> None:
        """Nothing is held open."""


def read_event(event_id: str, content: str) -> dict[str, Any]:
    """What an event of the log says, by the fields of `POST /feedback`.

    Raises:
        DamagedArtifactError: it is none; names it, and says what to do.
    """
    event = parse_json(_EVENT, f"the feedback log's event {event_id}", content, _TODO)
    lacking = next((name for name in _NEEDED if event.get(name) is None), None)
    if lacking is not None:
        why = f"it has no {lacking}"
        raise DamagedArtifactError(
            f"the feedback log's event {event_id} is damaged: {why}; {_TODO}"
        )
    return event


def read_events(log: FeedbackLog) -> list[dict[str, Any]]:
    """Every event of a log; raises as `read_event`, and what the log raises."""
    return [read_event(*event) for part in log.unknown(lambda ids: ()) for event in part]


def _customer_of(content: str) -> Any:
    """Whose event it is; None where it doesn't say, as nothing that is cut short does."""
    try:
        event = json.loads(content)
    except ValueError:
        return None
    return event.get("customer_id") if isinstance(event, dict) else None


def _refuse_nobodys(torn: Sequence[tuple[str, str]], deleted: int) -> None:
    """Raise for events that may be the erased customer's, after all others are gone."""
    if not torn:
        return
    (first, content), *others = torn
    try:
        read_event(first, content)
        why = f"the feedback log's event {first} is damaged; {_TODO}"
    except DamagedArtifactError as error:
        why = str(error)
    also = f" (so are {', '.join(event_id for event_id, _ in others)})" if others else ""
    raise DamagedArtifactError(
        f"{why}; then erase again{also}. {deleted:,} events of the others are erased"
    )


def _compared(kept: str, content: str) -> str:
    """Whether two events of one id are the same one: equal but for how an instant is written."""
    return DUPLICATE if kept == content or _facts(kept) == _facts(content) else CONFLICT


def _facts(content: str) -> dict[str, Any] | str:
    """What an event says, with its time as an instant (null says nothing, like a field that an
    older version didn't have); the text as it is where it is no event."""
    try:
        event = {key: value for key, value in json.loads(content).items() if value is not None}
        return event | {"occurred_at": datetime.fromisoformat(event["occurred_at"])}
    except (ValueError, KeyError, TypeError):
        return content


def open_feedback_log(store: ArtifactStore, home: Path) -> FeedbackLog:
    """The log that fits the store: SQLite below `home` for a folder, objects for a bucket."""
    if "://" in store.url:
        return StoreFeedbackLog(store)
    return SqliteFeedbackLog(home / FILE)
