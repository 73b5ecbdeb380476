"""How a stage's program meets its orchestrator."""

from __future__ import annotations

import json
import logging
import math
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests
from dagster_pipes import encode_param
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from churn_assets.stages import entry
from churn_assets.stages.checkpoints import held_checkpoints
from churn_assets.stages.child_process import StageError
from churn_assets.stages.entry import ThrottledProgress, open_pipes, run_with_pipes
from churn_assets.stages.registry import STAGES
from churn_assets.stages.runner import made_before, make_once, run_stage
from churn_assets.stages.spec import Progress, Stage, StageSpec, silent
from churn_assets.storage.local import LocalArtifactStore
from modal_jobs.container import google_identity
from tests.modal_jobs.fake_google import FakeGoogle
from tests.processes import held_process


class Config(BaseModel):
    value: float = 1.0


def run(
    inputs: Mapping[str, Path], out: Path, config: Config, progress: Progress = silent
) -> dict[str, Any]:
    return {"value": config.value}


def spec(store: LocalArtifactStore, **changes: Any) -> StageSpec:
    given = {"stage": "toy", "inputs": {}, "config": {}, "store_url": store.url}
    return StageSpec.model_validate(given | changes)


@pytest.fixture
def store(tmp_path: Path) -> LocalArtifactStore:
    return LocalArtifactStore(tmp_path / "store")


@given(st.lists(st.floats(0, 3), min_size=1, max_size=30))
def test_progress_is_rare_but_never_misses_the_end(waits: list[float]) -> None:
    """A million steps must not become a million events; the last figures must be there."""
    lines: list[tuple[float, str]] = []
    now = 0.0
    progress = ThrottledProgress(lambda line: lines.append((now, line)), 2.0, lambda: now)
    for step, wait in enumerate(waits, start=1):
        now += wait
        progress(step, len(waits), loss=1.5)
    assert lines[-1][1] == f"{len(waits)}/{len(waits)} loss=1.5"
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(lines[:-1])]
    assert all(gap >= 2.0 for gap in gaps)


def test_a_program_started_by_hand_says_how_to_start_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Dagster there is no spec; a stack trace about mocks would help nobody."""
    monkeypatch.delenv("DAGSTER_PIPES_CONTEXT", raising=False)
    with pytest.raises(SystemExit, match="churn materialize"):
        open_pipes()


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGoogle:
    """Google as a Modal container sees it: no emulator, no project, only its identity token."""
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODAL_IDENTITY_TOKEN", "signed-by-modal")
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", "churn@project.iam.gserviceaccount.com")
    monkeypatch.setenv(
        "GOOGLE_IDENTITY_PROVIDER",
        "projects/1/locations/global/workloadIdentityPools/modal/providers/modal",
    )
    for name, value in google_identity(tmp_path / "identity").items():
        monkeypatch.setenv(name, value)
    fake = FakeGoogle()
    monkeypatch.setattr(requests.Session, "send", lambda _, asked, **options: fake.answer(asked))
    return fake


def start_session(google: FakeGoogle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of a Pipes session whose context waits in the bucket."""
    context = {"extras": {"spec": "asked"}, "run_id": "1", "job_name": "everything"}
    google.objects["session/context.json"] = json.dumps(context).encode()
    where = {"bucket": "churn-pipes", "key": "session/context.json", "key_prefix": "session"}
    for name in ("CONTEXT", "MESSAGES"):
        monkeypatch.setenv(f"DAGSTER_PIPES_{name}", encode_param(where))


def test_a_container_opens_its_session_with_no_more_than_its_token(
    google: FakeGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Federated credentials name no project; a client that insists on one ends every stage."""
    start_session(google, monkeypatch)
    with open_pipes() as pipes:
        assert pipes.get_extra("spec") == "asked"
    assert google.tokens == {"Bearer the-account's"}
    assert b'"opened"' in google.objects["session/1.json"]


def test_a_container_that_was_pre_empted_is_not_started_twice(
    google: FakeGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modal repeats a pre-empted input by itself; whoever asked has gone, and Dagster retries."""
    start_session(google, monkeypatch)
    google.objects["session/1.json"] = b"what the first container said"
    with pytest.raises(StageError, match="pre-empted; the checkpoints are kept"):
        open_pipes()
    assert google.objects["session/1.json"] == b"what the first container said"


def test_checkpoints_go_after_the_session_has_closed(
    store: LocalArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that dies with its report unsent must leave what a retry resumes from."""
    asked = spec(store).with_checkpoints_below(tmp_path)

    class Session:
        log = logging.getLogger()
        report_custom_message = print

        def get_extra(self, key: str) -> Any:
            return asked.model_dump(mode="json")

    @contextmanager
    def session() -> Iterator[Session]:
        yield Session()
        assert asked.checkpoints is not None
        assert Path(asked.checkpoints).exists()

    def resumable(*args: Any, checkpoints: Path) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(entry, "open_pipes", session)
    monkeypatch.setattr(entry, "end_with_parent", lambda: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    entry.main(Stage("toy", resumable, Config, resumable=True))
    assert not Path(str(asked.checkpoints)).exists()


@pytest.mark.parametrize(("reuse", "times"), [(True, 1), (False, 2)])
def test_two_runs_of_the_same_at_once_are_one_after_the_other(
    store: LocalArtifactStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reuse: bool,
    times: int,
) -> None:
    """Two `churn materialize` at once share the checkpoints folder: the second waits, and is
    answered by what the first made, unless it is to make everything itself."""
    asked = spec(store, reuse=reuse).with_checkpoints_below(tmp_path / "checkpoints")
    waits, trained, reports = threading.Event(), [], []

    class Log:
        def info(self, line: str) -> None:
            assert line == "toy waits for another run on this machine that makes the same"
            waits.set()

    class Session:
        log = Log()

        def get_extra(self, key: str) -> Any:
            return asked.model_dump(mode="json")

        def report_custom_message(self, message: dict[str, Any]) -> None:
            reports.append(message["report"])

    @contextmanager
    def session() -> Iterator[Session]:
        yield Session()

    def slow(*args: Any, checkpoints: Path) -> dict[str, Any]:
        assert [*checkpoints.iterdir()] == []
        (checkpoints / "writing-step-1").write_text("half of the weights")
        trained.append(checkpoints)
        assert waits.wait(60), "the other run did not wait"
        assert (checkpoints / "writing-step-1").exists()
        return {}

    monkeypatch.setattr(entry, "open_pipes", session)
    monkeypatch.setattr(entry, "end_with_parent", lambda: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    stage = Stage("toy", slow, Config, resumable=True)
    with ThreadPoolExecutor(2) as pool:
        assert [*pool.map(entry.main, [stage, stage])] == [None, None]
    assert len(trained) == times
    assert sum(report["seconds"] is not None for report in reports) == times
    [first, second] = [report["artifact"] for report in reports]
    assert first == second
    assert not trained[0].exists()


def test_a_killed_run_lets_go_of_its_checkpoints(tmp_path: Path) -> None:
    """Whoever waits for it goes on from them; whoever comes then waits for nobody."""
    folder, waits = tmp_path / "checkpoints", threading.Event()

    def go_on() -> list[str]:
        with held_checkpoints(folder, waits.set):
            return [path.name for path in folder.iterdir()]

    with ThreadPoolExecutor() as pool:
        with held_process("tests.stages.held_folder", str(folder)):
            waiting = pool.submit(go_on)
            assert waits.wait(60)
        assert waiting.result() == ["step-1"]
    waits.clear()
    assert go_on() == ["step-1"]
    assert not waits.is_set()


def test_a_program_refuses_another_stages_work(store: LocalArtifactStore) -> None:
    """A wrong name in an asset must not train the wrong model under it."""

    class Session:
        def get_extra(self, key: str) -> Any:
            return spec(store, stage="other").model_dump(mode="json")

    with pytest.raises(ValueError, match=r"asked to run 'other'.*runs 'toy'"):
        run_with_pipes(Stage("toy", run, Config), Session(), ExitStack())  # type: ignore[arg-type]


def test_a_number_that_json_lacks_is_refused(store: LocalArtifactStore) -> None:
    """A NaN loss is a failed training, not a figure for the dashboard."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        run_stage(Stage("toy", run, Config), spec(store, config={"value": math.nan}), store)
    assert store.artifacts() == []


def test_checkpoints_outlive_a_failure_and_not_a_success(
    store: LocalArtifactStore, tmp_path: Path
) -> None:
    """The next attempt finds the same folder; nothing goes before the report was delivered."""
    attempts: list[bool] = []

    def resumable(*args: Any, checkpoints: Path) -> dict[str, Any]:
        attempts.append((checkpoints / "step-1").exists())
        (checkpoints / "step-1").write_text("weights")
        if len(attempts) == 1:
            raise RuntimeError("pre-empted")
        return {}

    stage = Stage("toy", resumable, Config, resumable=True)
    asked = spec(store).with_checkpoints_below(tmp_path / "checkpoints")
    with pytest.raises(RuntimeError):
        run_stage(stage, asked, store)
    run_stage(stage, asked, store)
    assert attempts == [False, True]
    assert asked.checkpoints is not None
    assert Path(asked.checkpoints).exists()
    asked.remove_checkpoints()
    assert not Path(asked.checkpoints).exists()


def test_a_resumable_stage_needs_a_folder(store: LocalArtifactStore) -> None:
    """Forgetting it would lose hours of training at the first interruption."""
    with pytest.raises(ValueError, match="must name a checkpoints folder"):
        run_stage(Stage("toy", run, Config, resumable=True), spec(store), store)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda s: s.model_copy(update={"store_url": "gs://elsewhere/x"}), True),
        (lambda s: s.with_checkpoints_below(Path("/elsewhere")), True),
        (lambda s: s.model_copy(update={"config": {"value": 2.0}}), False),
        (lambda s: s.model_copy(update={"code_version": "2"}), False),
        (lambda s: s.model_copy(update={"stage": "other"}), False),
    ],
)
def test_only_the_same_work_shares_checkpoints(
    store: LocalArtifactStore, change: Callable[[StageSpec], StageSpec], same: bool
) -> None:
    """Resuming another configuration's weights would be a silent error."""
    asked = spec(store)
    assert (change(asked).digest == asked.digest) is same


def test_what_was_made_before_is_found_by_the_same_work_only(store: LocalArtifactStore) -> None:
    """Minutes are not spent twice; other settings or other code are other work."""
    stage = Stage("toy", run, Config)
    assert made_before(spec(store), store) is None
    first = run_stage(stage, spec(store), store)
    again = made_before(spec(store), store)
    assert again is not None
    assert (again.artifact, again.metrics, again.seconds) == (first.artifact, first.metrics, None)
    assert made_before(spec(store, config={"value": 2.0}), store) is None
    assert made_before(spec(store, code_version="2"), store) is None


def test_what_is_no_stage_is_made_once_too(store: LocalArtifactStore) -> None:
    """Its artifact holds what was written, and no report; it is made again where it is asked for,
    or the stored one is damaged."""
    made: list[Path] = []

    def make(out: Path) -> None:
        made.append(out)
        (out / "table.csv").write_text("1,2")

    first, new = make_once(spec(store), store, make)
    assert (new, store.read(first, "*")) == (True, {"table.csv": b"1,2"})
    assert make_once(spec(store), store, make) == (first, False)
    assert len(made) == 1
    assert make_once(spec(store), store, make, again=True) == (first, True)
    assert make_once(spec(store, config={"value": 2.0}), store, make) == (first, True)
    assert make_once(spec(store, code_version="2"), store, make) == (first, True)
    (store.get(first) / "table.csv").write_text("rotten")
    assert make_once(spec(store), store, make) == (first, True)
    assert store.read(first, "*") == {"table.csv": b"1,2"}


def test_what_is_gone_or_damaged_is_made_again(store: LocalArtifactStore) -> None:
    """The advice for a damaged artifact is to make it again, so that must mend it."""
    stage = Stage("toy", run, Config)
    first = run_stage(stage, spec(store), store)
    store.delete(first.artifact.name, first.artifact.version)
    assert made_before(spec(store), store) is None
    assert run_stage(stage, spec(store), store).artifact == first.artifact
    [damaged, *_] = [file for file in store.get(first.artifact).iterdir() if file.is_file()]
    content = damaged.read_bytes()
    damaged.write_bytes(b"rotten")
    assert made_before(spec(store), store) is None
    assert run_stage(stage, spec(store), store).artifact == first.artifact
    assert (store.get(first.artifact) / damaged.name).read_bytes() == content
    [pointer] = [key for key in store.pointers() if spec(store).digest in key]
    store.write_pointer(pointer, b"not JSON")
    assert made_before(spec(store), store) is None
    assert run_stage(stage, spec(store), store).artifact == first.artifact
    assert made_before(spec(store), store) is not None


def test_a_program_refuses_what_other_code_was_asked_to_do(store: LocalArtifactStore) -> None:
    """The graph was loaded hours ago; what is on disk now would go under the old code's digest."""
    asked = spec(store, stage="risk_model", code_version="x").model_dump(mode="json")

    class Session:
        log = logging.getLogger()

        def get_extra(self, key: str) -> Any:
            return asked | {"sources": "0" * 16}

    with pytest.raises(StageError, match="the sources changed since the run began"):
        run_with_pipes(Stage("risk_model", run, Config), Session(), ExitStack())  # type: ignore[arg-type]
    assert store.artifacts() == []
    assert store.pointers() == []


@pytest.mark.parametrize(
    ("given", "taken"), [(None, "0"), ("2,3", "2"), ("GPU-5ab1", "GPU-5ab1"), ("", "")]
)
def test_a_stage_sees_one_card(
    given: str | None, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: with two in sight the trainer would part each batch over both, and SFT fail."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")  # so that it is put back afterwards
    if given is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    entry.take_one_card()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == taken


def test_a_stage_is_loaded_with_one_card_in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why: what it imports asks the driver for cards, which reads the variable once."""
    seen = []

    class Program:
        def load(self) -> None:
            seen.append(os.environ["CUDA_VISIBLE_DEVICES"])

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    monkeypatch.setitem(STAGES, "sft_model", Program())
    monkeypatch.setattr(entry, "main", lambda stage: seen.append("run"))
    monkeypatch.setattr(sys, "argv", ["stages", "sft_model"])
    runpy.run_module("churn_assets.stages", run_name="__main__")
    assert seen == ["2", "run"]
