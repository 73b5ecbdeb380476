"""Scoring in shards gives what scoring at once gives."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn_assets.release.config import ScoringConfig
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.bulk import scoring as predictions
from churn_assets.settings import Settings, load_settings
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import Artifact
from churn_assets.storage.scratch import held_folder
from modal_jobs import app, shards
from tests.modal_jobs.standin import StandInModal
from tests.release.small_release import build_release, made_up_rows, publish
from tests.release.test_damage import damage
from tests.release.test_experiment import control_of, left_alone

Spec = dict[str, Any]


@pytest.fixture(scope="module")
def release_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("release")
    build_release(root)
    [manifest] = root.rglob("manifest.json")
    return manifest.parent


@pytest.fixture
def store(tmp_path: Path) -> LocalArtifactStore:
    return LocalArtifactStore(tmp_path / "store")


@pytest.fixture
def release(store: LocalArtifactStore, release_folder: Path) -> Artifact:
    return store.put("releases/test", release_folder)


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    path = tmp_path / "customers.parquet"
    pq.write_table(pa.Table.from_pylist(made_up_rows(103, seed=3)), path)
    return path


def test_shards_join_to_the_whole(
    tmp_path: Path,
    store: LocalArtifactStore,
    release: Artifact,
    release_folder: Path,
    customers: Path,
) -> None:
    """The same file to the byte, and nothing left in the store."""
    whole = tmp_path / "whole"
    whole.mkdir()
    inputs = {"release": release_folder, "active_customers": customers.parent}
    report = predictions.run(inputs, whole, ScoringConfig())
    assert report["customers"] == 103

    out = tmp_path / "out"
    rows = shards.predict(customers, out, store, release, ScoringConfig(shard_rows=25))
    assert rows == 103
    assert out.read_bytes() == (whole / "predictions.parquet").read_bytes()
    assert {artifact.name for artifact in store.artifacts()} == {"releases/test"}


def test_nobody_gives_an_empty_table(
    tmp_path: Path, store: LocalArtifactStore, release: Artifact, customers: Path
) -> None:
    """A shop that has just opened: a table of the usual columns, and no rows."""
    nobody = tmp_path / "nobody.parquet"
    pq.write_table(pq.read_table(customers).slice(0, 0), nobody)
    out, some = tmp_path / "out", tmp_path / "some"
    assert shards.predict(nobody, out, store, release, ScoringConfig()) == 0
    assert shards.predict(customers, some, store, release, ScoringConfig()) == 103
    assert pq.read_table(out).num_rows == 0
    assert pq.read_schema(out).equals(pq.read_schema(some))


def test_the_deployed_function_scores_a_shard(
    tmp_path: Path, store: LocalArtifactStore, release: Artifact, customers: Path
) -> None:
    """The same result through the function that Modal maps, called as its container calls it."""
    calls = []

    def on_modal(score: Callable[[Spec], Spec], specs: Iterable[Spec]) -> Iterable[Spec]:
        for spec in specs:
            calls.append(spec)
            yield app.score_shard.local(spec)

    config = ScoringConfig(shard_rows=60)
    shards.predict(customers, tmp_path / "modal", store, release, config, on_modal)
    shards.predict(customers, tmp_path / "here", store, release, config)
    assert len(calls) == 2
    assert (tmp_path / "modal").read_bytes() == (tmp_path / "here").read_bytes()


def test_a_failing_shard_fails_the_whole_and_cleans_up(
    tmp_path: Path, store: LocalArtifactStore, release: Artifact, customers: Path
) -> None:
    """A table with a hole in it must not look like a finished one, nor replace one."""

    def broken(score: Callable[[Spec], Spec], specs: Iterable[Spec]) -> Iterable[Spec]:
        first, *_ = specs
        yield score(first)
        raise RuntimeError("the second container died")

    config = ScoringConfig(shard_rows=60)
    out = tmp_path / "results" / "out"
    out.parent.mkdir()
    out.write_text("yesterday's")
    with pytest.raises(RuntimeError, match="second container"):
        shards.predict(customers, out, store, release, config, broken)
    assert {artifact.name for artifact in store.artifacts()} == {"releases/test"}
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert out.read_text() == "yesterday's"


def test_two_runs_at_once_leave_each_other_s_alone(
    tmp_path: Path, store: LocalArtifactStore, release: Artifact, customers: Path
) -> None:
    """Why: of the same customers, release and `out` they had the same shards, results and
    unfinished file, and whoever ended first took them away from the other."""
    out, before, config = tmp_path / "out", tmp_path / "before", ScoringConfig(shard_rows=40)
    shards.predict(customers, before, store, release, config)
    ended = []

    def meanwhile(score: Callable[[Spec], Spec], specs: Iterable[Spec]) -> Iterable[Spec]:
        first, *others = specs
        made = score(first)
        ended.append(shards.predict(customers, out, store, release, config))
        assert out.read_bytes() == before.read_bytes()
        yield made
        ended.append(shards.predict(customers, out, store, release, config))
        yield from map(score, others)

    assert shards.predict(customers, out, store, release, config, meanwhile) == 103
    assert ended == [103, 103]
    assert out.read_bytes() == before.read_bytes()
    assert {artifact.name for artifact in store.artifacts()} == {"releases/test"}
    assert not list(tmp_path.glob(".*"))


def test_a_killed_run_s_unfinished_file_goes_with_the_next_run(
    tmp_path: Path, store: LocalArtifactStore, release: Artifact, customers: Path
) -> None:
    """It holds customers' rows; one that is being written stays."""
    with held_folder(tmp_path, ".out.part-") as living:
        killed = tmp_path / ".out.part-killed"
        killed.mkdir()
        (killed / "out").write_text("rows")
        assert shards.predict(customers, tmp_path / "out", store, release, ScoringConfig()) == 103
        assert (killed.exists(), living.exists()) == (False, True)


def test_an_upload_that_breaks_off_leaves_no_shards(
    tmp_path: Path,
    store: LocalArtifactStore,
    release: Artifact,
    customers: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Millions of customers' rows must not stay in the bucket because the network failed."""
    put = store.put

    def fail_at_the_second(name: str, folder: Path) -> Artifact:
        if folder.name != "shard-00000":
            raise ConnectionError("the network failed")
        return put(name, folder)

    monkeypatch.setattr(store, "put", fail_at_the_second)
    with pytest.raises(ConnectionError):
        shards.predict(customers, tmp_path / "out", store, release, ScoringConfig(shard_rows=60))
    assert {artifact.name for artifact in store.artifacts()} == {"releases/test"}


@pytest.mark.parametrize("contract", ["", "Acme"])
def test_a_shell_that_names_no_contract_leaves_a_companys_control_group_alone(
    tmp_path: Path, customers: Path, monkeypatch: pytest.MonkeyPatch, contract: str
) -> None:
    """Why: whoever scored in shards from another terminal contacted the control group too."""
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CHURN_EXPERIMENT__EXPLORATION", "0")
    load_settings.cache_clear()
    publish(LocalArtifactStore(tmp_path / "home/store"), tmp_path / "published", contract)
    out = tmp_path / "out.parquet"
    monkeypatch.setattr(sys, "argv", ["shards", str(customers), str(out)])
    shards.main()
    load_settings.cache_clear()
    table = pq.read_table(out)
    assert left_alone(table) == (control_of(table) if contract else set())


def test_a_damaged_release_has_the_stand_in_that_servers_have(
    tmp_path: Path,
    customers: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Why: nightly predictions and the API went on with the one before, a run in shards ended."""
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    load_settings.cache_clear()
    store = LocalArtifactStore(tmp_path / "home/store")
    for number, contract in enumerate(("", "Acme")):
        publish(store, tmp_path / f"published-{number}", contract)
    registry = ReleaseRegistry(store)
    first, latest = registry.records()
    damage(store, latest.artifact)
    monkeypatch.setattr(sys, "argv", ["shards", str(customers), str(tmp_path / "out.parquet")])
    shards.main()
    load_settings.cache_clear()
    assert f"103 customers scored by release {first.release_id}" in capsys.readouterr().out


@pytest.mark.parametrize("broken", [None, 0, 1])
def test_shards_on_modal(
    tmp_path: Path,
    store: LocalArtifactStore,
    release: Artifact,
    customers: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: int | None,
) -> None:
    """The deployed function is asked for every shard; of those that succeed beside one that fails,
    nothing is left."""
    StandInModal(tmp_path, broken_inputs={broken}).install(monkeypatch)
    apply = shards.map_on_modal(Settings())
    out, config = tmp_path / "out", ScoringConfig(shard_rows=40)
    if broken is None:
        assert shards.predict(customers, out, store, release, config, apply) == 103
        assert pq.read_table(out).num_rows == 103
    else:
        with pytest.raises(RuntimeError, match=f"input {broken} failed"):
            shards.predict(customers, out, store, release, config, apply)
        assert not out.exists()
    assert {artifact.name for artifact in store.artifacts()} == {"releases/test"}
