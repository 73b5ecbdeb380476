"""Helpers to start and to look at processes from a test."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
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


def read_when_there(path: Path, seconds: float = 30.0) -> str:
    """The file's text, waiting for it to appear."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} did not appear within {seconds} s")
        time.sleep(0.02)
    return path.read_text()


def seconds_until_gone(pids: list[int], limit: float = 20.0) -> float:
    """How long it takes until none of the processes runs (at most `limit`)."""
    start = time.monotonic()
    while any(alive(pid) for pid in pids) and time.monotonic() - start < limit:
        time.sleep(0.02)
    return time.monotonic() - start
