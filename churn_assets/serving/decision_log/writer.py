"""Writes the decision log beside serving: an answer waits for nothing, a thread writes.

Who asks pays for putting a reference into a queue. The thread makes the records of all that was
served meanwhile, writes them, and merges what it wrote. It shares the interpreter with whoever
answers: under load it makes a few records often, since those of a whole second would hold up one
in seventy requests for all of their time.

What is acknowledged at time t is in the store by t + `flush_seconds` + `PACE_SECONDS` + the time of
one write, and then survives whatever happens to the process. While the store can't be written,
records wait in memory, up to `CAPACITY`; beyond it the oldest are given up, which the log and a
metric say.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, date, datetime

from prometheus_client import Counter

from churn_assets.domain.plain_errors import describe
from churn_assets.serving.decision_log.records import Record, Served, records_of
from churn_assets.storage.protocol import ArtifactStore

log = logging.getLogger(__name__)

CLOSE_SECONDS = 20.0
PACE_SECONDS = 0.05  # between makings of records while there are some to make
CAPACITY = 200_000  # records; about 200 MB
MERGE_AT = 64  # own parts of a day and of about one size that are made one
MERGED_ROWS = 10_000  # in a part that isn't merged on beside serving: 64 of them take a second

NOT_MERGED = "parts of the decision log were not merged"

WRITTEN = Counter("churn_decisions_logged_total", "Decisions in the decision log.")
LOST = Counter("churn_decisions_lost_total", "Decisions that the log had no room for.")


class DecisionWriter:
    """Takes what was served and writes it every `flush_seconds`. Threads may share it.

    Attributes:
        source: what the records' `source` says.
        problem: why records can't be written at present or, if they can, why parts weren't merged
            the last time; or None.
    """

    def __init__(self, store: ArtifactStore, flush_seconds: float, source: str = "api") -> None:
        self.source = source
        self.problem: str | None = None
        self._store = store
        self._seconds = flush_seconds
        self._served: deque[Served] = deque()
        self._kept: list[Record] = []  # that could not be written so far
        self._starting = threading.Lock()
        self._writing = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._parts: dict[tuple[date, int], list[str]] = {}  # by day and how often merged
        self._unmerged: str | None = None  # why the last merging failed

    def add(self, served: Served) -> None:
        """Take what was served; returns at once."""
        self._served.append(served)
        if self._thread is None:
            self._start()

    def flush(self) -> None:
        """Write what waits; what can't be written waits on."""
        with self._writing:
            self._make_records()
            records = self._kept
            if not records:
                return
            try:
                # Here: it takes a quarter of a second that a cold start need not wait for.
                from churn_assets.serving.decision_log import parts

                keys = parts.append(self._store, records)
            except Exception as error:  # noqa: BLE001 - kept, counted and said, whatever it is
                self._keep(records, error)
                return
            self._kept = []
            WRITTEN.inc(len(records))
            self._merge_own(keys)
            self.problem = self._unmerged

    def close(self) -> None:
        """Write what waits and end the thread. Where the store doesn't answer, that is waited for
        no longer than `CLOSE_SECONDS`: whoever stops a server kills it soon after, too. The log
        then says what ends with the process."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
        if lost := len(self._kept):
            LOST.inc(lost)
            why = self.problem or f"the store hasn't answered for {CLOSE_SECONDS:.0f} s"
            log.error("%d decisions end with this process, not logged: %s", lost, why)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        flushed = time.monotonic()
        while not self._closed.wait(self._pause()):
            if time.monotonic() - flushed < self._seconds:
                with self._writing:
                    self._make_records()
            else:
                self.flush()
                flushed = time.monotonic()
        self.flush()

    def _pause(self) -> float:
        """Seconds until the next look: a server at rest isn't woken for nothing."""
        return min(PACE_SECONDS, self._seconds) if self._served or self._kept else self._seconds

    def _make_records(self) -> None:
        served = [self._served.popleft() for _ in range(len(self._served))]
        self._kept += self._recorded(served)

    def _recorded(self, served: Sequence[Served]) -> list[Record]:
        """The records; one answer that none can be made of costs the others nothing."""
        try:
            return records_of(served, self.source)
        except Exception:
            if len(served) == 1:
                LOST.inc(len(served[0].rows))
                log.exception("a decision can't be logged")
                return []
        return [record for one in served for record in self._recorded([one])]

    def _keep(self, records: list[Record], error: Exception) -> None:
        self._kept = records[-CAPACITY:]
        LOST.inc(len(records) - len(self._kept))
        problem = _said(error)
        if problem != self.problem:
            log.error("decisions can't be logged and wait in memory: %s", describe(error))
        self.problem = problem

    def _merge_own(self, keys: list[str]) -> None:
        """A part every second would be 86,400 files a day. What was merged is merged again only
        with its like, so that a busy day isn't rewritten every minute, and a large part never: its
        work would be in serving's way. `parts.compact` makes one of a day that is over, and of what
        could not be merged here, which is only less tidy and isn't tried again."""
        from churn_assets.serving.decision_log import parts

        for key in keys:
            day = date.fromisoformat(key.split("/")[1])
            self._parts.setdefault((day, 0), []).append(key)
        today = datetime.now(UTC).date()
        for day, times in sorted(self._parts):
            own = self._parts[day, times]
            if len(own) < MERGE_AT and day == today:
                continue
            del self._parts[day, times]
            try:
                merged, rows = parts.merge(self._store, day, own)
            except Exception as error:  # noqa: BLE001 - said, whatever it is: the thread goes on
                problem = f"{NOT_MERGED}: {_said(error)}"
                if problem != self._unmerged:
                    log.warning("%s: %s", NOT_MERGED, describe(error))
                self._unmerged = problem
                return
            self._unmerged = None
            if day == today and rows < MERGED_ROWS:
                self._parts.setdefault((day, times + 1), []).append(merged)


def _said(error: Exception) -> str:
    """Why, without the name of a file: each attempt has another, of one and the same problem."""
    return (isinstance(error, OSError) and error.strerror) or describe(error)
