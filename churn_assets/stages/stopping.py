"""A stop request that waits for the end of the step under way, so that a stage can save it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_between_steps() -> Iterator[Callable[[], bool]]:
    """Within it SIGTERM and Ctrl-C interrupt nothing; the loop asks after each step.

    For the main thread of a stage's program. Yields a function that says whether a stop was asked
    for: then the loop saves a checkpoint and ends.

    Raises:
        KeyboardInterrupt: at the end, if a stop was asked for.
    """
    asked: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        asked.append(signum)

    before = {each: signal.signal(each, note) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(asked)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    if asked:
        raise KeyboardInterrupt
