"""Jobs whose steps tell whether they run at the same time, on the executors of the product."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import dagster as dg

from churn_assets.orchestration.config import ComputeConfig
from churn_assets.orchestration.executor import choose_executor
from churn_assets.stages import child_process
from churn_assets.stages.registry import STAGES, Declaration
from tests.orchestration.graph import Backend, toy_definitions

TOY = "tests.stages.toy.stage"


def job_of(
    assets: Sequence[Any], backend: Literal["local", "modal"] = "local", **options: Any
) -> dg.JobDefinition:
    """A job of the assets, as a deployment with this backend runs it."""
    definitions = dg.Definitions(
        assets=assets,
        jobs=[dg.define_asset_job("all", dg.AssetSelection.all())],
        executor=choose_executor(ComputeConfig(backend=backend)),
        **options,
    )
    return definitions.resolve_job_def("all")


def rendezvous_job(
    folder: str, backend: Literal["local", "modal"], names: Sequence[str]
) -> dg.JobDefinition:
    """Two assets that finish only if they run at the same time."""

    def asset(mine: str, other: str) -> dg.AssetsDefinition:
        @dg.asset(name=mine)
        def meet() -> None:
            (Path(folder) / mine).touch()
            deadline = time.monotonic() + 60
            while not (Path(folder) / other).exists():
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{mine} waited for {other} in vain")
                time.sleep(0.05)

        return meet

    left, right = names
    return job_of([asset(left, right), asset(right, left)], backend)


def turns_job(folder: str) -> dg.JobDefinition:
    """Two stages that want a GPU, each of which fails while the other one is at work."""

    def asset(name: str) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def alone() -> None:
            at_work = Path(folder) / "at-work"
            at_work.mkdir()
            time.sleep(0.5)
            at_work.rmdir()

        return alone

    return job_of([asset("sft_model"), asset("reward_model")])


def faults_job(folder: str) -> dg.JobDefinition:
    """A program that succeeds when it is tried again, one that fails, and what stands below."""

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def sft_model() -> None:
        tried = Path(folder) / "tried"
        if not tried.exists():
            tried.touch()
            raise ValueError("the first attempt")

    @dg.asset(deps=[sft_model])
    def after_sft() -> None:
        (Path(folder) / "after").write_text(str(os.getpid()))

    @dg.asset
    def risk_model() -> None:
        raise ValueError("broken")

    @dg.asset(deps=[risk_model])
    def after_risk() -> None: ...

    return job_of([sft_model, after_sft, risk_model, after_risk])


def hanging_job(folder: str) -> dg.JobDefinition:
    """The toy stage as a program that never ends."""
    child_process.STAGE_PROGRAM = "tests.stages.toy"
    STAGES["sft_model"] = Declaration("sft_model", f"{TOY}:run", f"{TOY}:ToyConfig", "gpu", True)
    home = Path(folder)
    backend = Backend(str(home / "home"), str(home / "store"), {"backend": "local"})
    return toy_definitions(
        backend, "hang", home / "pids", executor=choose_executor(ComputeConfig())
    ).resolve_job_def("toy")


def reconstructable(job: Callable[..., dg.JobDefinition], *arguments: Any) -> Any:
    """The job as `dg.execute_job` takes it."""
    return dg.build_reconstructable_job(
        __name__ if __name__ != "__main__" else "tests.orchestration.rendezvous",
        job.__name__,
        reconstructable_args=arguments,
    )


if (
    __name__ == "__main__"
):  # DAGSTER_HOME=<folder> python -m tests.orchestration.rendezvous <folder>
    with dg.DagsterInstance.get() as own:
        result = dg.execute_job(reconstructable(hanging_job, sys.argv[1]), own)
        print(own.get_run_by_id(result.run_id).status.value)  # type: ignore[union-attr]
