"""`churn materialize` on a graph of two steps that don't depend on each other, the first of which
never ends and is tried twice where it fails.

CHURN_HOME=<folder> python -m tests.cli.held_materialize FILE; the second step writes the file.
"""

import sys
import time
from pathlib import Path

import dagster as dg

import churn_assets.definitions
from churn_assets.cli import app
from churn_assets.orchestration import run_follower
from churn_assets.orchestration.compute import RETRY
from churn_assets.orchestration.config import ComputeConfig
from churn_assets.orchestration.executor import choose_executor


def load_job(name: str) -> dg.JobDefinition:
    """What a fresh worker process would call, as of `churn_assets.definitions`."""

    @dg.asset(retry_policy=RETRY)
    def a_long_step() -> None:
        print("held", flush=True)  # into the log, as all that steps print
        time.sleep(3_600)

    @dg.asset
    def next_step() -> None:
        Path(sys.argv[1]).touch()

    return dg.Definitions(
        assets=[a_long_step, next_step],
        jobs=[dg.define_asset_job(name)],
        executor=choose_executor(ComputeConfig()),
    ).resolve_job_def(name)


if __name__ == "__main__":
    churn_assets.definitions.job_names = lambda: ["everything"]
    churn_assets.definitions.load_job = load_job
    run_follower.DEFINITIONS = "tests.cli.held_materialize"
    app(["materialize"])
