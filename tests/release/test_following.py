"""After a person's decision, predictions follow the release in service, and nothing undoes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from churn_assets import automation
from churn_assets.orchestration.resources import StoreResource
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.current import asset_pointer, current_artifact, read_report
from tests.release.test_assets import World, definitions, instance, run, world

__all__ = ["instance", "world"]  # fixtures of the same small graph


def tick(world: World, instance: dg.DagsterInstance) -> Any:
    """What the sensor `release_moved` asks for now."""
    resource = StoreResource(url=world.store.url, cache=str(world.root / "cache"))
    with dg.build_sensor_context(instance=instance, resources={"store": resource}) as context:
        return automation.release_moved(context)


def scored_by(world: World) -> str:
    """The release that the current predictions are by."""
    return str(read_report(world.store, current_artifact(world.store, "predictions"))["release_id"])


def roll_back(world: World, instance: dg.DagsterInstance) -> str:
    """Two releases, one after the other, and a third that is worse than the second; then the first
    serves by a person's decision. Returns its id."""
    registry = ReleaseRegistry(world.store)
    for world.seed, world.auc in ((0, 0.80), (1, 0.86), (2, 0.82)):
        run(world, "everything", instance)
    first, _, third = registry.records()
    assert not third.promoted
    assert registry.rollback().release_id == first.release_id
    return first.release_id


def test_predictions_follow_a_roll_back_that_nothing_undoes(
    world: World, instance: dg.DagsterInstance
) -> None:
    """The third release would win against the first; whoever rolled back didn't ask for it."""
    assert isinstance(tick(world, instance), dg.SkipReason)  # no release yet
    first = roll_back(world, instance)
    assert isinstance(tick(world, instance), dg.RunRequest)
    assert run(world, "follow_release", instance).success
    latest = ReleaseRegistry(world.store).latest()
    assert latest is not None
    assert latest.release_id == scored_by(world) == first
    assert isinstance(tick(world, instance), dg.SkipReason)


def test_predictions_follow_while_a_check_is_red(
    world: World, instance: dg.DagsterInstance
) -> None:
    """A model that failed keeps a release from being built; what serves is another one's affair."""
    first = roll_back(world, instance)
    world.seed, world.sound = 3, False
    assert not run(world, "predictors", instance, raise_on_error=False).success
    assert isinstance(tick(world, instance), dg.RunRequest)
    assert run(world, "follow_release", instance).success
    assert scored_by(world) == first


def test_a_run_that_failed_is_asked_for_again(
    world: World, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour later, not each minute, and under another key: the first is used up. While nothing
    has run, the key stays the same."""
    first = roll_back(world, instance)
    keys = [tick(world, instance).run_key for _ in range(2)]
    pointer = asset_pointer("active_customers")
    customers = world.store.read_pointer(pointer)
    assert customers is not None
    world.store.delete_pointer(pointer)
    assert not run(world, "follow_release", instance, raise_on_error=False).success
    assert isinstance(tick(world, instance), dg.SkipReason)
    monkeypatch.setattr(automation, "AGAIN", timedelta(0))
    keys.append(tick(world, instance).run_key)
    assert keys[0] == keys[1] != keys[2]
    world.store.write_pointer(pointer, customers)
    assert run(world, "follow_release", instance).success
    assert scored_by(world) == first
    assert isinstance(tick(world, instance), dg.SkipReason)


def test_a_run_that_a_person_cancelled_is_not_started_again_at_once(
    world: World, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have an hour to see to what they cancelled it for, or to switch the sensor off."""
    roll_back(world, instance)
    before = tick(world, instance).run_key
    cancelled = instance.create_run_for_job(definitions(world).resolve_job_def("follow_release"))
    instance.report_run_canceled(cancelled)
    answer = tick(world, instance)
    assert isinstance(answer, dg.SkipReason)
    assert f"run {cancelled.run_id} failed or was cancelled" in str(answer.skip_message)
    monkeypatch.setattr(automation, "AGAIN", timedelta(0))
    assert tick(world, instance).run_key not in (before, None)


@pytest.mark.parametrize(
    ("job", "waits"), [("follow_release", True), ("score_customers", True), ("everything", False)]
)
def test_a_run_that_is_about_to_score_is_waited_for(
    world: World, instance: dg.DagsterInstance, job: str, waits: bool
) -> None:
    """But not one that has hours of training before it."""
    roll_back(world, instance)
    instance.create_run_for_job(definitions(world).resolve_job_def(job))
    assert isinstance(tick(world, instance), dg.SkipReason if waits else dg.RunRequest)


def test_a_stand_in_for_a_damaged_release_is_followed_once(
    world: World, instance: dg.DagsterInstance
) -> None:
    """The pointer names a release that can't be used: predictions are by what serves in fact."""
    for world.seed, world.auc in ((0, 0.80), (1, 0.86)):
        run(world, "everything", instance)
    first, second = ReleaseRegistry(world.store).records()
    (world.store.root / second.artifact.path / "golden.json").unlink()
    assert isinstance(tick(world, instance), dg.SkipReason)  # nobody moved anything
    assert run(world, "follow_release", instance).success
    assert scored_by(world) == first.release_id
    assert isinstance(tick(world, instance), dg.SkipReason)
