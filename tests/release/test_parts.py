"""A release is of what its checks judged, and of parts that were made from one another."""

from __future__ import annotations

import dagster as dg
import pytest

from churn_assets.definitions import definitions
from churn_assets.release.gate import LEARNT_FOR, RENEWED
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.current import asset_pointer
from tests.release.test_assets import World, failure_text, instance, run, world

__all__ = ["instance", "world"]  # fixtures of the same small graph


def refusal(world: World, instance: dg.DagsterInstance) -> str:
    """What the release alone is refused for; empty where it isn't."""
    return failure_text(run(world, "only_release", instance, raise_on_error=False))


def test_a_model_that_another_dagster_put_into_the_store_is_not_released(
    world: World, instance: dg.DagsterInstance
) -> None:
    """Two instances on one bucket, or an upload by force: this one's checks judged another."""
    run(world, "everything", instance)
    before = ReleaseRegistry(world.store).latest()
    world.seed = 1
    other = world.store.put("risk_model", world.folder("risk_model"))
    world.store.write_pointer(asset_pointer("risk_model"), other.model_dump_json().encode())
    said = refusal(world, instance)
    assert "the checks of risk_model judged another artifact than the store's" in said
    assert "run `churn materialize`" in said
    assert ReleaseRegistry(world.store).latest() == before
    assert run(world, "everything", instance).success
    assert refusal(world, instance) == ""


def test_a_new_model_is_not_released_with_what_an_older_one_led_to(
    world: World, instance: dg.DagsterInstance
) -> None:
    """`churn materialize --job predictors`, then the release alone: the policy, its price and its
    report are the old model's."""
    run(world, "everything", instance)
    world.seed = 1
    assert run(world, "predictors", instance).success
    said = refusal(world, instance)
    assert "retention_environment was made from another risk_model: run `churn materialize`" in said
    assert "policy_report was made from" not in said
    assert len(ReleaseRegistry(world.store).records()) == 1
    assert run(world, "everything", instance).success
    assert refusal(world, instance) == ""


def test_what_came_out_the_same_belongs_to_the_rest(
    world: World, instance: dg.DagsterInstance
) -> None:
    """A part made again is another only if its bytes are."""
    run(world, "everything", instance)
    assert run(world, "predictors", instance).success
    assert refusal(world, instance) == ""


def test_customers_read_anew_every_night_hold_up_no_release(
    world: World, instance: dg.DagsterInstance
) -> None:
    """The next training takes them in; a release until then is of those that it was made for."""
    run(world, "everything", instance)
    today = world.store.put("today", world.folder("sft_model"))
    world.store.write_pointer(asset_pointer("active_customers"), today.model_dump_json().encode())
    assert refusal(world, instance) == ""


@pytest.mark.parametrize("missed", [False, True])
def test_messages_that_are_not_served_need_not_belong_to_one_another(
    world: World, instance: dg.DagsterInstance, missed: bool
) -> None:
    """A language model that misses a gate takes nothing else down: where others' messages stand
    in, it doesn't matter how far its chain came."""
    run(world, "everything", instance)
    world.seed = 1
    world.missed = {"messages"} if missed else set()
    assert run(world, "only_sft", instance).success
    said = refusal(world, instance)
    assert ("message_bank was made from another sft_model" in said) is not missed
    assert bool(said) is not missed


def test_the_exceptions_are_assets_of_the_graph() -> None:
    """A renamed asset must not fall out of them in silence."""
    graph = definitions().resolve_asset_graph()
    above = graph.get_ancestor_asset_keys(dg.AssetKey("release"))
    names = {key.to_user_string() for key in above}
    assert names >= RENEWED
    assert names >= LEARNT_FOR.keys()
