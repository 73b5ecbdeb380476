"""A supervised child process: its output is kept for the error report, its end is certain.

Both backends run a stage in one: the local backend under Dagster, the Modal function in its
container. So an exception, a kill by the out-of-memory killer and a cancellation look the same.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO

STAGE_PROGRAM = "churn_assets.stages"
"""The module that runs a stage, given its name."""


def stage_command(stage: str) -> list[str]:
    """The command line that runs a stage."""
    return [sys.executable, "-m", STAGE_PROGRAM, stage]


class StageError(RuntimeError):
    """A stage's process ended without success.

    Attributes:
        log: the last lines of its output, the traceback's last line last.
    """

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message, log)  # both are arguments, so that the error survives pickling
        self.message = message
        self.log = log

    def __str__(self) -> str:
        return f"{self.message}\n{self.log}".rstrip()


def run_child(
    command: Sequence[str],
    env: Mapping[str, str],
    *,
    log_lines: int = 40,
    grace_seconds: float = 1.0,
    poll_seconds: float = 0.5,
    on_poll: Callable[[], None] = lambda: None,
) -> None:
    """Run `command` to its end, copying its output to stderr.

    Whatever interrupts the wait (a signal's exception, or one raised by `on_poll`, which is called
    every `poll_seconds`) first stops the child: SIGTERM, then after `grace_seconds` SIGKILL for its
    whole process group. The child's standard input stays open for as long as this process lives:
    `end_with_parent` lets it notice a parent that was killed.

    Args:
        env: variables added to this process's environment.

    Raises:
        StageError: the child ended with an error or by a signal; carries its last `log_lines`.
    """
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # A group of its own, so that its children can be swept up. Not a session: Linux shares the
        # cores among sessions first (sched(7), autogroup), so `nice` wouldn't reach the child.
        process_group=0,
        text=True,
        errors="replace",
    )
    tail: deque[str] = deque(maxlen=log_lines)
    reader = threading.Thread(target=_copy_output, args=(process.stdout, tail), daemon=True)
    reader.start()
    try:
        while process.poll() is None:
            try:
                process.wait(poll_seconds)
            except subprocess.TimeoutExpired:
                on_poll()
    finally:
        _stop(process, grace_seconds)
        reader.join(timeout=5.0)
    if process.returncode != 0:
        raise StageError(_ending(process.returncode, tail), "".join(tail).rstrip())


def end_with_parent(grace_seconds: float = 10.0) -> None:
    """In a child of `run_child`: stop as soon as the parent is gone, even if it was killed.

    First like any stop request; after `grace_seconds` by killing the whole process group. Whatever
    asks the terminal a question meanwhile gets an error: waiting for an answer that goes to another
    group's program, it would stop for ever.
    """
    for terminals in (signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(terminals, signal.SIG_IGN)

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_seconds)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def _copy_output(stream: IO[str], tail: deque[str]) -> None:
    for line in stream:
        tail.append(line)
        sys.stderr.write(line)


def _stop(process: subprocess.Popen[str], grace_seconds: float) -> None:
    """End the process and every process that it started; nothing is left when this returns."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace_seconds)
    with suppress(ProcessLookupError):  # the usual case: the group ended with its leader
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _ending(code: int, tail: Sequence[str]) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        hint = " (out of memory, or killed by hand)" if -code == signal.SIGKILL else ""
        return f"killed by {name}{hint}"
    last = next((line.strip() for line in reversed(tail) if line.strip()), "no output")
    return f"ended with exit code {code}: {last}"
