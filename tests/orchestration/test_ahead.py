"""Stages made ahead by a second process: found, waited for, and done without."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from churn_assets.definitions import load_job
from churn_assets.domain import cores
from churn_assets.orchestration import ahead
from churn_assets.orchestration.ahead import Ahead, leaves_a_core, made_ahead
from churn_assets.orchestration.compute import AHEAD, PRIORITY
from churn_assets.orchestration.run_follower import Kind, RunEvent, to_run_event
from churn_assets.orchestration.sharing import TAG, Shared
from churn_assets.settings import PROJECT
from churn_assets.stages.child_process import StageError
from churn_assets.stages.registry import STAGES
from churn_assets.storage.current import asset_pointer, current_artifact
from churn_assets.storage.opening import open_store
from tests.cli.conftest import clean_environment
from tests.orchestration.graph import Backend, event_log, toy_definitions
from tests.processes import read_when_there, wait_until_gone

TRAINED = "sft_model 4/4"


def materialized(
    backend: Backend, instance: dg.DagsterInstance, tags: dict[str, str]
) -> tuple[bool, dict[str, Any]]:
    """Whether the run made the stage itself, and the metadata of it."""
    job = toy_definitions(backend).resolve_job_def("toy")
    result = job.execute_in_process(instance=instance, tags=tags)
    [event] = [e for e in result.get_asset_materialization_events() if e.node_name == "sft_model"]
    metadata = {name: said.value for name, said in event.materialization.metadata.items()}
    return TRAINED in event_log(instance, result.run_id), metadata


def shown(instance: dg.DagsterInstance) -> list[str]:
    """What the newest run's events say on the screen."""
    [run, *_] = instance.get_runs()
    events = [to_run_event(entry) for entry in instance.all_logs(run.run_id)]
    return [event.text for event in events if event is not None]


@pytest.mark.parametrize("backend", ["local"], indirect=True)
def test_the_run_takes_what_was_made_ahead(backend: Backend, tmp_path: Path) -> None:
    """With the seconds that it took, even where nothing of earlier runs may be used again."""
    backend.compute["reuse"] = False
    tags = {TAG: str(tmp_path)}
    with dg.DagsterInstance.ephemeral() as instance:
        made, first = materialized(backend, instance, tags)
        assert made
        assert "ahead" not in first
        made, second = materialized(backend, instance, tags)
        assert not made
        assert second == first | {"ahead": AHEAD}
        assert f"made ahead, in {second['seconds']:.1f} s" in shown(instance)
        made, third = materialized(backend, instance, {})
        assert made  # another run has no part in it
        assert "ahead" not in third


def test_who_comes_second_waits_for_the_first(tmp_path: Path) -> None:
    """Of the same stage alone; a turn ends with its block."""

    class NotYetError(Exception):
        pass

    def not_yet() -> None:
        raise NotYetError

    one, other = Shared(tmp_path), Shared(tmp_path)
    with one.turn("risk_model", not_yet):
        with other.turn("accept_model", not_yet):
            pass
        with pytest.raises(NotYetError), other.turn("risk_model", not_yet):
            pass
    with other.turn("risk_model", not_yet):
        pass


def test_a_core_must_be_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """0 threads are as many as there are."""
    monkeypatch.setattr(cores, "OWN", Path("/nowhere"))  # whatever this machine's quota is
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert [leaves_a_core(threads) for threads in (0, 1, 2, 3)] == [False, True, False, False]
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert [leaves_a_core(threads) for threads in (0, 1, 2, 3)] == [False, True, True, False]


def test_messages_come_first_and_what_is_made_ahead_last() -> None:
    """Else the run would do at once what it has the other process for; data go before both."""
    orders: dict[str, set[str]] = {"messages": set(), "predictors": set(), "decision": set()}
    for node in load_job("everything").nodes:
        if node.name == "sft_model":  # the toy has its place here
            continue
        if node.name in STAGES:
            orders[STAGES[node.name].area].add(node.definition.tags[PRIORITY])
        else:
            assert PRIORITY not in node.definition.tags
    assert orders == {"messages": {"-1"}, "predictors": {"-2"}, "decision": {"-2"}}


class Child:
    """In place of the second process: how often it was started, and whether it was stopped."""

    def __init__(self) -> None:
        self.started: list[list[str]] = []
        self.stopped = threading.Event()

    def __call__(self, command: list[str], env: object, *, on_poll: Any, **_: object) -> None:
        self.started.append(command)
        try:
            while True:
                on_poll()
        finally:
            self.stopped.set()


def told(kind: Kind, subject: str) -> RunEvent:
    return RunEvent(kind, subject, "", 0.0)


def test_it_begins_with_the_first_work_on_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where they are unchanged; once; and it doesn't outlive the run."""
    monkeypatch.setattr(ahead, "run_child", child := Child())
    with made_ahead() as beside:
        for event in (
            told("started", "message_base_model"),
            told("materialized", "message_base_model"),
            told("log", "risk_model"),
            told("log", "telco_customers"),
        ):
            beside(event)
        assert child.started == []
        beside(told("log", "ppo_text_model"))
        beside(told("log", "reward_model"))
        folder = beside.tags[TAG]
        assert Path(folder).is_dir()
    assert child.stopped.is_set()
    assert child.started == [
        [sys.executable, "-m", "churn_assets.orchestration.ahead", folder],
    ]
    assert not Path(folder).exists()


def test_the_run_goes_on_without_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """However it ended; the log says so."""

    def killed(*_: object, **__: object) -> None:
        raise StageError("killed by SIGKILL")

    monkeypatch.setattr(ahead, "run_child", killed)
    beside = Ahead(tmp_path)
    beside(told("log", "ppo_text_model"))
    beside.end()
    assert "the run makes the rest itself: killed by SIGKILL" in caplog.text


@contextmanager
def second_process(
    backend: Backend, folder: Path, behaviour: str, pids: Path | str
) -> Iterator[subprocess.Popen[str]]:
    """The process that makes stages ahead, of the toy's graph, whose data are there."""
    job = toy_definitions(backend).resolve_job_def("toy")
    with dg.DagsterInstance.ephemeral() as instance:
        job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("numbers")])
    arguments = [str(folder), backend.home, backend.store, behaviour, str(pids)]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.orchestration.small_ahead", *arguments],
        cwd=PROJECT,
        env=clean_environment() | {"DAGSTER_HOME": str(folder / "dagster")},
        stdin=subprocess.PIPE,  # open for as long as its parent lives
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("backend", ["local"], indirect=True)
def test_a_second_process_makes_it_and_names_nothing(backend: Backend, tmp_path: Path) -> None:
    """The run takes it and names it in the store; Dagster has no record of the other."""
    folder = tmp_path / "shared"
    folder.mkdir()
    with second_process(backend, folder, "succeed", pids="") as process:
        assert process.stderr is not None
        said = process.stderr.read()
        process.wait()
    assert process.returncode == 0, said
    store = open_store(backend.store, cache=tmp_path / "cache")
    assert store.read_pointer(asset_pointer("sft_model")) is None
    assert not (folder / "dagster").exists()
    with dg.DagsterInstance.ephemeral() as instance:
        made, metadata = materialized(backend, instance, {TAG: str(folder)})
    assert not made
    assert metadata["ahead"] == AHEAD
    assert metadata["seconds"] > 0
    named = current_artifact(store, "sft_model")
    assert metadata["sha256"] == named.sha256


@pytest.mark.parametrize("backend", ["local"], indirect=True)
@pytest.mark.parametrize("how", ["SIGTERM", "parent"])
def test_a_second_process_ends_when_it_should(backend: Backend, tmp_path: Path, how: str) -> None:
    """Asked to, or with its parent: with all that it started, and nothing is tried again."""
    folder, pids = tmp_path / "shared", tmp_path / "pids"
    folder.mkdir()
    with second_process(backend, folder, "hang", pids) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        started = read_when_there(pids)
        if how == "SIGTERM":
            process.terminate()
        else:
            process.stdin.close()
        process.stderr.read()
        process.wait()
    wait_until_gone([int(word) for word in started.split()])
    assert process.returncode != 0
    assert pids.read_text() == started
    assert list(folder.glob("*.json")) == []


@pytest.mark.parametrize("backend", ["local"], indirect=True)
def test_a_run_repeated_later_shares_with_nobody(backend: Backend, tmp_path: Path) -> None:
    """As from the UI, which repeats a run with its tags: the folder is long gone."""
    with dg.DagsterInstance.ephemeral() as instance:
        made, metadata = materialized(backend, instance, {TAG: str(tmp_path / "gone")})
    assert made
    assert "ahead" not in metadata
