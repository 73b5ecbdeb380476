"""Records that aren't in the store yet, the oldest first, and no more than there is room for."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence

from prometheus_client import Counter

from churn_assets.serving.decision_log.records import Record

log = logging.getLogger(__name__)

CAPACITY = 200_000  # records; about 200 MB
FULL = "there is no room for more decisions: the oldest are given up"

LOST = Counter("churn_decisions_lost_total", "Decisions that the log had no room for.")


class WaitingRecords:
    """Takes what is to be written, hands out the oldest, and has it back where that failed. Beyond
    `CAPACITY` it gives up the oldest that nobody is writing, and counts them. Threads may share it.

    Attributes:
        full: some were given up since the last ones were written.
    """

    def __init__(self) -> None:
        self.full = False
        self._lock = threading.Lock()
        self._waiting: deque[Record] = deque()
        self._taken: list[Record] = []  # that somebody is writing

    def __len__(self) -> int:
        """How many aren't known to be written."""
        with self._lock:
            return len(self._waiting) + len(self._taken)

    def add(self, records: Sequence[Record]) -> None:
        """Take records, younger than all before."""
        with self._lock:
            self._waiting.extend(records)
            self._make_room()

    def take(self, most: int) -> list[Record]:
        """The oldest, at most so many, to be written: `written` or `put_back` says what came of it,
        before more are taken."""
        with self._lock:
            number = min(most, len(self._waiting))
            self._taken = [self._waiting.popleft() for _ in range(number)]
            return self._taken

    def written(self) -> None:
        """What was taken is in the store."""
        with self._lock:
            self._taken, self.full = [], False

    def put_back(self) -> None:
        """What was taken isn't in the store."""
        with self._lock:
            self._waiting.extendleft(reversed(self._taken))
            self._taken = []
            self._make_room()

    def _make_room(self) -> None:
        excess = len(self._waiting) + len(self._taken) - CAPACITY
        excess = min(excess, len(self._waiting))
        if excess <= 0:
            return
        for _ in range(excess):
            self._waiting.popleft()
        LOST.inc(excess)
        if not self.full:
            log.error(FULL)
        self.full = True
