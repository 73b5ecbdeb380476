"""Both backends give the same outcome for the same stage, whatever happens to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import modal
import pytest
import yaml
from grpclib.exceptions import StreamTerminatedError

from churn_assets.orchestration.config import ModalConfig
from churn_assets.orchestration.modal import calls, records
from churn_assets.orchestration.sources import deployed_from, sources_digest
from churn_assets.settings import PROJECT
from churn_assets.stages.child_process import StageError
from tests.modal_jobs.standin import StandInCall
from tests.orchestration.graph import Backend, event_log, stored_models, toy_definitions
from tests.processes import read_when_there, wait_until_gone
from tests.stages.toy.stage import Behaviour


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def execute(definitions: dg.Definitions, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = definitions.resolve_job_def("toy")
    return job.execute_in_process(instance=instance, raise_on_error=False)


def test_a_success_becomes_a_materialization(
    backend: Backend, instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    """Artifact, metrics, plots, progress and output reach Dagster, and downstream assets run."""
    on_modal = backend.compute["backend"] == "modal"
    if on_modal:
        modal.Function.program = "tests.stages.toy"  # with the pauses: what it prints is read
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
    # Dagster keeps the output of its own step. A container copies what its stage prints to its own
    # standard error, which this process has in common with it: on standard output are messages.
    printed = capfd.readouterr()
    assert "a line on standard output" in (printed.out if on_modal else printed.err)


@pytest.mark.parametrize(
    ("behaviour", "ending", "raised"),
    [
        ("raise", "ended with exit code 1: ValueError: the toy broke on purpose", ["ValueError"]),
        ("kill", "killed by SIGKILL", []),
    ],
)
def test_a_failure_is_told_in_full_and_publishes_nothing(
    backend: Backend,
    instance: dg.DagsterInstance,
    behaviour: Behaviour,
    ending: str,
    raised: list[str],
) -> None:
    """The event log alone says what broke, an exception with its own stack; the store holds no
    half-made model."""
    result = execute(toy_definitions(backend, behaviour), instance)
    assert not result.success
    log = event_log(instance, result.run_id)
    assert ending in log
    assert "a line on standard output" in log
    assert "a line on standard error" in log
    assert stored_models(backend) == []
    errors = [
        entry.dagster_event.event_specific_data.error
        for entry in instance.all_logs(result.run_id)
        if entry.dagster_event and "closed with exception" in (entry.dagster_event.message or "")
    ]
    assert [error.cls_name for error in errors] == raised
    assert all(any("misbehave" in frame for frame in error.stack) for error in errors)


def test_a_retry_resumes_and_succeeds(backend: Backend, instance: dg.DagsterInstance) -> None:
    """Dagster owns retries; the second attempt continues where the first one's checkpoint ends."""
    result = execute(toy_definitions(backend, "fail_once", retries=1), instance)
    assert result.success
    [event] = [e for e in result.get_asset_materialization_events() if e.node_name == "sft_model"]
    assert event.materialization.metadata["resumed_at"].value == 2
    assert len(stored_models(backend)) == 1


def test_a_failed_blocking_check_stops_the_graph(
    backend: Backend, instance: dg.DagsterInstance
) -> None:
    """A model below its gate is never consumed."""
    result = execute(toy_definitions(backend, least_auc=0.9), instance)
    assert not result.success
    [check] = result.get_asset_check_evaluations()
    assert (check.passed, check.metadata["auc"].value) == (False, 0.875)
    assert "consumer" not in {e.node_name for e in result.get_asset_materialization_events()}


@pytest.mark.parametrize("behaviour", ["hang", "deaf"])
def test_a_cancelled_run_leaves_no_process(
    backend: Backend, instance: dg.DagsterInstance, tmp_path: Path, behaviour: Behaviour
) -> None:
    """Within two seconds of the cancellation the stage and its own children are gone; on Modal it
    is asked first, so that it can save, and killed only if it doesn't listen."""
    pids = tmp_path / "pids"
    on_modal = backend.compute["backend"] == "modal"
    if on_modal and behaviour == "deaf":
        backend.compute["modal"]["cancel_seconds"] = 1
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
    wait_until_gone(processes)
    runner.join()
    final = instance.get_run_by_id(run.run_id)
    assert final is not None
    assert final.status == dg.DagsterRunStatus.CANCELED
    assert stored_models(backend) == []
    if on_modal:
        [call] = modal.Function.calls
        assert call.canceled == (["asked"] if behaviour == "hang" else ["asked", "terminated"])


def test_an_interrupted_dagster_process_takes_its_stage_along(tmp_path: Path) -> None:
    """The run worker gets a signal when somebody presses Terminate; no thread polls for it."""
    pids = tmp_path / "pids"
    code = f"""
import dagster as dg
from pathlib import Path
from churn_assets.stages import child_process
from churn_assets.stages.registry import STAGES, Declaration
from tests.orchestration.graph import Backend, toy_definitions
child_process.STAGE_PROGRAM = "tests.stages.toy"
toy = "tests.stages.toy.stage"
STAGES["sft_model"] = Declaration("sft_model", toy + ":run", toy + ":ToyConfig", "gpu", True)
settings = Backend(
    home={str(tmp_path / "home")!r},
    store={str(tmp_path / "store")!r},
    compute={{"backend": "local"}},
)
job = toy_definitions(settings, "hang", Path({str(pids)!r})).resolve_job_def("toy")
with dg.DagsterInstance.ephemeral() as instance:
    job.execute_in_process(instance=instance)
"""
    worker = subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)}
    )
    processes = [int(word) for word in read_when_there(pids).split()]
    worker.send_signal(signal.SIGINT)
    wait_until_gone(processes)
    assert worker.wait(timeout=120) != 0


def test_modal_refuses_artifacts_that_it_cannot_see(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    """Half a switch: the stages were moved, the store was not."""
    settings = Backend(
        home=str(tmp_path / "home"), store=str(tmp_path / "store"), compute={"backend": "modal"}
    )
    result = execute(toy_definitions(settings), instance)
    assert not result.success
    assert "set CHURN_STORE=gs://" in event_log(instance, result.run_id)


@pytest.mark.parametrize("backend", ["modal"], indirect=True)
def test_a_function_that_is_not_deployed_is_named_with_its_remedy(
    backend: Backend, instance: dg.DagsterInstance
) -> None:
    """Forgetting `make deploy` is one line in the event log, not a stack trace to decipher."""
    compute = {**backend.compute, "modal": {**backend.compute["modal"], "environment": "prod"}}
    settings = Backend(home=backend.home, store=backend.store, compute=compute)
    result = execute(toy_definitions(settings), instance)
    assert not result.success
    assert "NotFoundError" in event_log(instance, result.run_id)
    assert "deploy the app with `make deploy`" in event_log(instance, result.run_id)


@pytest.mark.parametrize("backend", ["modal"], indirect=True)
@pytest.mark.parametrize(
    ("error", "told", "canceled"),
    [
        (modal.exception.ServiceError("unavailable"), "look at the call's page", ["asked"]),
        (modal.exception.ConnectionError("no route"), "look at the call's page", ["asked"]),
        (modal.exception.AuthError("token revoked"), "log in with `modal setup`", ["asked"]),
        (modal.exception.FunctionTimeoutError("6 h"), "_STAGE__TIMEOUT_SECONDS", []),
        (modal.exception.InternalFailure("lost"), "look at the call's page", []),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_modal_answers_is_told_and_no_call_goes_on(
    backend: Backend,
    instance: dg.DagsterInstance,
    tmp_path: Path,
    error: modal.exception.Error,
    told: str,
    canceled: list[str],
) -> None:
    """A stage that nobody follows would train, and cost, beside the retry that Dagster starts."""
    modal.Function.error = error
    result = execute(toy_definitions(backend, "hang", tmp_path / "pids"), instance)
    assert not result.success
    log = event_log(instance, result.run_id)
    assert f"sft_model on Modal: {type(error).__name__}: {error}" in log
    assert "sft_model sft_model" not in log
    assert told in log
    [call] = modal.Function.calls
    assert call.process.wait(timeout=120) is not None
    assert call.canceled == canceled
    [run] = instance.get_runs()
    assert run.tags["churn/modal_call.sft_model"] == "ended"


@pytest.mark.parametrize("backend", ["modal"], indirect=True)
def test_an_outage_neither_ends_a_stage_nor_starts_it_twice(
    backend: Backend, instance: dg.DagsterInstance
) -> None:
    """Seconds without Modal are a warning: the container works on, and its result is fetched."""
    lost = modal.exception.ConnectionError("no route")
    down = modal.exception.ServiceError("unavailable")
    cut = StreamTerminatedError("connection lost")
    modal.Function.outages = [lost, down, cut, lost, down]
    result = execute(toy_definitions(backend, retries=1), instance)
    assert result.success
    [call] = modal.Function.calls
    assert call.canceled == []
    assert modal.Function.outages == []


@pytest.mark.parametrize("backend", ["modal"], indirect=True)
def test_a_cancel_that_does_not_get_through_is_told_again(backend: Backend, tmp_path: Path) -> None:
    """One lost request must not leave a container that nobody waits for."""
    call = left_running(tmp_path)
    modal.Function.outages = [modal.exception.ServiceError("unavailable")] * 3
    calls.cancel(call, ModalConfig.model_validate(backend.compute["modal"]))
    assert call.canceled == ["asked"]
    assert call.process.poll() is not None


@pytest.mark.parametrize("backend", ["modal"], indirect=True)
def test_what_a_killed_worker_left_running_ends_before_the_next_attempt(
    backend: Backend, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """Its checkpoints are the next one's; what another run still waits for is let be."""
    job = toy_definitions(backend).resolve_job_def("toy")
    killed, living = (instance.create_run_for_job(job) for _ in range(2))
    abandoned, awaited = left_running(tmp_path), left_running(tmp_path)
    records.note(instance, killed.run_id, "sft_model", abandoned.object_id)
    records.note(instance, living.run_id, "sft_model", awaited.object_id)
    instance.report_run_failed(killed)
    try:
        assert execute(toy_definitions(backend), instance).success
        assert abandoned.canceled == ["asked"]
        assert abandoned.process.poll() is not None
        assert (awaited.canceled, awaited.process.poll()) == ([], None)
        tags = instance.get_run_by_id(killed.run_id).tags
        assert tags["churn/modal_call.sft_model"] == "ended"
    finally:
        awaited.cancel(terminate_containers=True)


def left_running(tmp_path: Path) -> StandInCall:
    """A call whose container works on and whose caller is gone."""
    container = subprocess.Popen(["sleep", "300"])
    modal.Function.calls.append(StandInCall(container, tmp_path / "outcome", modal.Function))
    return modal.Function.calls[-1]


@pytest.mark.parametrize("backend", ["modal"], indirect=True)
@pytest.mark.parametrize(
    ("tags", "other"),
    [
        ({}, "sources"),
        ({"sources": "0" * 32}, "sources"),
        (deployed_from() | {"libraries": "0" * 32}, "libraries"),
        ({"sources": sources_digest()}, "libraries"),
    ],
)
def test_a_stale_deployment_is_refused_with_its_remedy(
    backend: Backend, instance: dg.DagsterInstance, tags: dict[str, str], other: str
) -> None:
    """Yesterday's code on Modal, or yesterday's torch, would train a model that today's says it
    made: the digest that it is stored under has the versions that are here."""
    modal.Function.tags = tags
    result = execute(toy_definitions(backend), instance)
    assert not result.success
    log = event_log(instance, result.run_id)
    assert f"sft_model on Modal: the app churn-stages in dev was deployed from other {other}" in log
    assert "`make deploy`" in log
    assert modal.Function.calls == []


def test_any_change_of_the_sources_changes_their_digest(tmp_path: Path) -> None:
    """Code and packaged data count; what tools leave beside them doesn't."""
    package = tmp_path / "modal_jobs"
    package.mkdir()
    (package / "app.py").write_text("a = 1")
    digests = [sources_digest(tmp_path)]
    (package / "terraform.tfstate").write_text("{}")
    (package / "app.pyc").write_text("")
    assert sources_digest(tmp_path) == digests[0]
    (package / "rules.json").write_text("{}")
    digests.append(sources_digest(tmp_path))
    (package / "app.py").write_text("a = 2")
    digests.append(sources_digest(tmp_path))
    (package / "app.py").rename(package / "application.py")
    digests.append(sources_digest(tmp_path))
    assert len(set(digests)) == 4
    assert all(len(digest) == 32 for digest in digests)


def test_any_change_of_a_pin_is_another_deployment(tmp_path: Path) -> None:
    """Remarks and order are none; where there is no lock file, as in a container, none is named."""
    lock = tmp_path / "constraints.txt"
    assert deployed_from(lock=lock) == {"sources": sources_digest()}
    digests = []
    for text in ("# made\na==1\nb==2 # for a\n", "b==2\na==1\n", "a==1\nb==2.1\n", "a==1\n"):
        lock.write_text(text)
        digests.append(deployed_from(lock=lock)["libraries"])
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_timeout_error_of_the_function_is_its_end() -> None:
    """The client raises the same error for "still running", after it has waited."""
    call = SimpleNamespace(object_id="fc-1", asked=0)

    def get(timeout: float) -> None:
        call.asked += 1
        raise TimeoutError("the function's own")

    call.get = get
    with pytest.raises(StageError, match="TimeoutError: the function's own"):
        calls.wait(call, ModalConfig(poll_seconds=0.1))
    assert call.asked == calls.HASTY_ANSWERS


@pytest.mark.parametrize("backend", ["modal"], indirect=True)
def test_a_container_that_vanishes_is_a_failure(
    backend: Backend, instance: dg.DagsterInstance
) -> None:
    """The machine itself was lost: neither result nor error came back."""
    result = execute(toy_definitions(backend, "lose_container"), instance)
    assert not result.success
    assert "ended without an outcome" in event_log(instance, result.run_id)
    assert stored_models(backend) == []


def test_a_cancellation_is_noticed_in_time_by_default() -> None:
    """Between the request and the end of the child lie one poll and one call to Modal."""
    assert ModalConfig().poll_seconds <= 1


def test_one_gpu_stage_at_a_time(tmp_path: Path) -> None:
    """Two runs that both want the pool `gpu` take turns on an instance as it is deployed."""
    deployed = yaml.safe_load((PROJECT / "modal_jobs/deploy/dagster.yaml").read_text())
    limits = {"concurrency": {"pools": deployed["concurrency"]["pools"]}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(limits))
    env = {**os.environ, "DAGSTER_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    step = "dagster instance concurrency set gpu 1"
    assert step in (PROJECT / "modal_jobs/deploy/README.md").read_text()
    python = [sys.executable, "-W", "ignore", "-m"]
    subprocess.run([*python, *step.split()], env=env, check=True)
    command = [*python, "tests.orchestration.take_turns", str(tmp_path)]
    # One after the other: SQLite, unlike the deployment's PostgreSQL, can't lock the free slot
    # that a step is about to take, so that two steps of the same instant could both take it.
    first = subprocess.Popen(command, cwd=PROJECT, env=env)
    while not (tmp_path / "at-work").exists():
        assert first.poll() is None, "the first run ended before it was at work"
        time.sleep(0.05)
    second = subprocess.Popen(command, cwd=PROJECT, env=env)
    assert [run.wait(timeout=120) for run in (first, second)] == [0, 0]
    assert len(list(tmp_path.glob("done-*"))) == 2
