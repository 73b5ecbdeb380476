"""The stages of predictors and decisions, made ahead by a second process while a run on this
machine makes the messages.

A run's steps come one after the other, and a stage of the embedded messages keeps one core busy for
minutes. Meanwhile a child of `churn materialize` works on the other areas' stages, by the run's own
definitions. The run still does every step: it finds what was made ahead, waits for what is being
made, and makes the rest. So nothing depends on the child, whatever ends it. It leaves no records
and names nothing in the store: that is the run's.

    python -m churn_assets.orchestration.ahead FOLDER
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from churn_assets.domain.cores import usable_cores
from churn_assets.orchestration import run_follower
from churn_assets.orchestration.sharing import MADE_AHEAD, TAG
from churn_assets.stages.child_process import StageError, end_with_parent, run_child
from churn_assets.stages.registry import STAGES
from churn_assets.storage.scratch import scratch_folder

MEANWHILE = "messages"
NICE = 10
"""How much the child and its stages stand back: reward model and judge are two programs, and need
both cores (a tenth of one is left). PPO-Text and the bank after them leave it one again."""
GRACE_SECONDS = 5.0  # for the child to end its own children
log = logging.getLogger(__name__)


def leaves_a_core(threads: int) -> bool:
    """Whether stages of so many threads, 0 for as many as there are, leave this process's machine
    a core: two programs that share one are slower than one after the other."""
    return 0 < threads < usable_cores()


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
        begins = event.kind == "log" and stage is not None and stage.area == MEANWHILE
        if begins and self._child is None and not self._over.is_set():
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


def main(folder: str) -> bool:
    """Make the stages ahead, in a run that leaves no records; ends with its parent.

    False where one of them failed: the run that this is for will say why.
    """
    end_with_parent(GRACE_SECONDS)
    os.nice(NICE)
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))  # it ends a run as Ctrl-C does
    job = dg.build_reconstructable_job(
        run_follower.DEFINITIONS, "load_job", reconstructable_kwargs={"name": "everything"}
    )
    known = {key.to_user_string() for key in job.get_definition().asset_layer.executable_asset_keys}
    stages = [name for name, stage in STAGES.items() if stage.area in MADE_AHEAD and name in known]
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.execute_job(
            job,
            instance,
            run_config=run_follower.QUIET | _config(folder),
            asset_selection=[dg.AssetKey(name) for name in stages],
            tags={TAG: folder},
        )
    return result.success


def _config(folder: str) -> dict[str, Any]:
    """What fails is tried again by the run alone; names stay between the two of them."""
    return {
        "execution": {"config": {"retries": {"disabled": {}}}},
        "resources": {"io_manager": {"config": {"ahead": folder}}},
    }


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1]) else 1)
