"""Nothing is trained twice: the same inputs, settings and code are answered by what they made."""

from __future__ import annotations

import dagster as dg
import modal
import pytest

from churn_assets.orchestration.compute import UNCHANGED
from churn_assets.orchestration.resources import SAME
from tests.orchestration.graph import Backend, event_log, stored_models, toy_definitions

TRAINED = "sft_model 4/4"


def trained(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> tuple[bool, dict[str, dg.MetadataValue]]:
    """Whether the run trained the model, and what its materialization says."""
    job = definitions.resolve_job_def("toy")
    result = job.execute_in_process(instance=instance)
    [event] = [e for e in result.get_asset_materialization_events() if e.node_name == "sft_model"]
    return TRAINED in event_log(instance, result.run_id), dict(event.materialization.metadata)


def test_the_second_run_trains_nothing_and_says_why(backend: Backend) -> None:
    """Neither process nor container is started; checks and downstream assets see the model."""
    with dg.DagsterInstance.ephemeral() as instance:
        was_trained, first = trained(toy_definitions(backend), instance)
        assert was_trained
        assert "unchanged" not in first
        was_trained, second = trained(toy_definitions(backend), instance)
        assert not was_trained
        assert second["unchanged"].value == UNCHANGED
        assert "seconds" not in second
        assert second["sha256"] == first["sha256"]
        assert second["sum"] == first["sum"]
        assert len(instance.get_runs()) == 2
    if backend.compute["backend"] == "modal":
        assert len(modal.Function.calls) == 1


@pytest.mark.parametrize("backend", ["local"], indirect=True)
def test_what_is_looked_at_again_says_that_it_is_the_same(backend: Backend) -> None:
    """An asset that is no stage is made again, since its source may have changed; a stage that was
    run again says how long it took, whatever came out."""
    backend.compute["reuse"] = False
    with dg.DagsterInstance.ephemeral() as instance:
        said = []
        for _ in range(2):
            job = toy_definitions(backend).resolve_job_def("toy")
            result = job.execute_in_process(instance=instance)
            events = result.get_asset_materialization_events()
            said.append({e.node_name: dict(e.materialization.metadata) for e in events})
    first, second = said
    assert not any("unchanged" in metadata for metadata in first.values())
    assert second["numbers"]["unchanged"].value == SAME
    assert "unchanged" not in second["sft_model"]
    assert "seconds" in second["sft_model"]


@pytest.mark.parametrize("backend", ["local"], indirect=True)
def test_a_changed_setting_trains_again(backend: Backend) -> None:
    """And the same one again doesn't, though another was used in between."""
    with dg.DagsterInstance.ephemeral() as instance:
        assert trained(toy_definitions(backend), instance)[0]
        assert trained(toy_definitions(backend, "fail_once", retries=1), instance)[0]
        assert not trained(toy_definitions(backend), instance)[0]
    assert len(stored_models(backend)) == 2


@pytest.mark.parametrize("backend", ["local"], indirect=True)
def test_reuse_can_be_switched_off(backend: Backend) -> None:
    """`CHURN_COMPUTE__REUSE=false` trains whatever was made before."""
    backend.compute["reuse"] = False
    with dg.DagsterInstance.ephemeral() as instance:
        assert trained(toy_definitions(backend), instance)[0]
        assert trained(toy_definitions(backend), instance)[0]
