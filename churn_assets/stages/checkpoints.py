"""Checkpoint folders of a stage, each replaced whole: a kill at any time leaves one that is whole.

Only the newest is kept. What is in one is its stage's affair.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

KIND = "iteration"


def write_checkpoint(folder: Path, step: int, write: Callable[[Path], None]) -> None:
    """Have `write` fill an empty folder, which then takes the place of older checkpoints.

    step: how many steps are done; later checkpoints have more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="writing-", dir=folder))
    write(fresh)
    name = f"{KIND}-{step:06d}"
    shutil.rmtree(folder / name, ignore_errors=True)
    fresh.replace(folder / name)
    for old in sorted(folder.glob(f"{KIND}-*"))[:-1]:
        shutil.rmtree(old)


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
