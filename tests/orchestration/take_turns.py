"""A run of one GPU asset, which fails if another run's is at work at the same time.

DAGSTER_HOME=<folder> python -m tests.orchestration.take_turns <folder>
"""

import os
import sys
import time
from pathlib import Path

import dagster as dg

from churn_assets.orchestration.compute import stage_options


def someone_waits(instance: dg.DagsterInstance) -> bool:
    """Whether another step wants the pool and may not have it."""
    return instance.event_log_storage.get_concurrency_info("gpu").pending_step_count > 0


@dg.asset(pool=stage_options("reward_model")["pool"])
def train(context: dg.AssetExecutionContext) -> None:
    """Hold the pool until the other run has come and waits for it, or was here before."""
    folder = Path(sys.argv[1])
    (folder / "at-work").mkdir()  # fails if it is there
    deadline = time.monotonic() + 60
    while not (someone_waits(context.instance) or list(folder.glob("done-*"))):
        if time.monotonic() > deadline:
            raise TimeoutError("nobody else wanted the pool")
        time.sleep(0.05)
    (folder / f"done-{os.getpid()}").touch()
    (folder / "at-work").rmdir()


if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        dg.materialize([train], instance=instance)
