"""Helpers to start and to look at processes from a test."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from churn_assets.settings import PROJECT


@contextmanager
def held_process(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of a test module in the middle of something: it has said so (`held`), and is killed
    without a warning at the end."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    """Returns once it is so; TimeoutError if it isn't within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it wasn't so within {seconds} s")
        time.sleep(0.02)


def read_when_there(path: Path, seconds: float = 300.0) -> str:
    """The file's text, waiting for it to appear."""
    wait_until(path.exists, seconds)
    return path.read_text()


def wait_until_gone(pids: list[int]) -> None:
    """Returns once none of the processes runs; TimeoutError if one goes on running.

    What is waited for has to sleep far longer than that, or it would end by itself.
    """
    wait_until(lambda: not any(map(alive, pids)), seconds=300)
