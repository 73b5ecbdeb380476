"""What happened to customers: durable and idempotent. Acknowledged means on disk.

One SQLite file where the artifact store is a local folder (write-ahead log, flushed at every
commit); one object per event where it is a bucket.
"""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from pathlib import Path
from typing import Protocol

from churn_assets.resources.artifact_store import ArtifactStore, PointerMovedError

STORED, DUPLICATE, CONFLICT = "stored", "duplicate", "conflict"
FOLDER = "feedback"  # of the pointers that hold events


class FeedbackLog(Protocol):
    """Where events go."""

    def record(self, event_id: str, content: str) -> str:
        """Keep the event; returns once it would survive a power cut.

        Returns:
            `stored`, `duplicate` (the same event was there already) or `conflict` (another event
            has this id; it stays).
        """
        ...

    def events(self) -> list[str]:
        """The content of every event."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...


class SqliteFeedbackLog:
    """Events in one SQLite file; several processes may share it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        # One process at a time: switching to the write-ahead log does not wait for another's lock,
        # whatever the timeout, so workers that start together would find the database locked.
        with path.with_suffix(".lock").open("w") as opening:
            fcntl.flock(opening, fcntl.LOCK_EX)
            self._db = self._open(path)

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        db = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        # FULL flushes the write-ahead log at every commit; WAL's default flushes at checkpoints.
        db.execute("PRAGMA synchronous=FULL")
        db.execute(
            "CREATE TABLE IF NOT EXISTS feedback (number INTEGER PRIMARY KEY AUTOINCREMENT, "
            "event_id TEXT NOT NULL UNIQUE, content TEXT NOT NULL, "
            "received TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))"
        )
        return db

    def record(self, event_id: str, content: str) -> str:
        with self._lock:
            inserted = self._db.execute(
                "INSERT INTO feedback (event_id, content) VALUES (?, ?) "
                "ON CONFLICT (event_id) DO NOTHING",
                (event_id, content),
            )
            if inserted.rowcount == 1:
                return STORED
            [kept] = self._db.execute(
                "SELECT content FROM feedback WHERE event_id = ?", (event_id,)
            ).fetchone()
            return DUPLICATE if kept == content else CONFLICT

    def events(self) -> list[str]:
        with self._lock:
            rows = self._db.execute("SELECT content FROM feedback ORDER BY number").fetchall()
        return [content for (content,) in rows]

    def close(self) -> None:
        """Close the file; what was acknowledged is in it."""
        self._db.close()


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
            return DUPLICATE if self._store.read_pointer(key) == body else CONFLICT
        return STORED

    def events(self) -> list[str]:
        keys = [key for key in self._store.pointers() if key.startswith(f"{FOLDER}/")]
        return [content.decode() for key in keys if (content := self._store.read_pointer(key))]

    def close(self) -> None:
        """Nothing is held open."""


def open_feedback_log(store: ArtifactStore, home: Path) -> FeedbackLog:
    """The log that fits the store: SQLite below `home` for a folder, objects for a bucket."""
    if "://" in store.url:
        return StoreFeedbackLog(store)
    return SqliteFeedbackLog(home / "feedback.sqlite3")
