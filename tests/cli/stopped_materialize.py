"""`churn materialize` on a graph of one asset and a check on it that fails and blocks.

CHURN_HOME=<folder> python -m tests.cli.stopped_materialize
"""

import dagster as dg

from tests.cli.small_graph import job_of, materialize


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

    return job_of(name, [risk_model, release], [risk_ranks])


if __name__ == "__main__":
    materialize("tests.cli.stopped_materialize", load_job)
