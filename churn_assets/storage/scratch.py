"""Temporary folders that a killed process can't leave behind for ever, and copies in use.

Whoever makes a temporary folder holds a lock on it until it is removed. The system releases the
lock when the process ends, however it ends; so a folder that nobody holds is a dead process's, and
whoever makes the next one removes it. No clock and no process number decides that. Whoever reads a
copy of an artifact shares a lock on it, so that it is removed under nobody's hands.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from churn_assets.storage.trees import named_where_full

SCRATCH = "churn-scratch-"
STAGING = ".incoming-"
IN_USE = 64  # copies that a process holds at most: more than any reads at a time
_held: OrderedDict[Path, int] = OrderedDict()  # copy -> the descriptor whose lock says so
_holding = threading.Lock()


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """An empty folder below the system's temporary one, removed at the end whatever happens."""
    parent = Path(tempfile.gettempdir())
    remove_abandoned(parent.glob(f"{SCRATCH}*"))
    with held_folder(parent, f"{SCRATCH}{name}-") as folder, named_where_full(folder):
        yield folder


@contextmanager
def held_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new private folder in `parent` that `remove_abandoned` spares while the block lasts."""
    folder, lock = _make_and_hold(parent, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def hold_copy(folder: Path) -> bool:
    """From now on `remove_abandoned` spares the folder, until this process ends or has held
    `IN_USE` others since; False: there is no such folder."""
    with _holding:
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return False
        except PermissionError:
            return True  # somebody else's, which nobody removes; who reads it is told
        fcntl.flock(lock, fcntl.LOCK_SH)  # waits for whoever is removing it
        if not is_still(folder, lock):
            os.close(lock)
            return False
        if (before := _held.pop(folder, None)) is not None:
            os.close(before)
        _held[folder] = lock
        while len(_held) > IN_USE:
            os.close(_held.popitem(last=False)[1])
        return True


def is_still(folder: Path, descriptor: int) -> bool:
    """Whether the folder is the one that the descriptor was opened on, and not removed since."""
    try:
        return os.path.samestat(folder.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def remove_abandoned(
    folders: Iterator[Path], unless: Callable[[Path], bool] = lambda folder: False
) -> None:
    """Remove those of the folders that are this user's and that no living process holds, unless
    they are to stay, which is asked of each while nobody else can hold it."""
    for folder in folders:
        try:
            found = folder.lstat()
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # gone meanwhile, a link, no folder, or somebody else's private one
            continue
        try:
            if found.st_uid == os.getuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not unless(folder):
                    shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass  # in use
        finally:
            os.close(lock)


@contextmanager
def staging_folder(objects: Path, target: Path) -> Iterator[Path]:
    """A hidden folder from which one can be renamed to `target`, below `objects`.

    What writers that were killed left there is removed first.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(staging_folders(objects))
    with held_folder(target.parent, STAGING) as staging:
        yield staging


def staging_folders(objects: Path) -> Iterator[Path]:
    """The hidden folders below `objects`, in use or not."""
    for place, folders, _ in os.walk(objects):
        yield from (Path(place) / name for name in folders if name.startswith(STAGING))
        folders[:] = [name for name in folders if name[0] != "."]


def _make_and_hold(parent: Path, prefix: str) -> tuple[Path, int]:
    """The folder and the descriptor whose lock says that it is in use."""
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue  # somebody took it for abandoned before we could hold it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder, lock
        os.close(lock)
