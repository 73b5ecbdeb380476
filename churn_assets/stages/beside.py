"""A second process beside a stage's own, for work on another core: it stops and ends with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_context
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Made = TypeVar("Made")


@contextmanager
def running_beside(
    work: Callable[Given, Made], *args: Given.args, **kwargs: Given.kwargs
) -> Iterator[Future[Made]]:
    """Run `work` in a fresh process; yields its future result.

    Whoever leaves the block before the work is done, by a stop request or an error, passes a stop
    request on to it and waits for its end: work in steps saves the one under way
    (`stop_between_steps`). Stop requests reach a stage's own process only, and a process that
    isn't stopped would work on to its end. If this process is killed, the other is gone at once:
    the next attempt must not meet it in its checkpoints.
    """
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_end_with_parent) as pool:
        process = pool.submit(os.getpid)
        made = pool.submit(work, *args, **kwargs)
        try:
            yield made
        finally:
            if not made.done():
                with suppress(ProcessLookupError):
                    os.kill(process.result(), signal.SIGTERM)


def _end_with_parent() -> None:
    # Whoever started the stage may ignore stop requests, which its processes inherit.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - the pool runs this in a process that it started

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
