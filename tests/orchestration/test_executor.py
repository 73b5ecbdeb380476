"""Steps run in one process here, programs beside them; on Modal all run side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from churn_assets.settings import PROJECT
from tests.orchestration.graph import event_log
from tests.orchestration.rendezvous import (
    faults_job,
    reconstructable,
    rendezvous_job,
    turns_job,
)
from tests.processes import read_when_there, wait_until_gone


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as instance:
        yield instance


@pytest.mark.parametrize(
    ("backend", "names"),
    [
        ("modal", ("left", "right")),
        ("local", ("sft_model", "plain")),
        ("local", ("sft_model", "risk_model")),
        ("local", ("baseline_policies", "plain")),
    ],
)
def test_what_only_waits_runs_side_by_side(
    instance: dg.DagsterInstance, tmp_path: Path, backend: str, names: tuple[str, str]
) -> None:
    """Two independent steps, each of which waits for the other, can only succeed together."""
    job = reconstructable(rendezvous_job, str(tmp_path), backend, names)
    result = dg.execute_job(job, instance)
    assert result.success, event_log(instance, result.run_id)


def test_stages_that_want_a_gpu_take_turns(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """Why: in production each needs a card for itself, and here all cores."""
    result = dg.execute_job(reconstructable(turns_job, str(tmp_path)), instance)
    assert result.success, event_log(instance, result.run_id)


def test_a_program_is_tried_again_and_a_failed_one_stops_only_what_needs_it(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """Why: a run goes on as far as it can, and small steps cost no process of their own."""
    result = dg.execute_job(reconstructable(faults_job, str(tmp_path)), instance)
    assert not result.success
    events = {(e.step_key, e.event_type_value) for e in result.all_events}
    assert ("sft_model", "STEP_UP_FOR_RETRY") in events
    assert ("sft_model", "STEP_SUCCESS") in events
    assert ("risk_model", "STEP_FAILURE") in events
    assert ("after_risk", "STEP_START") not in events
    assert (tmp_path / "after").read_text() == str(os.getpid())


@pytest.mark.parametrize("request_to_stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_takes_its_programs_along(
    tmp_path: Path, request_to_stop: signal.Signals
) -> None:
    """Why: Ctrl-C reaches only the thread that follows the run, none that waits for a program."""
    (tmp_path / "dagster").mkdir()
    worker = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.orchestration.rendezvous", str(tmp_path)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "DAGSTER_HOME": str(tmp_path / "dagster")},
        stdout=subprocess.PIPE,
        text=True,
    )
    processes = [int(word) for word in read_when_there(tmp_path / "pids").split()]
    worker.send_signal(request_to_stop)
    wait_until_gone(processes)
    said, _ = worker.communicate(timeout=300)
    assert said.splitlines()[-1] == "FAILURE"
