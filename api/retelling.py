"""What the feedback log has and the contact ledger hasn't is told to it when a service starts: a
ledger that was restored from an older copy has forgotten who said no since."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable

from churn_assets.campaign.errors import LedgerError
from churn_assets.campaign.opening import retold
from churn_assets.storage.protocol import ArtifactError

log = logging.getLogger("api.retelling")

FIRST_SECONDS = 20.0  # how long the start waits; a million events are compared in some 15 s
UNFINISHED = "the contact ledger isn't told yet all that the feedback log has"
AGAIN_SECONDS = 5.0  # between attempts, where log or ledger can't be used


class Retelling:
    """Tells the ledger once, in a thread of its own; tries again where that failed.

    Args:
        retell: compares and tells; returns how many events were missing. Raises as
            `LedgerFeed.retell`.
    """

    def __init__(self, retell: Callable[[], int]) -> None:
        self._retell = retell
        self._tried, self._done = threading.Event(), threading.Event()
        self._stop = threading.Event()

    def begin(self) -> None:
        """Tell it, from now on."""
        # A daemon: a store that hangs doesn't keep the process from ending.
        threading.Thread(target=self._work, name="retelling", daemon=True).start()

    async def tried(self) -> None:
        """Returns when it is done, has failed for the first time, or takes too long for a start to
        wait: it goes on then."""
        if not await asyncio.to_thread(self._tried.wait, FIRST_SECONDS):
            log.warning("%s: nobody is planned, listed or handed over until it is", UNFINISHED)

    def require(self) -> None:
        """Raises LedgerError as long as the ledger may lack what was reported."""
        if not self._done.is_set():
            raise LedgerError(f"{UNFINISHED}: send it again later")

    def close(self) -> None:
        """Try no more."""
        self._stop.set()

    def _work(self) -> None:
        try:
            while not self._is_done():
                self._tried.set()
                if self._stop.wait(AGAIN_SECONDS):
                    return
        finally:
            self._tried.set()

    def _is_done(self) -> bool:
        try:
            told = self._retell()
        except (LedgerError, ArtifactError, OSError, sqlite3.Error) as error:
            if not self._tried.is_set():
                log.error("the contact ledger may lack what was reported as feedback: %s", error)
            return False
        if told:
            log.warning(retold(told))
        self._done.set()
        return True
