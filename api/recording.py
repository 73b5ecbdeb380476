"""Feedback beside decisions: in threads of its own, with a deadline, and never in their way.

A full disk, a damaged database or a bucket that is away costs the feedback a 503 and leaves every
decision as fast as before.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from churn_assets.campaign.errors import LedgerError
from churn_assets.serving.feedback import FeedbackLog
from churn_assets.storage.protocol import ArtifactError

log = logging.getLogger("churn_assets.serving.feedback")

THREADS = 8
DEADLINE_SECONDS = 5.0  # a caller who has heard nothing by then is to send the event again

Result = TypeVar("Result")


class NotRecordedError(RuntimeError):
    """The event was not stored in time; it must not be acknowledged."""


class FeedbackRecorder:
    """Puts events into a log.

    Attributes:
        problem: why events can't be stored at present, or None; without a database's address.
    """

    def __init__(self, events: FeedbackLog) -> None:
        self._events = events
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="feedback")
        self.problem: str | None = None

    async def record(self, event_id: str, content: str) -> str:
        """Keep the event; what `FeedbackLog.record` returns.

        Raises:
            NotRecordedError: it is not known to be stored.
        """
        return await self._in_time(lambda: self._events.record(event_id, content))

    async def watch(self, seconds: float) -> None:
        """Check the log now, and every `seconds` while there is a problem, until cancelled."""
        checked = False
        while True:
            if self.problem or not checked:
                with suppress(NotRecordedError):  # `problem` says why, the log too
                    await self._in_time(self._events.check)
                checked = True
            await asyncio.sleep(seconds)

    def close(self) -> None:
        """Let go of threads and files; events that still wait for the disk are not acknowledged."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._events.close()

    async def _in_time(self, task: Callable[[], Result]) -> Result:
        running = asyncio.get_running_loop().run_in_executor(self._threads, task)
        try:
            # Not `wait_for`: until Python 3.12 it takes a cancellation for nothing that arrives
            # as the result does, and a server that stops then would wait for `watch` for ever.
            async with asyncio.timeout(DEADLINE_SECONDS):
                result = await running
        except TimeoutError as error:
            problem = f"feedback can't be stored: no answer within {DEADLINE_SECONDS:.0f} s"
            raise self._reported(problem) from error
        except LedgerError as error:  # `problem` is for everybody, where the ledger is isn't
            problem = "feedback can't be stored: the contact ledger can't be used; the log says why"
            raise self._reported(problem, f"feedback can't be stored: {error}") from error
        except (ArtifactError, OSError, sqlite3.Error) as error:
            raise self._reported(f"feedback can't be stored: {error}") from error
        self.problem = None
        return result

    def _reported(self, problem: str, logged: str | None = None) -> NotRecordedError:
        if problem != self.problem:
            log.error(logged or problem)
        self.problem = problem
        return NotRecordedError(problem)
