"""Steps run one by one here, side by side where they only wait."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from churn_assets.orchestration.config import ComputeConfig
from churn_assets.orchestration.executor import choose_executor, one_after_the_other
from churn_assets.settings import PROJECT
from tests.orchestration.graph import event_log


def test_local_runs_stay_in_process() -> None:
    """A process for each of the many small checks would cost more than the checks."""
    assert choose_executor(ComputeConfig()) is one_after_the_other


def test_remote_stages_run_side_by_side(tmp_path: Path) -> None:
    """Two independent stages, each of which waits for the other, can only succeed together."""
    job = dg.build_reconstructable_job(
        "tests.orchestration.rendezvous",
        "rendezvous_job",
        reconstructable_args=(str(tmp_path),),
        reconstructor_working_directory=str(PROJECT),
    )
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        result = dg.execute_job(job, instance)
        assert result.success, event_log(instance, result.run_id)
