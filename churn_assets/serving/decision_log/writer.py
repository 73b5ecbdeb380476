"""Writes the decision log beside serving: an answer waits for nothing, threads write.

Who asks pays for putting a reference into a queue. One thread makes the records of all that was
served meanwhile, another writes them and merges what it wrote: a store that doesn't answer holds up
no more than that one. Both share the interpreter with whoever answers: under load a few records are
made often, since those of a whole second would hold up one in seventy requests for all of their
time.

What is acknowledged at time t is in the store by t + `flush_seconds` + the time of one write, and
then survives whatever happens to the process. While the store can't be written, or doesn't answer,
records wait in memory, up to `waiting.CAPACITY`; beyond it the oldest are given up, which the log,
`problem` and a metric say.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import TypeVar

from prometheus_client import Counter

from churn_assets.domain.plain_errors import describe
from churn_assets.serving.decision_log.records import Record, Served, records_of
from churn_assets.serving.decision_log.waiting import FULL, LOST, WaitingRecords
from churn_assets.storage.protocol import ArtifactStore

log = logging.getLogger(__name__)

CLOSE_SECONDS = 20.0
PACE_SECONDS = 0.05  # between makings of records while there are some to make
REST_SECONDS = 1.0  # where there were none: a server at rest isn't woken for nothing
HANGS_SECONDS = 20.0  # of one write or merging; those to a bucket take up to ten
MERGE_AT = 64  # own parts of a day and of about one size that are made one
MERGED_ROWS = 10_000  # in a part that isn't merged on beside serving: 64 of them take a second

NOT_MERGED = "parts of the decision log were not merged"
HANGS = f"the store hasn't answered for {HANGS_SECONDS:.0f} s: decisions wait in memory"

WRITTEN = Counter("churn_decisions_logged_total", "Decisions in the decision log.")

Result = TypeVar("Result")


class DecisionWriter:
    """Takes what was served and writes it every `flush_seconds`. Threads may share it.

    Attributes:
        source: what the records' `source` says.
    """

    def __init__(self, store: ArtifactStore, flush_seconds: float, source: str = "api") -> None:
        self.source = source
        self._store = store
        self._seconds = flush_seconds
        self._served: deque[Served] = deque()
        self._records = WaitingRecords()
        self._failed: str | None = None  # why the last writing or merging did
        self._asked_since: float | None = None  # the store, by the monotonic clock; None: it isn't
        self._starting, self._making, self._writing = (threading.Lock() for _ in range(3))
        self._closed = threading.Event()
        self._threads: tuple[threading.Thread, ...] = ()
        self._parts: dict[tuple[date, int], list[str]] = {}  # by day and how often merged
        self._unmerged: str | None = None  # why the last merging failed

    @property
    def problem(self) -> str | None:
        """Why records can't be written at present, or are given up, or, if they can, why parts
        weren't merged the last time; or None."""
        problems = (HANGS if self._hangs() else self._failed, FULL if self._records.full else None)
        return "; ".join(filter(None, problems)) or None

    def add(self, served: Served) -> None:
        """Take what was served; returns at once."""
        self._served.append(served)
        if not self._threads:
            self._start()

    def flush(self) -> None:
        """Write what waits; what can't be written waits on."""
        with self._writing:
            self._make_records()
            written: list[str] = []
            left = len(self._records)  # what comes meanwhile waits: under load it would never end
            # A few at a time: those of a long outage at once would hold up serving for seconds, and
            # nothing that is being written can be given up.
            while records := self._records.take(min(left, MERGED_ROWS)):
                left -= len(records)
                try:
                    keys = self._append(records)
                except Exception as error:  # noqa: BLE001 - kept, counted and said, whatever it is
                    self._records.put_back()
                    self._fail(error)
                    return
                self._records.written()
                WRITTEN.inc(len(records))
                if len(records) < MERGED_ROWS:
                    written += keys
                self._failed = self._unmerged
            if written:
                self._merge_own(written)
                self._failed = self._unmerged

    def close(self) -> None:
        """Write what waits and end the threads. Where the store doesn't answer, that is waited for
        no longer than `CLOSE_SECONDS`: whoever stops a server kills it soon after, too. The log
        then says what ends with the process."""
        self._closed.set()
        until = time.monotonic() + CLOSE_SECONDS
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))
        if lost := len(self._records) + sum(len(one.rows) for one in self._served):
            LOST.inc(lost)
            failed = self._failed if self._asked_since is None else None
            why = failed or f"the store hasn't answered for {CLOSE_SECONDS:.0f} s"
            log.error("%d decisions end with this process, not logged: %s", lost, why)

    def _start(self) -> None:
        with self._starting:
            if self._threads:
                return
            self._threads = tuple(
                threading.Thread(target=work, name=name, daemon=True)
                for work, name in ((self._make, "decision-records"), (self._write, "decision-log"))
            )
            for thread in self._threads:
                thread.start()

    def _make(self) -> None:
        hung, pause = False, REST_SECONDS
        while not self._closed.wait(min(pause, self._seconds)):
            pause = PACE_SECONDS if self._make_records() else REST_SECONDS
            hung, before = self._hangs(), hung
            if hung and not before:
                log.error(HANGS)

    def _write(self) -> None:
        while not self._closed.wait(self._seconds):
            self.flush()
        self.flush()

    def _make_records(self) -> bool:
        """Whether there was anything to make them of."""
        with self._making:
            served = [self._served.popleft() for _ in range(len(self._served))]
            self._records.add(self._recorded(served))
        return bool(served)

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

    def _append(self, records: list[Record]) -> list[str]:
        # Here: it takes a quarter of a second that a cold start need not wait for.
        from churn_assets.serving.decision_log import parts

        return self._timed(partial(parts.append, self._store, records))

    def _timed(self, task: Callable[[], Result]) -> Result:
        """The result of what asks the store: `problem` says where that takes too long."""
        self._asked_since = time.monotonic()
        try:
            return task()
        finally:
            self._asked_since = None

    def _hangs(self) -> bool:
        since = self._asked_since
        return since is not None and time.monotonic() - since > HANGS_SECONDS

    def _fail(self, error: Exception) -> None:
        problem = _said(error)
        if problem != self._failed:
            log.error("decisions can't be logged and wait in memory: %s", describe(error))
        self._failed = problem

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
                merged = self._timed(partial(parts.merge, self._store, day, own))
            except Exception as error:  # noqa: BLE001 - said, whatever it is: the thread goes on
                problem = f"{NOT_MERGED}: {_said(error)}"
                if problem != self._unmerged:
                    log.warning("%s: %s", NOT_MERGED, describe(error))
                self._unmerged = problem
                return
            self._unmerged = None
            if merged is not None and day == today and merged.rows < MERGED_ROWS:
                self._parts.setdefault((day, times + 1), []).append(merged.key)


def _said(error: Exception) -> str:
    """Why, without the name of a file: each attempt has another, of one and the same problem."""
    return (isinstance(error, OSError) and error.strerror) or describe(error)
