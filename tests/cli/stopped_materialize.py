"""`churn materialize` on a graph of one asset and a check on it that fails and blocks.

CHURN_HOME=<folder> python -m tests.cli.stopped_materialize
"""

import dagster as dg

import churn_assets.definitions
from churn_assets.cli import app
from churn_assets.orchestration import run_follower
from churn_assets.orchestration.config import ComputeConfig
from churn_assets.orchestration.executor import choose_executor


def load_job(name: str) -> dg.JobDefinition:
    """What a fresh worker process would call, as of `churn_assets.definitions`."""

    @dg.asset
    def risk_model() -> None:
        """What the release would be made of."""

    @dg.asset_check(asset=risk_model, blocking=True)
    def risk_ranks() -> dg.AssetCheckResult:
        found = {"value": 0.51, "bound": 0.78}
        return dg.AssetCheckResult(passed=False, description="as chance would", metadata=found)

    @dg.asset(deps=[risk_model])
    def release() -> None:
        raise AssertionError("the check stops it")

    return dg.Definitions(
        assets=[risk_model, release],
        asset_checks=[risk_ranks],
        jobs=[dg.define_asset_job(name)],
        executor=choose_executor(ComputeConfig()),
    ).resolve_job_def(name)


if __name__ == "__main__":
    churn_assets.definitions.job_names = lambda: ["everything"]
    churn_assets.definitions.load_job = load_job
    run_follower.DEFINITIONS = "tests.cli.stopped_materialize"
    app(["materialize"])
