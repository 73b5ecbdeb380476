"""The stages of predictors and decisions, made ahead by a second process while a run on this
machine makes the messages.

A run's steps come one after the other, and a stage of the embedded messages keeps one core busy for
minutes. Meanwhile a child of `churn materialize` works on the other area's stages, in an order and
with code that are the run's own. The run still does every step: it finds what was made ahead, waits
for what is being made, and makes the rest. So nothing depends on the child, whatever ends it.

    python -m churn_assets.orchestration.ahead FOLDER
"""

from __future__ import annotations

import fcntl
import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from churn_assets.orchestration import run_follower
from churn_assets.stages.child_process import StageError, end_with_parent, run_child
from churn_assets.stages.registry import STAGES
from churn_assets.stages.spec import StageReport, StageSpec
from churn_assets.storage.scratch import scratch_folder
from churn_assets.storage.trees import write_atomically

TAG = "churn/ahead"
"""The tag of both runs: the folder that they share."""
MADE_AHEAD = frozenset({"predictors", "decision"})
MEANWHILE = "messages"
NICE = 10
"""How much the child stands back: reward model and judge are two programs, and need both cores."""
GRACE_SECONDS = 5.0  # for the child to end its own children
POLL_SECONDS = 0.2
log = logging.getLogger(__name__)


class Shared:
    """The folder in which two runs tell each other what either has made, and take turns.

    It is the runs' alone: what it holds is of this hour, with the seconds that it took. The store
    has the artifacts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> Shared | None:
        """The folder that a run's tags name, if any does."""
        return cls(Path(tags[TAG])) if TAG in tags else None

    @contextmanager
    def turn(self, stage: str, while_waiting: Callable[[], None]) -> Iterator[None]:
        """Within it the other run doesn't make this stage; the system ends a killed one's turn."""
        with self._lock(stage).open("a") as lock:
            while not _taken(lock.fileno()):
                while_waiting()
                time.sleep(POLL_SECONDS)
            yield

    def is_busy(self, stage: str) -> bool:
        """Whether the other run makes this stage at this moment."""
        with self._lock(stage).open("a") as lock:
            return not _taken(lock.fileno())

    def made(self, spec: StageSpec) -> StageReport | None:
        """What either run made of the same work."""
        report = self._report(spec)
        return StageReport.model_validate_json(report.read_bytes()) if report.exists() else None

    def leave(self, spec: StageSpec, report: StageReport) -> None:
        """Let the other run find it."""
        write_atomically(self._report(spec), report.model_dump_json().encode())

    def _lock(self, stage: str) -> Path:
        return self.folder / f"{stage}.lock"

    def _report(self, spec: StageSpec) -> Path:
        return self.folder / f"{spec.digest}.json"


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def leaves_a_core(threads: int) -> bool:
    """Whether stages of so many threads, 0 for as many as there are, leave this process's machine
    a core: two programs that share one are slower than one after the other."""
    known = hasattr(os, "sched_getaffinity")  # Linux; it knows of cores that are kept from us
    cores = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    return 0 < threads < cores


class Ahead:
    """The child: started by the run's first sign of work on messages, so that a run that finds
    everything unchanged starts none."""

    def __init__(self, folder: Path) -> None:
        self.tags = {TAG: str(folder)}
        self._over = threading.Event()
        self._child: threading.Thread | None = None

    def __call__(self, event: run_follower.RunEvent) -> None:
        """Look at an event of the run, as `run_job` reports them."""
        stage = STAGES.get(event.subject)
        if self._child is None and event.kind == "log" and stage and stage.area == MEANWHILE:
            self._child = threading.Thread(target=self._run, name="ahead")
            self._child.start()

    def end(self) -> None:
        """Stop the child if it still works."""
        self._over.set()
        if self._child is not None:
            self._child.join()

    def _run(self) -> None:
        command = [sys.executable, "-m", __name__, self.tags[TAG]]
        try:
            run_child(command, {}, grace_seconds=GRACE_SECONDS, on_poll=self._stop_if_over)
        except InterruptedError:
            pass  # the run is over
        except StageError as error:
            log.warning("made ahead no more, so the run makes the rest itself: %s", error.message)

    def _stop_if_over(self) -> None:
        if self._over.is_set():
            raise InterruptedError


@contextmanager
def made_ahead() -> Iterator[Ahead]:
    """Within it a run with these tags, whose events it is told, has stages made ahead."""
    with scratch_folder("ahead") as folder:
        ahead = Ahead(folder)
        try:
            yield ahead
        finally:
            ahead.end()


def main(folder: Path) -> None:
    """Make the stages ahead, in a run that leaves no records; ends with its parent.

    Exits with 1 where one of them failed: the run that this is for will say why.
    """
    end_with_parent(GRACE_SECONDS)
    os.nice(NICE)
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))  # it ends a run as Ctrl-C does
    job: dg.JobDefinition = importlib.import_module(run_follower.DEFINITIONS).load_job("everything")
    known = {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
    stages = [name for name, stage in STAGES.items() if stage.area in MADE_AHEAD and name in known]
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            run_config=run_follower.QUIET,
            instance=instance,
            asset_selection=[dg.AssetKey(name) for name in stages],
            tags={TAG: str(folder)},
            raise_on_error=False,
        )
    sys.exit(0 if result.success else 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
