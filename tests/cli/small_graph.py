"""`churn materialize` on a small graph in place of the product's: what modules of tests that are
run as `python -m` share."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg

import churn_assets.definitions
from churn_assets.cli import app
from churn_assets.orchestration import run_follower
from churn_assets.orchestration.config import ComputeConfig
from churn_assets.orchestration.executor import choose_executor


def job_of(
    name: str,
    assets: list[dg.AssetsDefinition],
    checks: list[dg.AssetChecksDefinition] | None = None,
) -> dg.JobDefinition:
    """The job of all of them, with the executor of the product's."""
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        jobs=[dg.define_asset_job(name)],
        executor=choose_executor(ComputeConfig()),
    ).resolve_job_def(name)


def materialize(module: str, load_job: Callable[[str], dg.JobDefinition]) -> None:
    """Run the command.

    Args:
        module: has `load_job`: a fresh worker process imports it by this name, not as `__main__`.
    """
    churn_assets.definitions.job_names = lambda: ["everything"]
    churn_assets.definitions.load_job = load_job
    run_follower.DEFINITIONS = module
    app(["materialize"])
