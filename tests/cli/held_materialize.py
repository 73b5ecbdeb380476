"""`churn materialize` on a graph of two steps that don't depend on each other, the first of which
never ends and is tried twice where it fails.

CHURN_HOME=<folder> python -m tests.cli.held_materialize FILE; the second step writes the file.
"""

import sys
import time
from pathlib import Path

import dagster as dg

from churn_assets.orchestration.compute import RETRY
from tests.cli.small_graph import job_of, materialize


def load_job(name: str) -> dg.JobDefinition:
    """What a fresh worker process would call, as of `churn_assets.definitions`."""

    @dg.asset(retry_policy=RETRY)
    def a_long_step() -> None:
        print("held", flush=True)  # into the log, as all that steps print
        time.sleep(3_600)

    @dg.asset
    def next_step() -> None:
        Path(sys.argv[1]).touch()

    return job_of(name, [a_long_step, next_step])


if __name__ == "__main__":
    materialize("tests.cli.held_materialize", load_job)
