"""The release assets after something broke: a killed job, damaged files, a roll-back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from churn_assets.cli import app
from churn_assets.release.registry import HISTORY, LATEST, ReleaseRegistry
from churn_assets.release.switches import kill_switch
from churn_assets.settings import PROJECT
from tests.processes import read_when_there
from tests.release.test_assets import World, failure_text, instance, run, world

__all__ = ["instance", "world"]  # fixtures


def test_a_killed_or_running_job_does_not_break_the_release(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has planned checks that it never came to; what the last whole run found still holds."""
    (tmp_path / "dagster").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    with dg.DagsterInstance.get() as instance:
        run(world, "everything", instance)
        program = [sys.executable, "-m", "tests.release.partial_job", str(tmp_path / "other")]
        partial = subprocess.Popen(program, cwd=PROJECT)
        try:
            read_when_there(tmp_path / "other" / "hangs")
            assert run(world, "only_release", instance).success
        finally:
            partial.kill()
            partial.wait()
        assert run(world, "only_release", instance).success
        monkeypatch.setattr(world, "sound", False)
        assert not run(world, "predictors", instance, raise_on_error=False).success
        later = run(world, "only_release", instance, raise_on_error=False)
        assert "risk_model: model_is_sound failed" in failure_text(later)


def test_what_serves_is_what_scores(world: World, instance: dg.DagsterInstance) -> None:
    """The nightly job after a roll-back, before Dagster has heard of it."""
    run(world, "everything", instance)
    registry = ReleaseRegistry(world.store)
    first = registry.serving_manifest()
    assert first is not None
    world.seed = 1
    run(world, "everything", instance)
    assert registry.rollback().release_id == first.release_id
    assert scored_by(world, run(world, "score_customers", instance)) == {first.release_id}


def scored_by(world: World, result: Any) -> set[str]:
    """Which releases the predictions of a run name."""
    folder = world.store.get(result.output_for_node("predictions"))
    return set(pq.read_table(folder / "predictions.parquet").column("release_id").to_pylist())


@pytest.mark.parametrize("gone", ["risk/model.json", "manifest.json", ""])
def test_materializing_again_mends_a_damaged_release(
    world: World, instance: dg.DagsterInstance, gone: str
) -> None:
    """One file of the only release is gone, or its whole folder: the same content is stored again,
    serves again, and scores."""
    run(world, "everything", instance)
    registry = ReleaseRegistry(world.store)
    [before] = registry.records()
    path = world.store.root / before.artifact.path / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert run(world, "everything", instance).success
    [after] = registry.records()
    assert (after.content, after.promoted) == (before.content, True)
    latest = registry.latest()
    assert latest is not None
    assert latest.artifact == after.artifact
    assert registry.serving_manifest() is not None
    assert CliRunner().invoke(app, ["report", "--json"]).exit_code == 0


def test_where_it_cannot_be_mended_the_last_good_release_serves(
    world: World, instance: dg.DagsterInstance
) -> None:
    """The models are others by now, and worse: they don't replace the release that stands in."""
    run(world, "everything", instance)
    registry = ReleaseRegistry(world.store)
    first = registry.latest()
    assert first is not None
    world.seed = 1
    run(world, "everything", instance)
    second = registry.latest()
    assert second is not None
    (world.store.root / second.artifact.path / "golden.json").unlink()
    assert scored_by(world, run(world, "score_customers", instance)) == {first.release_id}
    world.auc = 0.5
    result = run(world, "everything", instance)
    assert result.success
    moved = registry.latest()
    assert moved is not None
    assert moved.release_id == first.release_id
    assert "damaged" in moved.reason
    assert result.output_for_node("release") == first.artifact


def test_a_damaged_pointer_is_written_anew(world: World, instance: dg.DagsterInstance) -> None:
    """`churn materialize` is what everybody tries first."""
    run(world, "everything", instance)
    registry = ReleaseRegistry(world.store)
    before = registry.latest()
    assert before is not None
    for pointer in (LATEST, HISTORY):
        world.store.write_pointer(pointer, b"")
        if pointer == HISTORY:
            failed = run(world, "everything", instance, raise_on_error=False)
            assert "history.json is damaged" in failure_text(failed)
            (world.store.root / "pointers" / HISTORY).unlink()  # as the message says
        assert run(world, "everything", instance).success
        latest = registry.latest()
        assert latest is not None
        assert latest.release_id == before.release_id
        assert [r.release_id for r in registry.records()] == [before.release_id]


def test_an_unreadable_kill_switch_counts_as_on(world: World, instance: dg.DagsterInstance) -> None:
    """Somebody may have thrown it."""
    (world.store.root / "pointers" / kill_switch.POINTER).mkdir(parents=True)
    result = run(world, "everything", instance)
    folder = world.store.get(result.output_for_node("predictions"))
    assert json.loads((folder / "report.json").read_text())["baseline"] is True


@pytest.mark.parametrize("check", ["every_file_has_its_digest", "golden_answers_are_reproduced"])
def test_a_damaged_release_fails_its_checks(
    world: World, instance: dg.DagsterInstance, check: str
) -> None:
    """A failed check says what is wrong and stays in the asset's history; an exception does not."""
    run(world, "everything", instance)
    [model] = (world.store.root / "objects/releases").rglob("risk/model.json")
    model.write_text("{}")
    result = run(world, "only_release_checks", instance, raise_on_error=False)
    [found] = [e for e in result.get_asset_check_evaluations() if e.check_name == check]
    assert not found.passed
    assert "damaged" in str(found.description)
