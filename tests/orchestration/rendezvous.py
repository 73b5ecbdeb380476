"""Two assets that finish only if they run at the same time."""

import time
from pathlib import Path

import dagster as dg

from churn_assets.orchestration.config import ComputeConfig
from churn_assets.orchestration.executor import choose_executor


def rendezvous_job(folder: str) -> dg.JobDefinition:
    """A job of both, on the executor that production uses."""

    def meet(mine: str, other: str) -> None:
        (Path(folder) / mine).touch()
        deadline = time.monotonic() + 60
        while not (Path(folder) / other).exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{mine} waited for {other} in vain")
            time.sleep(0.05)

    @dg.asset
    def left() -> None:
        meet("left", "right")

    @dg.asset
    def right() -> None:
        meet("right", "left")

    definitions = dg.Definitions(
        assets=[left, right],
        jobs=[dg.define_asset_job("rendezvous", dg.AssetSelection.all())],
        executor=choose_executor(ComputeConfig(backend="modal")),
    )
    return definitions.resolve_job_def("rendezvous")
