"""Settings or tables are put back: what was built from them serves again, unless a person said no.

The worse of two, and what a person decided against, stay where they are; then the run says so.
"""

from __future__ import annotations

import json
from typing import Any

import dagster as dg
import pytest

from churn_assets.release import history
from churn_assets.release.history import ReleaseRecord
from churn_assets.release.registry import HISTORY, LATEST, ReleaseRegistry
from churn_assets.settings import load_settings
from tests.release.test_assets import World, instance, run, world

__all__ = ["instance", "world"]  # fixtures of the same small graph


def build(world: World, instance: dg.DagsterInstance, seed: int, auc: float = 0.85) -> Any:
    """A whole run on the tables and settings of this seed."""
    world.seed, world.auc = seed, auc
    return run(world, "everything", instance)


def serving(world: World) -> str:
    latest = ReleaseRegistry(world.store).latest()
    assert latest is not None
    return latest.release_id


def metadata(result: Any) -> dict[str, Any]:
    (made,) = result.asset_materializations_for_node("release")
    return {name: said.value for name, said in made.metadata.items()}


def verdict(result: Any) -> dg.AssetCheckEvaluation:
    """What the run's check said of the newest build."""
    found = result.get_asset_check_evaluations()
    [said] = [e for e in found if e.check_name == "the_newest_build_serves"]
    assert isinstance(said, dg.AssetCheckEvaluation)
    return said


def alerts(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "churn_assets.release.alerts"]


def test_what_was_put_back_serves_again(world: World, instance: dg.DagsterInstance) -> None:
    """Why: the release of a bad table went on serving after the table was mended, and every run
    said success. A roll-back then goes to what served before, as it does after any promotion."""
    build(world, instance, seed=0)
    before = serving(world)
    build(world, instance, seed=1)
    changed = serving(world)
    assert changed != before
    result = build(world, instance, seed=0)
    assert serving(world) == before
    assert metadata(result)["built"] == metadata(result)["release_id"] == before
    assert "unchanged" not in metadata(result)
    assert verdict(result).passed
    assert ReleaseRegistry(world.store).rollback().release_id == changed


def test_what_was_put_back_and_is_worse_is_told(
    world: World, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    """It is compared as any build is, and refused as one."""
    build(world, instance, seed=0, auc=0.80)
    worse = serving(world)
    build(world, instance, seed=1, auc=0.86)
    better = serving(world)
    result = build(world, instance, seed=0, auc=0.80)
    assert serving(world) == better
    said = f"{worse} was built, but doesn't serve: worse in risk.auc_oof"
    assert metadata(result)["unchanged"] == said
    assert [f"release {said}"] == alerts(caplog)
    assert not verdict(result).passed
    assert "worse in risk.auc_oof" in str(verdict(result).description)


@pytest.mark.parametrize("decided", ["rolled back", "another promoted"])
def test_what_a_person_decided_against_stays_out_and_the_run_names_it(
    world: World, instance: dg.DagsterInstance, decided: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also after another build has been promoted by itself. No alert: whoever decided it knows."""
    build(world, instance, seed=0)
    first = serving(world)
    build(world, instance, seed=1)
    unwanted = serving(world)
    registry = ReleaseRegistry(world.store)
    if decided == "rolled back":
        registry.rollback()
    else:
        registry.promote(first, history.BY_HAND)

    def is_kept_out() -> None:
        result, serves = build(world, instance, seed=1), serving(world)
        assert metadata(result)["unchanged"].startswith(f"{serves} serves, not {unwanted}: ")
        said = verdict(result)
        assert (said.passed, said.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert f"`churn promote {unwanted}` lets it serve" in str(said.description)

    is_kept_out()
    assert serving(world) == first
    build(world, instance, seed=2)
    third = serving(world)
    assert third not in (first, unwanted)
    is_kept_out()
    assert serving(world) == third
    assert alerts(caplog) == []
    registry.promote(unwanted, history.BY_HAND)
    assert verdict(run(world, "everything", instance)).passed


def test_what_was_decided_stays_so_for_as_long_as_it_is_built(
    world: World, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: of a release that was no longer kept, its next build knew nothing."""
    monkeypatch.setenv("CHURN_RELEASE__KEEP", "2")
    load_settings.cache_clear()
    build(world, instance, seed=0)
    build(world, instance, seed=1)
    build(world, instance, seed=2)
    ReleaseRegistry(world.store).rollback()
    wanted = serving(world)
    for _ in range(3):
        build(world, instance, seed=2)
        assert serving(world) == wanted


def test_what_an_earlier_version_noted_of_a_persons_decision_holds(
    world: World, instance: dg.DagsterInstance
) -> None:
    """It kept no more of it than why a release serves."""
    build(world, instance, seed=0)
    first = serving(world)
    build(world, instance, seed=1)
    registry = ReleaseRegistry(world.store)
    registry.promote(first, history.BY_HAND)
    for pointer in (HISTORY, LATEST):
        kept = json.loads(world.store.read_pointer(pointer) or b"")
        for said in kept if isinstance(kept, list) else [kept]:
            for new in ("set_aside", "built_last", "sets_aside", "withdraws"):
                said.pop(new, None)
        world.store.write_pointer(pointer, json.dumps(kept).encode())
    result = build(world, instance, seed=1)
    assert serving(world) == first
    assert not verdict(result).passed


def test_only_what_came_after_it_gives_way_to_what_a_person_promotes(
    world: World, instance: dg.DagsterInstance
) -> None:
    """An older one had given way to it by itself before, and may return."""
    for seed in range(4):
        build(world, instance, seed=seed)
    registry = ReleaseRegistry(world.store)
    records: list[ReleaseRecord] = registry.records()
    registry.promote(records[1].release_id, history.BY_HAND)
    assert [bool(r.set_aside) for r in registry.records()] == [False, False, True, True]
    build(world, instance, seed=2)
    assert serving(world) == records[1].release_id
    build(world, instance, seed=0)
    assert serving(world) == records[0].release_id
