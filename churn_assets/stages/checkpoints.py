"""Checkpoint folders of a stage, each replaced whole: a kill or a power cut at any time leaves one
that is whole.

Only the newest is kept. What is in one is its stage's affair.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from churn_assets.storage import trees
from churn_assets.storage.scratch import is_still

KIND = "iteration"


def write_checkpoint(folder: Path, step: int, write: Callable[[Path], None]) -> None:
    """Have `write` fill an empty folder, which then takes the place of older checkpoints.

    step: how many steps are done; later checkpoints have more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="writing-", dir=folder))
    write(fresh)
    flush(fresh)
    name = f"{KIND}-{step:06d}"
    shutil.rmtree(folder / name, ignore_errors=True)
    fresh.replace(folder / name)
    for old in sorted(folder.glob(f"{KIND}-*"))[:-1]:
        shutil.rmtree(old)


def flush(folder: Path) -> None:
    """Return when all that is in the folder is on the disk: a power cut leaves half of a file whose
    name is there already, else."""
    for path in (*folder.rglob("*"), folder):
        trees.flush(path)


def newest_checkpoint(folder: Path | None) -> Path | None:
    """The last whole checkpoint, if there is one; what a kill cut short is removed."""
    if folder is None:
        return None
    for unfinished in folder.glob("writing-*"):
        shutil.rmtree(unfinished)
    return max(folder.glob(f"{KIND}-*"), default=None)


def steps_done(checkpoint: Path) -> int:
    """How many steps were done when it was written."""
    return int(checkpoint.name.removeprefix(f"{KIND}-"))


@contextmanager
def held_checkpoints(folder: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Keep all other processes of this machine from a checkpoints folder while the block lasts.

    Two that write there at once would remove what the other one is writing, or resumes from. The
    folder is made where it is missing; the block may remove it. The system lets go of it for a
    process that was killed.

    Args:
        on_wait: called before waiting for another process to be done with the folder.
    """
    lock = _hold(folder, on_wait)
    try:
        yield
    finally:
        os.close(lock)


def _hold(folder: Path, on_wait: Callable[[], None]) -> int:
    """The descriptor of the folder, whose lock is this process's alone."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # whoever had it was done with it, and has removed it
        with ExitStack() as unless_held:
            unless_held.callback(os.close, lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(lock, fcntl.LOCK_EX)
            if is_still(folder, lock):
                unless_held.pop_all()
                return lock
