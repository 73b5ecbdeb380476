"""`churn materialize` on a graph with one stage of messages, which waits for the second process to
end.

CHURN_HOME=<folder> python -m tests.cli.ahead_materialize
The second process finds none of the product's data in that home, so it fails at once.
"""

import os
from pathlib import Path

import dagster as dg

from tests.cli.small_graph import job_of, materialize
from tests.processes import wait_until

ENDED = "made ahead no more"


def load_job(name: str) -> dg.JobDefinition:
    """What a fresh worker process would call, as of `churn_assets.definitions`."""

    @dg.asset
    def sft_model(context: dg.AssetExecutionContext) -> None:
        context.log.info("sft_model 1/2")
        logs = Path(os.environ["CHURN_HOME"], "logs")
        wait_until(lambda: any(ENDED in log.read_text() for log in logs.glob("*.log")))

    return job_of(name, [sft_model])


if __name__ == "__main__":
    materialize("tests.cli.ahead_materialize", load_job)
