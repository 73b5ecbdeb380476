"""Both backends give the same outcome for the same stage, whatever happens to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.modal_jobs.toy_stages.sft_model import Behaviour
from tests.resources.graph import FixedSettings, event_log, stored_models, toy_definitions
from tests.resources.processes import read_when_there, seconds_until_gone


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def execute(definitions: dg.Definitions, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = definitions.resolve_job_def("toy")
    return job.execute_in_process(instance=instance, raise_on_error=False)


def test_a_success_becomes_a_materialization(
    backend: FixedSettings, instance: dg.DagsterInstance
) -> None:
    """Artifact, metrics, plots and progress all reach Dagster, and downstream assets run."""
    result = execute(toy_definitions(backend), instance)
    assert result.success
    [event] = [e for e in result.get_asset_materialization_events() if e.node_name == "sft_model"]
    metadata = event.materialization.metadata
    assert metadata["sum"].value == 10
    assert metadata["held_out.auc"].value == 0.875
    assert metadata["plot: curve"].value.startswith("![curve](data:image/png;base64,")
    assert metadata["sha256"].value[:16] in stored_models(backend)
    assert [e.passed for e in result.get_asset_check_evaluations()] == [True]
    assert "sft_model 4/4 loss=0.25" in event_log(instance, result.run_id)


@pytest.mark.parametrize(
    ("behaviour", "ending"),
    [
        ("raise", "ended with exit code 1: ValueError: the toy broke on purpose"),
        ("kill", "killed by SIGKILL"),
    ],
)
def test_a_failure_is_told_in_full_and_publishes_nothing(
    backend: FixedSettings, instance: dg.DagsterInstance, behaviour: Behaviour, ending: str
) -> None:
    """The event log alone says what broke; the store holds no half-made model."""
    result = execute(toy_definitions(backend, behaviour), instance)
    assert not result.success
    log = event_log(instance, result.run_id)
    assert ending in log
    assert "a line on standard output" in log
    assert "a line on standard error" in log
    assert stored_models(backend) == []


def test_the_exception_itself_reaches_the_event_log(
    backend: FixedSettings, instance: dg.DagsterInstance
) -> None:
    """Pipes reports the child's exception as an event of its own, with its stack."""
    result = execute(toy_definitions(backend, "raise"), instance)
    errors = [
        entry.dagster_event.event_specific_data.error
        for entry in instance.all_logs(result.run_id)
        if entry.dagster_event and "closed with exception" in (entry.dagster_event.message or "")
    ]
    assert [error.cls_name for error in errors] == ["ValueError"]
    assert any("misbehave" in frame for frame in errors[0].stack)


def test_a_retry_resumes_and_succeeds(backend: FixedSettings, instance: dg.DagsterInstance) -> None:
    """Dagster owns retries; the second attempt continues where the first one's checkpoint ends."""
    result = execute(toy_definitions(backend, "fail_once", retries=1), instance)
    assert result.success
    [event] = [e for e in result.get_asset_materialization_events() if e.node_name == "sft_model"]
    assert event.materialization.metadata["resumed_at"].value == 2
    assert len(stored_models(backend)) == 1


def test_a_failed_blocking_check_stops_the_graph(
    backend: FixedSettings, instance: dg.DagsterInstance
) -> None:
    """A model below its gate is never consumed."""
    result = execute(toy_definitions(backend, least_auc=0.9), instance)
    assert not result.success
    [check] = result.get_asset_check_evaluations()
    assert (check.passed, check.metadata["auc"].value) == (False, 0.875)
    assert "consumer" not in {e.node_name for e in result.get_asset_materialization_events()}


@pytest.mark.parametrize("behaviour", ["hang", "deaf"])
def test_a_cancelled_run_leaves_no_process(
    backend: FixedSettings, instance: dg.DagsterInstance, tmp_path: Path, behaviour: Behaviour
) -> None:
    """Within two seconds of the cancellation the stage and its own children are gone."""
    pids = tmp_path / "pids"
    job = toy_definitions(backend, behaviour, pids).resolve_job_def("toy")
    results = []
    runner = threading.Thread(
        target=lambda: results.append(
            job.execute_in_process(instance=instance, raise_on_error=False)
        )
    )
    runner.start()
    processes = [int(word) for word in read_when_there(pids).split()]
    [run] = instance.get_runs()
    instance.report_run_canceling(run)
    assert seconds_until_gone(processes) < 2
    runner.join()
    final = instance.get_run_by_id(run.run_id)
    assert final is not None
    assert final.status == dg.DagsterRunStatus.CANCELED
    assert stored_models(backend) == []
