"""What two runs of the same work tell each other: what either has made, and whose turn it is.

A run whose tag names a folder shares its stages with the other run of that tag.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from churn_assets.stages.spec import StageReport, StageSpec
from churn_assets.storage.trees import write_atomically

TAG = "churn/ahead"
"""The tag of both runs: the folder that they share."""
MADE_AHEAD = frozenset({"predictors", "decision"})
"""The areas whose stages the second process of `orchestration/ahead.py` makes."""
POLL_SECONDS = 0.2


class Shared:
    """The folder that both runs have; it lasts as long as they do, and the artifacts are in the
    store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> Shared | None:
        """The folder that a run's tags name; None where they name none, or one that is gone, as of
        a run that somebody repeats in the UI."""
        folder = tags.get(TAG)
        return cls(Path(folder)) if folder and Path(folder).is_dir() else None

    @contextmanager
    def turn(self, stage: str, while_waiting: Callable[[], None]) -> Iterator[None]:
        """Within it the other run doesn't make this stage; the system ends a killed one's turn.

        Args:
            while_waiting: called again and again as long as it is the other's.
        """
        with (self.folder / f"{stage}.lock").open("a") as lock:
            while not _taken(lock.fileno()):
                while_waiting()
                time.sleep(POLL_SECONDS)
            yield

    def made(self, spec: StageSpec) -> StageReport | None:
        """What either run made of the same work, with the seconds that it took."""
        report = self._report(spec)
        return StageReport.model_validate_json(report.read_bytes()) if report.exists() else None

    def leave(self, spec: StageSpec, report: StageReport) -> None:
        """Let the other run find it."""
        write_atomically(self._report(spec), report.model_dump_json().encode())

    def _report(self, spec: StageSpec) -> Path:
        return self.folder / f"{spec.digest}.json"


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
