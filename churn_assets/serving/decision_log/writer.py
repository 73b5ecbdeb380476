"""Writes the decision log beside serving: an answer waits for nothing, a thread writes.

What is acknowledged at time t is in the store by t + `flush_seconds` + the time of one write, and
then survives whatever happens to the process. While the store can't be written, records wait in
memory, up to `CAPACITY`; beyond it the oldest are given up, which the log and a metric say.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime

from prometheus_client import Counter

from churn_assets.serving.decision_log.records import Record
from churn_assets.storage.protocol import ArtifactError, ArtifactStore

log = logging.getLogger(__name__)

CAPACITY = 200_000  # records; about 200 MB
MERGE_AT = 64  # own parts of a day that are made one

WRITTEN = Counter("churn_decisions_logged_total", "Decisions in the decision log.")
LOST = Counter("churn_decisions_lost_total", "Decisions that the log had no room for.")


class DecisionWriter:
    """Takes records and writes them every `flush_seconds`. Threads may share it.

    Attributes:
        source: what the records' `source` says.
        problem: why records can't be written at present, or None.
    """

    def __init__(self, store: ArtifactStore, flush_seconds: float, source: str = "api") -> None:
        self.source = source
        self.problem: str | None = None
        self._store = store
        self._seconds = flush_seconds
        self._waiting: list[Record] = []
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._parts: dict[date, list[str]] = {}

    def add(self, records: Sequence[Record]) -> None:
        """Take the records; returns at once."""
        with self._lock:
            self._waiting.extend(records)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Write what waits; what can't be written waits on."""
        # Imported here: it takes a quarter of a second that a cold start need not wait for.
        from churn_assets.serving.decision_log import parts

        with self._writing:
            with self._lock:
                records, self._waiting = self._waiting, []
            if not records:
                return
            try:
                keys = parts.append(self._store, records)
            except Exception as error:  # noqa: BLE001 - kept, counted and said, whatever it is
                self._keep(records, str(error) or type(error).__name__)
                return
            WRITTEN.inc(len(records))
            self.problem = None
            self._merge_own(keys)

    def close(self) -> None:
        """Write what waits and end the thread."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._closed.wait(self._seconds):
            self.flush()

    def _keep(self, records: list[Record], problem: str) -> None:
        with self._lock:
            together = records + self._waiting
            kept = together[-CAPACITY:]
            self._waiting = kept
        LOST.inc(len(together) - len(kept))
        if problem != self.problem:
            log.error("decisions can't be logged and wait in memory: %s", problem)
        self.problem = problem

    def _merge_own(self, keys: list[str]) -> None:
        """A part every second would be 86,400 files a day."""
        from churn_assets.serving.decision_log import parts

        today = datetime.now(UTC).date()
        for key in keys:
            self._parts.setdefault(date.fromisoformat(key.split("/")[1]), []).append(key)
        for day, own in list(self._parts.items()):
            if len(own) < MERGE_AT and day == today:
                continue
            try:
                merged = parts.merge(self._store, day, own)
            except (ArtifactError, OSError) as error:  # what is not merged is only less tidy
                log.warning("parts of the decision log were not merged: %s", error)
                return
            if day == today:
                self._parts[day] = [merged]
            else:
                del self._parts[day]
