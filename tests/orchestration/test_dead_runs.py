"""Runs of killed processes end at the next start; those of living ones go on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import dagster as dg
import pytest
from modal.exception import ConnectionError

from churn_assets.orchestration import dead_runs
from churn_assets.orchestration.modal import records
from churn_assets.settings import PROJECT
from tests.modal_jobs.standin import StandInCall, StandInModal
from tests.processes import held_process

POOLS = "concurrency: {pools: {granularity: op, default_limit: 1}}\n"


@pytest.fixture
def dagster_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An instance whose pools hold one step, as a deployment's."""
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text(POOLS)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return home


def running() -> AbstractContextManager[subprocess.Popen[str]]:
    """A process with a run under way."""
    return held_process("tests.orchestration.held_run")


def statuses() -> list[dg.DagsterRunStatus]:
    with dg.DagsterInstance.get() as instance:
        return [run.status for run in instance.get_runs()]


def test_the_next_command_fails_the_run_of_a_killed_process(
    dagster_home: Path, tmp_path: Path
) -> None:
    """`kill -9` of a training: its run ends, its place in the pool is free, and it is said."""
    with running():
        with dg.DagsterInstance.get() as instance:
            [run] = instance.get_runs()
        assert dead_runs.fail_dead_runs() == []  # it lives
        assert statuses() == [dg.DagsterRunStatus.STARTED]
    assert statuses() == [dg.DagsterRunStatus.STARTED]
    program = "from churn_assets.cli import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", program, "materialize", "--job", "nothing"],
        env=os.environ | {"CHURN_HOME": str(tmp_path / "home")},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{run.run_id} was killed: marked as failed" in done.stderr
    assert statuses() == [dg.DagsterRunStatus.FAILURE]
    with dg.DagsterInstance.get() as instance:
        assert instance.event_log_storage.get_concurrency_info("gpu").active_slot_count == 0
    assert dead_runs.fail_dead_runs() == []


@pytest.mark.parametrize("reachable", [True, False])
def test_what_a_killed_run_has_on_modal_ends_too(
    dagster_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reachable: bool
) -> None:
    """A training without anybody who waits for it costs money; if Modal can't be told now, it is
    told before the stage runs again."""
    modal = StandInModal(tmp_path).install(monkeypatch)
    with subprocess.Popen(["sleep", "300"]) as container:
        modal.calls.append(call := StandInCall(container, tmp_path / "outcome", modal))
        with running(), dg.DagsterInstance.get() as instance:
            [run] = instance.get_runs()
            records.note(instance, run.run_id, "sft_model", call.object_id)
        if not reachable:
            modal.outages = [ConnectionError("no route")]
        assert dead_runs.fail_dead_runs() == [f"{run.job_name} {run.run_id}"]
        assert call.canceled == (["asked"] if reachable else [])
        with dg.DagsterInstance.get() as instance:
            [run] = instance.get_runs()
        left = "ended" if reachable else call.object_id
        assert run.tags["churn/modal_call.sft_model"] == left
        container.kill()


def test_a_deployments_runs_are_left_to_its_daemon(dagster_home: Path) -> None:
    """There, a run's process may be on another machine."""
    (dagster_home / "dagster.yaml").write_text(POOLS + "run_monitoring: {enabled: true}\n")
    with running():
        pass
    assert dead_runs.fail_dead_runs() == []
    assert statuses() == [dg.DagsterRunStatus.STARTED]


def test_a_run_that_never_named_its_process_gets_time_to_start(
    dagster_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server takes its time to start a run's process; it may have been killed before."""
    with dg.DagsterInstance.get() as instance:
        run = instance.create_run_for_job(
            dg.JobDefinition(name="job", graph_def=dg.GraphDefinition("g"))
        )
        instance.report_dagster_event(
            dg.DagsterEvent(dg.DagsterEventType.PIPELINE_STARTING.value, "job"), run.run_id
        )
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.STARTING
    assert dead_runs.fail_dead_runs() == []
    monkeypatch.setattr(dead_runs, "START_LIMIT", -dead_runs.START_LIMIT)
    assert dead_runs.fail_dead_runs() == [f"job {run.run_id}"]
    assert statuses() == [dg.DagsterRunStatus.FAILURE]


def test_another_process_with_the_number_is_another_process() -> None:
    """After a restart of a container, small numbers are given out again."""
    now = time.time()
    assert dead_runs._lives(os.getpid(), now)
    assert not dead_runs._lives(os.getpid(), now - 1e6)
